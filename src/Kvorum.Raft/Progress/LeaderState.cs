namespace Kvorum.Raft;

/// <summary>All that only a leader has; made at its election, dropped when its term is over.</summary>
internal sealed class LeaderState(PeerProgress[] peers, LogIndex termStart)
{
    /// <summary>The most forwarded messages remembered, to know a copy by.</summary>
    internal const int ForwardsRememberedMax = 16_384;

    private readonly HashSet<(NodeId From, ulong RequestId, int Offset)> _forwards = [];
    private readonly Queue<(NodeId From, ulong RequestId, int Offset)> _forwardsInOrder = new();

    /// <summary>By id, in the order of the replica's peers.</summary>
    public PeerProgress[] Peers { get; set; } = peers;

    /// <summary>
    /// The index of the no-op that opened the term: everything from here on is of the leader's own term.
    /// </summary>
    public LogIndex TermStart { get; } = termStart;

    /// <summary>Payload bytes of entries that are not yet both applied and durable here.</summary>
    public long UnsettledBytes { get; set; }

    /// <summary>The last index that is not counted in <see cref="UnsettledBytes"/>.</summary>
    public LogIndex Settled { get; set; }

    public int TicksSinceHeartbeat { get; set; }

    /// <summary>An acknowledgement or a sync came in: the commit index may move.</summary>
    public bool MayCommit { get; set; }

    /// <summary>To whom leadership is being handed; null for nobody.</summary>
    public NodeId? Transferee { get; set; }

    public ulong TransferBegunAt { get; set; }

    public bool IsTimeoutNowSent { get; set; }

    /// <summary>It is no member any more and hands over; when that fails it just steps down.</summary>
    public bool IsResigning { get; set; }

    /// <summary>Reads that came since the last round began.</summary>
    public List<WaitingRead> Gathering { get; set; } = [];

    /// <summary>Rounds under way, oldest first; at most <see cref="RaftNode.ReadRoundsMax"/>.</summary>
    public Queue<ReadRound> Rounds { get; } = new();

    /// <summary>Reads in <see cref="Gathering"/> and <see cref="Rounds"/> together.</summary>
    public int ReadsWaiting { get; set; }

    /// <summary>Whether this is the first copy of a forwarded message that comes in this term.</summary>
    public bool IsFirst(ForwardProposals forward)
    {
        var id = (forward.From, forward.RequestId, forward.Offset);
        if (!_forwards.Add(id))
        {
            return false;
        }

        _forwardsInOrder.Enqueue(id);
        if (_forwardsInOrder.Count > ForwardsRememberedMax)
        {
            _forwards.Remove(_forwardsInOrder.Dequeue());
        }

        return true;
    }
}

/// <summary>A read that waits for leadership to be confirmed.</summary>
/// <param name="Follower">Who asked; null for this node's own clients.</param>
internal readonly record struct WaitingRead(NodeId? Follower, ulong RequestId);

/// <summary>One confirmation of leadership for many reads (thesis §6.4).</summary>
/// <param name="Index">The commit index when the round began: at or after the arrival of every read in it.</param>
internal readonly record struct ReadRound(ulong Number, LogIndex Index, List<WaitingRead> Reads);
