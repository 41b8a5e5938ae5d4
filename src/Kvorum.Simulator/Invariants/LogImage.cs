using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// A log as identities: for each index the term, and a hash chained over everything up to there, so that two equal
/// chains at an index mean two equal prefixes. What lies before the start is covered by a snapshot.
/// </summary>
internal sealed class LogImage
{
    private (ulong Term, ulong Chain)[] _entries = new (ulong, ulong)[64];
    private int _count;
    private ulong _startChain;

    /// <summary>The entry just before the first one.</summary>
    public EntryId Start { get; private set; }

    public EntryId Last => _count == 0 ? Start : new EntryId(new Term(_entries[_count - 1].Term), LastIndex);

    public ulong LastChain => _count == 0 ? _startChain : _entries[_count - 1].Chain;

    private LogIndex LastIndex => Start.Index.Plus((ulong)_count);

    /// <summary>The chain after one more entry.</summary>
    public static ulong Link(ulong chain, in LogEntry entry)
    {
        var hash = new StateHash(chain);
        hash.Add(entry.Term.Value, entry.Index.Value);
        hash.Add(StateHash.Of((ulong)entry.Kind, entry.Payload.Span), (ulong)entry.Payload.Length);
        return hash.Value;
    }

    /// <summary>The log is empty and goes on after an entry.</summary>
    public void Reset(EntryId start, ulong chain)
    {
        Start = start;
        _startChain = chain;
        _count = 0;
    }

    /// <summary>Adds an entry; one at or below the end replaces the tail from there on.</summary>
    public void Append(EntryId id, ulong chain)
    {
        var place = (int)(id.Index.Value - Start.Index.Value - 1);
        if (place == _entries.Length)
        {
            Array.Resize(ref _entries, place * 2);
        }

        _entries[place] = (id.Term.Value, chain);
        _count = place + 1;
    }

    /// <summary>Whether an entry can be added at this index: not before the log, and without a gap.</summary>
    public bool Reaches(LogIndex index) => index > Start.Index && index <= LastIndex.Next;

    /// <summary>The chain up to an index of [start, last].</summary>
    public ulong ChainAt(LogIndex index) =>
        index == Start.Index ? _startChain : _entries[(int)(index.Value - Start.Index.Value - 1)].Chain;

    /// <summary>The term at an index of [start, last].</summary>
    public Term TermAt(LogIndex index) => index == Start.Index
        ? Start.Term
        : new Term(_entries[(int)(index.Value - Start.Index.Value - 1)].Term);

    /// <summary>Whether the log has exactly this prefix; what a snapshot covers counts as had.</summary>
    public bool Has(LogIndex index, ulong chain) =>
        index < Start.Index || (index <= LastIndex && ChainAt(index) == chain);

    /// <summary>Whether the entry is there, its start included.</summary>
    public bool Contains(EntryId id) =>
        id.Index >= Start.Index && id.Index <= LastIndex && TermAt(id.Index) == id.Term;

    public void CopyFrom(LogImage other)
    {
        Reset(other.Start, other._startChain);
        if (_entries.Length < other._count)
        {
            Array.Resize(ref _entries, other._entries.Length);
        }

        Array.Copy(other._entries, _entries, other._count);
        _count = other._count;
    }
}
