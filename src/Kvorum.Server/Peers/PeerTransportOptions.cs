namespace Kvorum.Server;

/// <summary>Who this node is, and whom it speaks to.</summary>
internal sealed record PeerTransportOptions
{
    public required ulong ClusterId { get; init; }

    public required ulong Node { get; init; }

    /// <summary>
    /// The other members at the start, without this node; from the first call of <see cref="PeerTransport.SetPeers"/>
    /// on, what is known of a member that a list does not tell.
    /// </summary>
    public required IReadOnlyList<ServerMember> Peers { get; init; }

    /// <summary>The client URLs this node advertises, told in every handshake.</summary>
    public required IReadOnlyList<Uri> AdvertiseClientUrls { get; init; }

    /// <summary>From the first byte to the last of connecting and both hellos.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = PeerLimits.HandshakeTimeout;
}
