using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// The one history of the run: the first commit of an index writes it, every later one is held against it (R4). Each
/// entry remembers in which term it was committed, which is what leader completeness (R3) needs.
/// </summary>
internal sealed class CommittedList
{
    private readonly List<Item> _items = [];

    public LogIndex Last => new((ulong)_items.Count);

    public ulong ChainAt(LogIndex index) => index == LogIndex.Zero ? 0 : _items[(int)index.Value - 1].Chain;

    public Term TermAt(LogIndex index) => _items[(int)index.Value - 1].Term;

    /// <summary>Committed for the first time.</summary>
    public void Add(Term term, ulong chain, Term commitTerm) => _items.Add(new Item(term, chain, commitTerm));

    /// <summary>R4: a node commits a prefix that others committed before.</summary>
    public string? Compare(int node, LogImage log, LogIndex commit)
    {
        var index = LogIndex.Min(commit, Last);
        if (log.Has(index, ChainAt(index)))
        {
            return null;
        }

        while (index > log.Start.Index.Next && !log.Has(index.Previous, ChainAt(index.Previous)))
        {
            index = index.Previous;
        }

        var found = index <= log.Last.Index ? $"an entry of term {log.TermAt(index)}" : "nothing";
        return $"Node {node} committed {found} at index {index}, where an entry of term {TermAt(index)} was committed "
            + "before.";
    }

    /// <summary>
    /// R3, leader completeness (paper §5.4.3): a leader of a term has every entry that was committed in an earlier one.
    /// What was committed in its own or a later term it may lack: so "every committed entry" would be false.
    /// </summary>
    public string? CheckLeader(int node, Term term, LogImage log)
    {
        var index = Last;
        while (index > LogIndex.Zero && _items[(int)index.Value - 1].CommitTerm >= term)
        {
            index = index.Previous;
        }

        if (index == LogIndex.Zero || log.Has(index, ChainAt(index)))
        {
            return null;
        }

        return $"Node {node} leads term {term} without the entry at index {index}, which was committed in term "
            + $"{_items[(int)index.Value - 1].CommitTerm}; its log ends at {log.Last}.";
    }

    private readonly record struct Item(Term Term, ulong Chain, Term CommitTerm);
}
