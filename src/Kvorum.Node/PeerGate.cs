namespace Kvorum.Node;

/// <summary>Where a transport delivers what comes from peers, and asks whom to let in. Any thread.</summary>
public sealed class PeerGate
{
    /// <summary>
    /// The largest frame accepted or sent, in bytes: 4 MiB (one entry of the largest command, plus room).
    /// </summary>
    public const int FrameBytesMax = 4 * 1024 * 1024;

    private readonly Func<ulong, PeerHello> _helloTo;
    private readonly Func<PeerHello, string?> _judge;
    private readonly Action<ulong, bool> _onConnection;
    private readonly Func<ulong, ReadOnlyMemory<byte>, bool> _onFrame;

    internal PeerGate(KvorumNode node)
        : this(node.HelloTo, hello => node.Judge(hello), node.OnConnection, node.OnFrame)
    {
    }

    /// <summary>The node in four functions, so that a transport can be tested without one.</summary>
    internal PeerGate(
        Func<ulong, PeerHello> helloTo,
        Func<PeerHello, string?> judge,
        Action<ulong, bool> onConnection,
        Func<ulong, ReadOnlyMemory<byte>, bool> onFrame)
    {
        _helloTo = helloTo;
        _judge = judge;
        _onConnection = onConnection;
        _onFrame = onFrame;
    }

    /// <summary>The hello to send to <paramref name="peer"/>.</summary>
    public PeerHello HelloTo(ulong peer) => _helloTo(peer);

    /// <summary>
    /// Judges the hello a peer sent, durably remembering its incarnation at the first meeting. May block in I/O.
    /// </summary>
    /// <returns>Null to go on, else why the connection must be closed (already logged).</returns>
    public string? Judge(in PeerHello hello) => _judge(hello);

    /// <summary>A connection to the peer works in both directions now.</summary>
    public void Connected(ulong peer) => _onConnection(peer, true);

    /// <summary>The connection to the peer broke; said once per break.</summary>
    public void Lost(ulong peer) => _onConnection(peer, false);

    /// <summary>A whole frame came. The gate keeps <paramref name="frame"/>: its buffer must not be reused.</summary>
    /// <returns>False when the bytes are no message: close the connection.</returns>
    public bool Receive(ulong peer, ReadOnlyMemory<byte> frame) => _onFrame(peer, frame);
}
