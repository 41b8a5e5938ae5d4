using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// Keeps planned destruction within what the cluster can stand: at most a minority of voters is ever damaged, and a
/// node forgets what it had promised only while a majority of others holds all that is committed, in the newest term,
/// and all that the node itself acknowledged: a leader may still count that for a later commit.
/// </summary>
/// <remarks>
/// Why so strict: a log whose tail was lost looks like one that was never longer, and an old copy of a directory looks
/// whole. Nobody but the leader knows better, so while the others could elect a leader without it, no code can help.
/// </remarks>
internal sealed class FaultAtlas(SimRoster roster) : WorldObserver
{
    private readonly NodeLog[] _logs =
        [.. Enumerable.Range(0, SimSettings.PlacesMax + 1).Select(_ => new NodeLog())];

    private EntryId _committed;
    private Term _term;

    /// <summary>How many voters, and those that are to become voters, may be damaged.</summary>
    public int DamagedMax => (roster.Committed.Voters.Length - 1) / 2;

    /// <summary>The last entry anybody knows to be committed.</summary>
    public EntryId Committed => _committed;

    /// <summary>Whether this node may lose what it promised, now.</summary>
    public bool MayForget(SimNode node, IReadOnlyList<SimNode> nodes)
    {
        var damaged = 0;
        var holders = 0;
        foreach (var other in nodes)
        {
            if (other == node || !roster.Counts(other))
            {
                continue;
            }

            damaged += other.IsDamaged ? 1 : 0;
            if (!roster.IsVoter(other))
            {
                continue;
            }

            var durable = _logs[other.Place].Durable;
            holders += other.IsRunning && !other.IsDamaged && HoldsAll(durable, _committed)
                && HoldsAll(durable, _logs[node.Place].Durable) ? 1 : 0;
        }

        return damaged < DamagedMax && holders > roster.Committed.Voters.Length / 2 && _committed.Term == _term;
    }

    private static bool HoldsAll(EntryId log, EntryId needed) =>
        log.Index >= needed.Index && log.Term >= needed.Term;

    public override void Started(int node, RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
        _logs[node].Writes.Clear();
        _logs[node].Durable = raft.LastEntry;
        _term = _term < raft.Term ? raft.Term : _term;
    }

    public override void Synced(int node, WriteId last)
    {
        var log = _logs[node];
        while (log.Writes.TryPeek(out var write) && write.Id <= last)
        {
            log.Durable = log.Writes.Dequeue().Last;
        }
    }

    public override void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
        var log = _logs[node];
        _term = _term < raft.Term ? raft.Term : _term;
        if (effects.Write != WriteId.None)
        {
            log.Writes.Enqueue((effects.Write, raft.LastEntry));
        }

        if (effects.Apply.Count > 0 && effects.Apply[^1].Index > _committed.Index)
        {
            _committed = effects.Apply[^1].Id;
        }
    }

    private sealed class NodeLog
    {
        public Queue<(WriteId Id, EntryId Last)> Writes { get; } = new();

        public EntryId Durable;
    }
}
