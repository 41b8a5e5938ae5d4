using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Kvorum.Node;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Tests.Peers;

/// <summary>A transport with a real peer port on loopback, and a gate that records instead of a replica.</summary>
internal sealed class TestNode : IAsyncDisposable
{
    public const ulong ClusterId = 0xC1;
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private const int PortFirst = 10_000;
    private const int PortCount = 10_000;

    private static int _lastPort = Random.Shared.Next(PortCount);

    private readonly Channel<(ulong Peer, byte[] Frame)> _frames = Channel.CreateUnbounded<(ulong, byte[])>();
    private readonly Channel<(ulong Peer, bool IsUp)> _changes = Channel.CreateUnbounded<(ulong, bool)>();
    private readonly WebApplication _listener;

    private TestNode(
        ulong node, int port, IReadOnlyDictionary<ulong, int> ports, ulong clusterId, Func<PeerHello, string?>? judge,
        TimeSpan handshakeTimeout)
    {
        Node = node;
        Port = port;
        Peers = [.. ports.Where(pair => pair.Key != node).Select(pair => Member(pair.Key, pair.Value))];
        Transport = new PeerTransport(
            new PeerTransportOptions
            {
                ClusterId = clusterId,
                Node = node,
                Peers = Peers,
                AdvertiseClientUrls = [new Uri($"http://client-{node}.test:2379/"), new Uri("http://other.test:1/")],
                HandshakeTimeout = handshakeTimeout,
            },
            Logs.CreateLogger("peers"),
            TimeProvider.System);
        Gate = new PeerGate(
            peer => new PeerHello(clusterId, node, peer, node * 100, 0),
            judge ?? JudgeByList,
            (peer, isUp) => _changes.Writer.TryWrite((peer, isUp)),
            (peer, frame) => OnFrame(peer, frame));
        _listener = Listeners.BuildPeers([new Uri($"http://127.0.0.1:{port}")], Transport, Logs);
    }

    /// <summary>Judged as members beside the peers of the start; what a node's ledger knows.</summary>
    public HashSet<ulong> Known { get; } = [];

    /// <summary>Judged as no members, whatever the list of peers says.</summary>
    public HashSet<ulong> Disowned { get; } = [];

    public ulong Node { get; }

    public int Port { get; }

    public ServerMember[] Peers { get; }

    public RecordingLoggers Logs { get; } = new();

    public PeerTransport Transport { get; }

    public PeerGate Gate { get; }

    /// <summary>What the gate answers to a frame; true unless a test says otherwise.</summary>
    public Func<ReadOnlyMemory<byte>, bool> Accepts { get; set; } = _ => true;

    /// <summary>Counts frames instead of keeping them, for measuring.</summary>
    public Action<ReadOnlyMemory<byte>>? Measure { get; set; }

    public static ServerMember Member(ulong node, int port) =>
        new($"n{node}", node, new Uri($"http://127.0.0.1:{port}"));

    public static async Task<TestNode> StartAsync(
        ulong node,
        IReadOnlyDictionary<ulong, int> ports,
        ulong clusterId = ClusterId,
        Func<PeerHello, string?>? judge = null,
        TimeSpan? handshakeTimeout = null)
    {
        var started = new TestNode(
            node, ports[node], ports, clusterId, judge, handshakeTimeout ?? PeerLimits.HandshakeTimeout);
        await started.StartAsync();
        return started;
    }

    /// <summary>Not started yet.</summary>
    public static TestNode Create(ulong node, IReadOnlyDictionary<ulong, int> ports) =>
        new(node, ports[node], ports, ClusterId, judge: null, PeerLimits.HandshakeTimeout);

    public async Task StartAsync()
    {
        await _listener.StartAsync(TestContext.Current.CancellationToken);
        Transport.Start(Gate);
    }

    /// <summary>
    /// Ports nobody listens on, by node, each given once: from below the range the system gives to connections, where a
    /// port may be taken between the question and the listener.
    /// </summary>
    public static Dictionary<ulong, int> FreePorts(int count)
    {
        var ports = new Dictionary<ulong, int>();
        while (ports.Count < count)
        {
            var port = PortFirst + (int)((uint)Interlocked.Increment(ref _lastPort) % PortCount);
            if (IsFree(port))
            {
                ports.Add((ulong)ports.Count + 1, port);
            }
        }

        return ports;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    public async Task<(ulong Peer, byte[] Frame)> NextFrameAsync() =>
        await _frames.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience);

    public async Task<(ulong Peer, bool IsUp)> NextChangeAsync() =>
        await _changes.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience);

    public bool HasFrame => _frames.Reader.Count > 0;

    public bool HasChange => _changes.Reader.Count > 0;

    /// <summary>Closes the listener and every connection, as the end of a process would.</summary>
    public async ValueTask DisposeAsync()
    {
        await Transport.StopAsync();
        await _listener.StopAsync(TestContext.Current.CancellationToken);
        await _listener.DisposeAsync();
    }

    private string? JudgeByList(PeerHello hello) =>
        (Peers.Any(peer => peer.Node == hello.Node) || Known.Contains(hello.Node)) && !Disowned.Contains(hello.Node)
            ? null
            : $"node id {hello.Node:x16} is not a member of this cluster";

    private bool OnFrame(ulong peer, ReadOnlyMemory<byte> frame)
    {
        if (Measure is { } measure)
        {
            measure(frame);
            return true;
        }

        _frames.Writer.TryWrite((peer, frame.ToArray()));
        return Accepts(frame);
    }
}

/// <summary>Keeps every message, and lets a test wait for one.</summary>
internal sealed class RecordingLoggers : ILoggerFactory, ILogger
{
    private readonly ConcurrentQueue<string> _messages = new();
    private readonly SemaphoreSlim _added = new(0);

    public IReadOnlyCollection<string> Messages => _messages;

    public async Task<string> WaitForAsync(string part)
    {
        while (true)
        {
            if (_messages.FirstOrDefault(message => message.Contains(part, StringComparison.Ordinal)) is { } found)
            {
                return found;
            }

            if (!await _added.WaitAsync(TestNode.Patience, TestContext.Current.CancellationToken))
            {
                throw new TimeoutException($"No message with \"{part}\"; there are: {string.Join(" | ", _messages)}");
            }
        }
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new InvalidOperationException("There are no providers.");

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        _messages.Enqueue($"{logLevel} {formatter(state, exception)} {exception?.Message}");
        _added.Release();
    }

    public void Dispose() => _added.Dispose();
}
