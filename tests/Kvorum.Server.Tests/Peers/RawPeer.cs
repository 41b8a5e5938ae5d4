using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Peers;

/// <summary>A peer played byte by byte, for what a transport would never send.</summary>
internal sealed class RawPeer : IDisposable
{
    private readonly Socket _socket;

    private RawPeer(Socket socket)
    {
        _socket = socket;
        Stream = new NetworkStream(socket, ownsSocket: true);
        Input = PipeReader.Create(Stream);
    }

    public NetworkStream Stream { get; }

    public PipeReader Input { get; }

    public static async Task<RawPeer> ConnectAsync(int port)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(IPAddress.Loopback, port, TestContext.Current.CancellationToken);
        return new RawPeer(socket);
    }

    public static async Task<RawPeer> AcceptAsync(TcpListener listener) =>
        new(await listener.AcceptSocketAsync(TestContext.Current.CancellationToken).AsTask()
            .WaitAsync(TestNode.Patience));

    /// <summary>Connects as <paramref name="node"/> and is welcomed by <paramref name="to"/>.</summary>
    public static async Task<RawPeer> WelcomedAsync(TestNode to, ulong node)
    {
        var peer = await ConnectAsync(to.Port);
        await peer.SendAsync(Speaker(node, to.Node));
        var (verdict, _) = await peer.ReadAnswerAsync();
        Assert.Equal(PeerVerdict.Welcome, verdict);
        return peer;
    }

    public static byte[] Speaker(
        ulong node, ulong to, ulong clusterId = TestNode.ClusterId, string urls = "http://raw.test:1") =>
        PeerWire.EncodeSpeaker(new PeerHello(clusterId, node, to, 7, 0), urls);

    public static byte[] Frame(params byte[] payload)
    {
        var frame = new byte[PeerWire.FrameHeaderBytes + payload.Length];
        PeerWire.WriteFrameHeader(frame, payload);
        payload.CopyTo(frame, PeerWire.FrameHeaderBytes);
        return frame;
    }

    public static byte[] FrameHeader(int length)
    {
        var header = new byte[PeerWire.FrameHeaderBytes];
        BinaryPrimitives.WriteInt32LittleEndian(header, length);
        return header;
    }

    public async Task SendAsync(byte[] bytes) => await Stream.WriteAsync(bytes, TestContext.Current.CancellationToken);

    /// <summary>The verdict, and the reason when it is a refusal.</summary>
    public async Task<(PeerVerdict Verdict, string Reason)> ReadAnswerAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        var header = await PeerHandshake.ReadExactlyAsync(Input, PeerWire.AnswerHeaderBytes, patience.Token);
        Assert.True(PeerWire.TryDecodeAnswerHeader(header, out var verdict, out var error), error);
        if (verdict is PeerVerdict.Welcome)
        {
            var heard = await PeerHandshake.ReadSpeakerAsync(Input, patience.Token);
            Assert.Null(heard.Error);
            return (verdict, "");
        }

        var reason = await PeerHandshake.ReadTextAsync(Input, patience.Token);
        Assert.NotNull(reason);
        return (verdict, reason);
    }

    /// <summary>Completes when the other end closes; fails when it sends something instead.</summary>
    public async Task WaitForCloseAsync()
    {
        using var patience = new CancellationTokenSource(TestNode.Patience);
        try
        {
            var result = await Input.ReadAsync(patience.Token);
            Assert.True(result.Buffer.IsEmpty && result.IsCompleted, "Bytes came where the end was expected.");
        }
        catch (IOException)
        {
            // A reset is an end too.
        }
    }

    public void Dispose() => Stream.Dispose();
}
