using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// What a node does about its disk as time passes: asks again for room, lets deferred file work go on, repeats a
/// snapshot that failed, and tells a leader with a bad disk to hand over. Replica's thread.
/// </summary>
internal sealed class DiskUpkeep(ReplicaParts parts, Action requestSnapshot)
{
    /// <summary>
    /// A leader hands over for its disk's sake at most once in this many election timeouts: where every disk is slow,
    /// leadership must not wander.
    /// </summary>
    public const int HandOverPauseElections = 10;

    private readonly TimeSpan _slow = SlowLimitOf(parts.Options);
    private readonly long _pauseTicks = (long)HandOverPauseElections * parts.Options.ElectionTicks;
    private long _handedOverAt = long.MinValue / 2;

    /// <summary>The longest a sync may take on a leader: never less than half an election timeout.</summary>
    public static TimeSpan SlowLimitOf(NodeOptions options)
    {
        var half = options.TickInterval * options.ElectionTicks / 2;
        return half > options.SlowSyncMax ? half : options.SlowSyncMax;
    }

    /// <summary>Why this leader should hand over now; null for nearly always.</summary>
    public string? OnTick(long now, RaftNode raft)
    {
        if (parts.Snapshots.HasDeferred)
        {
            parts.SnapshotsWorker.Wake();
        }

        if (parts.Room.IsFull)
        {
            parts.Snapshots.PrepareSegment();
            parts.SnapshotsWorker.Wake();
        }

        if (parts.Writer.IsHolding)
        {
            parts.WriterWorker.Wake();
        }

        if (parts.Compactor.IsRetryDue())
        {
            requestSnapshot();
        }

        return raft.Role is Role.Leader && now - _handedOverAt >= _pauseTicks ? Reason(now, raft) : null;
    }

    private string? Reason(long now, RaftNode raft)
    {
        var reason = parts.Syncs.IsSlowerThan(_slow)
            ? $"its disk takes longer than {_slow.TotalMilliseconds} ms to sync"
            : parts.Room.IsFull ? "its disk is full"
            : null;
        if (reason is null || !CouldTakeOver(raft))
        {
            return null;
        }

        _handedOverAt = now;
        parts.Syncs.Forget();
        return reason;
    }

    /// <summary>Whether a voter has everything that is committed, and answers.</summary>
    private static bool CouldTakeOver(RaftNode raft)
    {
        foreach (var peer in raft.Peers)
        {
            if (peer is { IsActive: true, MayVote: true } && peer.Match >= raft.CommitIndex
                && raft.Membership.IsVoter(peer.Node))
            {
                return true;
            }
        }

        return false;
    }
}
