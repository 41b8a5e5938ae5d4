using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// What a log must hold after each operation; a crash may leave any state from the last acknowledged one on.
/// </summary>
internal sealed class LogModel
{
    private readonly List<string> _states = [];
    private readonly SortedDictionary<uint, GroupModel> _groups = [];
    private int _acknowledged;

    public LogModel(params uint[] groups)
    {
        foreach (var group in groups)
        {
            _groups.Add(group, new GroupModel());
        }

        Remember();
    }

    public LogIndex EndOf(GroupId group) => _groups[group.Value].End;

    public LogIndex StartOf(GroupId group) => _groups[group.Value].Start.Index;

    public string Last => _states[^1];

    public void Save(GroupId group, HardState state)
    {
        _groups[group.Value].State = state;
        Remember();
    }

    public void Append(GroupId group, LogEntry[] entries)
    {
        var log = _groups[group.Value];
        log.Entries.RemoveAll(entry => entry.Index >= entries[0].Index);
        log.Entries.AddRange(entries);
        Remember();
    }

    public void Reset(GroupId group, EntryId start)
    {
        var log = _groups[group.Value];
        log.Entries.Clear();
        log.Start = start;
        Remember();
    }

    public void Cut(GroupId group, EntryId kept)
    {
        var log = _groups[group.Value];
        log.Entries.RemoveAll(entry => entry.Index <= kept.Index);
        log.Start = kept;
        Remember();
    }

    public void Acknowledge() => _acknowledged = _states.Count - 1;

    /// <summary>Acknowledges all but the last <paramref name="operations"/>.</summary>
    public void AcknowledgeAllBut(int operations) => _acknowledged = _states.Count - 1 - operations;

    /// <summary>
    /// The log holds everything acknowledged, perhaps more of what was asked for in order, and nothing else.
    /// </summary>
    public void AssertPossible(Wal wal)
    {
        var found = Describe(wal);
        Assert.Contains(found, _states.Skip(_acknowledged));
    }

    public void AssertLast(Wal wal) => Assert.Equal(Last, Describe(wal));

    /// <summary>Takes over what a restart found: later operations build on it.</summary>
    public void Adopt(string found)
    {
        var index = _states.LastIndexOf(found);
        _states.RemoveRange(index + 1, _states.Count - index - 1);
        _acknowledged = index;
    }

    public string Describe(Wal wal)
    {
        var parts = new List<string>();
        foreach (var group in _groups.Keys)
        {
            var found = wal.TakeRecovered(new GroupId(group));
            parts.Add(Describe(group, found.HardState, found.LogStart, found.Entries));

            // What is read back later is what was recovered.
            Logs.AssertSame(found.Entries, wal.Read(new GroupId(group), found.LogStart.Index.Next, int.MaxValue));
        }

        return string.Join('\n', parts);
    }

    private static string Describe(uint group, HardState state, EntryId start, IEnumerable<LogEntry> entries) =>
        $"{group}: {state.Term} {state.VotedFor} after {start}: {string.Join(", ", entries.Select(Logs.Show))}";

    private void Remember() => _states.Add(string.Join(
        '\n', _groups.Select(pair => Describe(pair.Key, pair.Value.State, pair.Value.Start, pair.Value.Entries))));

    private sealed class GroupModel
    {
        public HardState State { get; set; }

        public EntryId Start { get; set; }

        public List<LogEntry> Entries { get; } = [];

        public LogIndex End => Entries.Count > 0 ? Entries[^1].Index : Start.Index;
    }
}
