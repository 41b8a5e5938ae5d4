using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>Every limit of the peer wire, with its unit.</summary>
internal static class PeerLimits
{
    /// <summary>
    /// Frames waiting for one peer; more are dropped and counted, because the protocol repeats itself.
    /// </summary>
    public const int OutgoingBytesMax = 32 * 1024 * 1024;

    /// <summary>A buffer that grew past this in a burst is given back when it runs half empty.</summary>
    public const int IdleBufferBytesMax = 1024 * 1024;

    public const int InitialBufferBytes = 64 * 1024;

    /// <summary>Text blocks: advertised client URLs and reasons.</summary>
    public const int TextBytesMax = 2048;

    /// <summary>
    /// Frames up to this size share an array with their neighbours, so that small ones cost no object each.
    /// </summary>
    public const int SharedFrameBytesMax = 2048;

    public const int SharedArrayBytes = 16 * 1024;

    public const int FrameBytesMax = PeerGate.FrameBytesMax;

    /// <summary>Connections to the peer port that have not finished their handshake.</summary>
    public const int PendingHandshakesMax = 32;

    /// <summary>All connections to the peer port: members have one each, so handshakes never crowd them out.</summary>
    public const int ConnectionsMax = 128;

    /// <summary>Nodes that are heard although they are not among the peers.</summary>
    public const int GuestsMax = 32;

    /// <summary>Removed peers that are remembered by name.</summary>
    public const int FormerPeersMax = 64;

    /// <summary>From the first byte to the last of connecting and both hellos.</summary>
    public static readonly TimeSpan HandshakeTimeout = TimeSpan.FromSeconds(5);

    public static readonly TimeSpan BackOffMin = TimeSpan.FromMilliseconds(20);

    public static readonly TimeSpan BackOffMax = TimeSpan.FromSeconds(1);

    /// <summary>The same failure of the same peer is logged again after this long.</summary>
    public static readonly TimeSpan RepeatLogAfter = TimeSpan.FromSeconds(30);

    /// <summary>A silent connection is probed after this many seconds, then each second.</summary>
    public const int KeepAliveSeconds = 2;

    /// <summary>Unanswered probes before the connection counts as half-open and is closed.</summary>
    public const int KeepAliveProbesMax = 3;

    /// <summary>Sent bytes that nobody acknowledged for this long close the connection (TCP_USER_TIMEOUT).</summary>
    public const int UnacknowledgedMillisecondsMax = 5000;
}
