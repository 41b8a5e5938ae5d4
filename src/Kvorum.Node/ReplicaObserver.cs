using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Sees everything a replica decides and applies, on the thread that does it; must not change anything, keep what it is
/// given, or throw. For the simulator's invariants: a live node has none, at the cost of one comparison per step.
/// </summary>
internal abstract class ReplicaObserver
{
    /// <summary>The replica recovered and takes its first input next.</summary>
    public abstract void Started(RaftNode raft, KvMachine machine, RecoveredState recovered);

    /// <summary>
    /// All writes up to <paramref name="last"/> are durable; none of the messages that waited for it has left.
    /// </summary>
    public abstract void Synced(WriteId last);

    /// <summary>A step is over; none of its effects is carried out yet.</summary>
    public abstract void Stepped(RaftNode raft, Input input, Effects effects);

    /// <summary>A batch was applied and published; no caller has been answered yet.</summary>
    public abstract void Applied(ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash);

    /// <summary>A snapshot from the leader replaced the state.</summary>
    public abstract void Restored(SnapshotDescriptor snapshot, ulong stateHash);
}
