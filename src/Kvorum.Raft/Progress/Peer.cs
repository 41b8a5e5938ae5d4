namespace Kvorum.Raft;

/// <summary>What a replica in any role remembers of a peer.</summary>
internal sealed class Peer(NodeId node, Membership membership)
{
    public NodeId Node { get; } = node;

    /// <summary>It votes in the membership that is, or that will be.</summary>
    public bool IsIncoming { get; } = membership.IsIncoming(node);

    /// <summary>It votes in the membership that is being left.</summary>
    public bool IsOutgoing { get; } = membership.IsOutgoing(node);

    /// <summary>It is being demoted because it lost its memory.</summary>
    public bool IsDemoted { get; } = membership.IsLearnerNext(node);

    /// <summary>False when its directory is not the one the membership speaks of (<see cref="Standing"/>).</summary>
    public bool MayVote { get; set; } = true;

    /// <summary>Its directory is known to be another one, or to have lost something.</summary>
    public bool HasLostMemory { get; set; }

    /// <summary>The connection to it broke and neither came back nor did the peer speak since.</summary>
    public bool IsLinkLost { get; set; }

    /// <summary>Entries are being read for its mending: one reading at a time.</summary>
    public bool IsMendingRead { get; set; }

    public bool IsVoter => IsIncoming || IsOutgoing;

    /// <summary>Whether its votes and acknowledgements count.</summary>
    public bool Counts => IsVoter && MayVote && !IsDemoted;
}
