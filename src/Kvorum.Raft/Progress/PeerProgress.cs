namespace Kvorum.Raft;

/// <summary>How a leader feeds a peer.</summary>
internal enum ProgressState : byte
{
    /// <summary>Where the logs agree is not sure: one message at a time.</summary>
    Probe = 0,

    /// <summary>The logs agree: messages leave without waiting for answers, up to the window.</summary>
    Replicate = 1,

    /// <summary>The peer needs entries the log no longer has: a snapshot is on its way.</summary>
    Snapshot = 2,
}

/// <summary>What a leader knows about one peer (paper Fig. 2: nextIndex, matchIndex) and how it sends to it.</summary>
internal sealed class PeerProgress(Peer peer, LogIndex next, ulong now, RaftOptions options)
{
    public Peer Peer { get; set; } = peer;

    public NodeId Node => Peer.Node;

    public ProgressState State { get; private set; } = ProgressState.Probe;

    /// <summary>The last index known to be durable on the peer and equal to ours (paper: matchIndex).</summary>
    public LogIndex Match { get; private set; }

    /// <summary>The next index to send (paper: nextIndex); ahead of acknowledgements while replicating.</summary>
    public LogIndex Next { get; private set; } = next;

    public InflightWindow Inflight { get; } = new(options.InflightMessagesMax, options.InflightBytesMax);

    /// <summary>Probing, and the one message allowed is unanswered.</summary>
    public bool IsPaused { get; set; }

    /// <summary>A read of old entries is under way.</summary>
    public bool IsFetching { get; set; }

    /// <summary>The tick of the peer's last message in this term.</summary>
    public ulong HeardAt { get; set; } = now;

    /// <summary>It was heard in this term at all.</summary>
    public bool HasAnswered { get; set; }

    /// <summary>The tick at which it was last sent the membership because it was silent; 0 for never.</summary>
    public ulong NoticedAt { get; set; }

    /// <summary>Learner: where it must be at the next heartbeat to keep up.</summary>
    public LogIndex RoundTarget { get; set; } = next;

    /// <summary>Learner: for how many heartbeats in a row it kept up.</summary>
    public int KeptRounds { get; set; }

    /// <summary>The tick at which something was last sent after silence, or acknowledged.</summary>
    public ulong MovedAt { get; set; } = now;

    /// <summary>The newest read round the peer confirmed.</summary>
    public ulong ReadRound { get; set; }

    /// <summary>The commit index the peer has been told, as far as it can use it.</summary>
    public LogIndex CommitSent { get; set; }

    /// <summary>The peer's own clients wait for this index: it is told at once when that is committed.</summary>
    public LogIndex CommitWanted { get; set; }

    /// <summary>What is being sent in state <see cref="ProgressState.Snapshot"/>.</summary>
    public SnapshotDescriptor? Snapshot { get; private set; }

    /// <summary>How far the transfer of <see cref="Snapshot"/> is.</summary>
    public SnapshotStream Stream { get; } = new(options.SnapshotChunksInflightMax, options.SnapshotChunkBytesMax);

    /// <summary>The peer's log equals ours up to <paramref name="match"/>. Returns whether that is news.</summary>
    public bool Acknowledge(LogIndex match, ulong now)
    {
        if (match <= Match)
        {
            return false;
        }

        Match = match;
        Next = LogIndex.Max(Next, match.Next);
        Inflight.FreeTo(match);
        MovedAt = now;
        return true;
    }

    /// <summary>Entries up to <paramref name="last"/> left.</summary>
    public void Sent(LogIndex last, int bytes, ulong now)
    {
        if (State == ProgressState.Probe)
        {
            IsPaused = true;
            MovedAt = now;
            return;
        }

        if (Inflight.Count == 0)
        {
            MovedAt = now;
        }

        Next = last.Next;
        Inflight.Add(last, bytes);
    }

    public void BecomeProbe(LogIndex next)
    {
        State = ProgressState.Probe;
        Next = LogIndex.Max(next, Match.Next);
        IsPaused = false;
        Snapshot = null;
        Inflight.Clear();
    }

    /// <summary>What the peer acknowledged is void; its first refusal tells where its log ends.</summary>
    public void Forget()
    {
        Match = LogIndex.Zero;
        CommitSent = LogIndex.Zero;
        KeptRounds = 0;
        RoundTarget = Next;
        BecomeProbe(Next);
    }

    public void BecomeReplicate()
    {
        State = ProgressState.Replicate;
        Next = Match.Next;
        IsPaused = false;
        Snapshot = null;
        Inflight.Clear();
    }

    public void BecomeSnapshot(SnapshotDescriptor snapshot, ulong now)
    {
        State = ProgressState.Snapshot;
        Snapshot = snapshot;
        Stream.Begin(snapshot.Length);
        MovedAt = now;
        Inflight.Clear();
    }
}
