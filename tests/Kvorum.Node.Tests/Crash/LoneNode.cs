using System.Buffers;
using Kvorum.Raft;
using Kvorum.Storage.Tests;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>
/// One whole node, node 3 of three, on a disk that can lose power; the test plays its peers, its clock and its workers.
/// </summary>
internal sealed class LoneNode : ITransport
{
    public const ulong Id = 3;
    public const ulong Cluster = 77;
    public const string Root = "/n3";

    private readonly CrashDisk _disk;
    private readonly HandExecutor _executor = new();
    private readonly HandTime _time = new();
    private readonly Action<Message> _sent;
    private PeerGate? _gate;

    public LoneNode(CrashDisk disk, ulong incarnation, ReplicaObserver? observer, Action<Message> sent)
    {
        _disk = disk;
        _sent = sent;
        var options = Options with { Observer = observer };
        Node = KvorumNode.Open(
            options, this, disk, _executor, _time, incarnation, incarnation, NullLoggerFactory.Instance);
        Settle();
    }

    public static NodeOptions Options { get; } = new()
    {
        Name = "n3",
        Node = Id,
        ClusterId = Cluster,
        Voters = [1, 2, Id],
        DataPath = Root,
        WalSegmentBytes = 1024,
        TrailingEntries = 4,
        HeartbeatTicks = 2,
        ElectionTicks = 10,
    };

    public KvorumNode Node { get; }

    /// <summary>A connection to the peer works from now on.</summary>
    public void Meet(ulong peer, ulong incarnation)
    {
        Assert.NotNull(_gate);
        var refusal = _gate.Judge(new PeerHello(Cluster, peer, Id, incarnation, 0));
        ThrowIfDead();
        Assert.Null(refusal);
        _gate.Connected(peer);
        Settle();
    }

    public void Deliver(Message message)
    {
        Assert.NotNull(_gate);
        var frame = new ArrayBufferWriter<byte>();
        MessageCodec.Encode(message, frame);
        Assert.True(_gate.Receive(message.From.Value, frame.WrittenSpan.ToArray()));
        Settle();
    }

    public void Tick()
    {
        _time.Advance(Options.TickInterval);
        _executor.WakeTickers();
        Settle();
    }

    /// <summary>Everything that can be done without time or a message has been done.</summary>
    public void Settle()
    {
        _executor.Run();
        ThrowIfDead();
        Assert.False(Node.Stopped.IsCompleted, $"The node stopped by itself: {Node.Stopped.Exception}");
    }

    /// <summary>Stops in order.</summary>
    public void Stop()
    {
        var stop = Node.StopAsync(TimeSpan.Zero);
        Assert.True(stop.IsCompleted, "Nothing is waited for.");
        ThrowIfDead();
        Assert.True(stop.IsCompletedSuccessfully, $"{stop.Exception}");
    }

    void ITransport.Send(ulong peer, ReadOnlySpan<byte> frame)
    {
        Assert.True(MessageCodec.TryDecode(frame.ToArray(), out var message, out var error), error);
        _sent(message!); // Decoded, as was just asserted.
    }

    void ITransport.Start(PeerGate gate) => _gate = gate;

    void ITransport.SetPeers(IReadOnlyList<MemberAddress> peers)
    {
        // The test speaks for whom it likes.
    }

    ValueTask ITransport.StopAsync() => ValueTask.CompletedTask;

    private void ThrowIfDead()
    {
        if (_disk.IsDead)
        {
            throw new PowerFailureException();
        }
    }
}
