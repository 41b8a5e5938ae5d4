namespace Kvorum.Node;

/// <summary>Carries frames (bytes) between nodes. It never sees what is in them.</summary>
/// <remarks>
/// Frames to one peer arrive in the order sent, or not at all; a frame may be lost with its connection. Nodes are named
/// by the number behind their id, so that a transport needs no consensus type.
/// </remarks>
public interface ITransport
{
    /// <summary>
    /// Queues one frame and returns at once; the bytes are copied. Any thread. Dropped silently when there is no
    /// connection or the peer's queue is full: the protocol repeats itself.
    /// </summary>
    void Send(ulong peer, ReadOnlySpan<byte> frame);

    /// <summary>Starts dialling the peers and accepting them; what comes in goes to <paramref name="gate"/>.</summary>
    void Start(PeerGate gate);

    /// <summary>
    /// From now on dials and accepts exactly these peers (this node is never among them); connections to others are
    /// closed. Any thread, before or after <see cref="Start"/>. Called before <see cref="Start"/> and with the whole
    /// list each time the membership in force changes. A member whose address is not known stands in it with an empty
    /// name and URL, and the transport goes on with what it knows. Called with nobody and then with the same list
    /// again when all handshakes must be repeated.
    /// A hello of this cluster from a node that is not in the list still goes to <see cref="PeerGate.Judge"/>, and when
    /// that lets it in its frames are delivered: a node that was away, or joins, may not know yet who leads.
    /// </summary>
    void SetPeers(IReadOnlyList<MemberAddress> peers);

    /// <summary>Closes every connection; nothing is delivered afterwards.</summary>
    ValueTask StopAsync();
}
