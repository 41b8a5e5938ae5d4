namespace Kvorum.Raft;

/// <summary>
/// What was answered to the requests that peers sent on, so that a message the network doubled is answered again and
/// not done again. Bounded: what is forgotten is not answered at all.
/// </summary>
internal sealed class ForwardMemory
{
    /// <summary>Answers remembered per peer.</summary>
    public const int AnswersMax = 256;

    /// <summary>Peers remembered; more than a group has at a time.</summary>
    public const int PeersMax = 2 * Membership.NodesMax;

    /// <summary>
    /// A process numbers its requests from a random place on: so far before the newest forgotten number a request is of
    /// another process, not an old one.
    /// </summary>
    private const ulong OldSpan = 1UL << 32;

    private readonly List<PeerAnswers> _peers = [];

    public Message? Find(NodeId peer, ulong requestId, int offset)
    {
        if (Of(peer) is not { } known)
        {
            return null;
        }

        foreach (var answer in known.Answers)
        {
            if (answer.RequestId == requestId && answer.Offset == offset)
            {
                return answer.Reply;
            }
        }

        return null;
    }

    /// <summary>It may have been answered before: nobody knows any more.</summary>
    public bool MayBeForgotten(NodeId peer, ulong requestId) =>
        Of(peer) is { Forgotten: > 0 } known && unchecked(known.Forgotten - requestId) < OldSpan;

    public void Remember(NodeId peer, ulong requestId, int offset, Message reply)
    {
        if (Of(peer) is not { } known)
        {
            if (_peers.Count == PeersMax)
            {
                _peers.RemoveAt(0);
            }

            known = new PeerAnswers(peer);
            _peers.Add(known);
        }

        if (known.Answers.Count == AnswersMax)
        {
            known.Forgotten = known.Answers.Dequeue().RequestId;
        }

        known.Answers.Enqueue((requestId, offset, reply));
    }

    private PeerAnswers? Of(NodeId peer)
    {
        foreach (var known in _peers)
        {
            if (known.Node == peer)
            {
                return known;
            }
        }

        return null;
    }

    private sealed class PeerAnswers(NodeId node)
    {
        public NodeId Node { get; } = node;

        public Queue<(ulong RequestId, int Offset, Message Reply)> Answers { get; } = new();

        public ulong Forgotten { get; set; }
    }
}
