namespace Kvorum.Raft;

/// <summary>What a replica in any role remembers of a peer.</summary>
internal sealed class Peer(NodeId node, bool isVoter)
{
    public NodeId Node { get; } = node;

    public bool IsVoter { get; } = isVoter;

    /// <summary>False once its directory was replaced (<see cref="Standing"/>).</summary>
    public bool MayVote { get; set; } = true;

    /// <summary>The connection to it broke and neither came back nor did the peer speak since.</summary>
    public bool IsLinkLost { get; set; }

    /// <summary>Whether its votes and acknowledgements count.</summary>
    public bool Counts => IsVoter && MayVote;
}
