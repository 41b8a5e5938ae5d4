using Kvorum.Node;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>A node with its listeners: peers and clients.</summary>
public sealed class KvorumServer : IAsyncDisposable
{
    private readonly ServerContext _context;
    private readonly PeerTransport _transport;
    private readonly WebApplication _peers;
    private readonly WebApplication _clients;
    private readonly MembershipWatch _watch;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _watchStop = new();
    private readonly Lock _stopLock = new();
    private Task _watching = Task.CompletedTask;
    private Task? _stopping;

    private KvorumServer(
        KvorumNode node, ServerContext context, PeerTransport transport, WebApplication peers, WebApplication clients,
        MembershipWatch watch, ILogger logger)
    {
        Node = node;
        _context = context;
        _transport = transport;
        _peers = peers;
        _clients = clients;
        _watch = watch;
        _logger = logger;
    }

    public KvorumNode Node { get; }

    /// <summary>Where clients are served: the listen URLs, with the ports chosen where they said 0.</summary>
    public IReadOnlyList<Uri> ClientUrls => [.. _clients.Urls.Select(url => new Uri(url))];

    /// <summary>Ends when the node stopped by itself, with the exception that says why.</summary>
    public Task Stopped => Node.Stopped;

    /// <summary>
    /// Ends when this node was removed from its cluster, with a message that says so and what to do; the server still
    /// runs then, and its caller should stop it.
    /// </summary>
    public Task<string> Removed => _watch.Removed;

    /// <summary>Opens the node and its ports; returns when both listen.</summary>
    /// <remarks>
    /// Checks first whether the ports are free, then asks to be admitted where a new directory joins a cluster (which
    /// may take a minute), then opens the data directory, then the ports.
    /// </remarks>
    /// <exception cref="ArgumentException">An option is wrong; the message names it and what was expected.</exception>
    /// <exception cref="IOException">
    /// A port is busy, the data directory cannot be used, or the cluster does not take this node in; the message says
    /// which and why.
    /// </exception>
    public static async Task<KvorumServer> StartAsync(
        ServerOptions options, ILoggerFactory loggers, CancellationToken cancel)
    {
        OptionCheck.Validate(options);
        Listeners.RequireFree("listen-client-urls", options.ListenClientUrls);
        Listeners.RequireFree("listen-peer-urls", options.ListenPeerUrls);

        var time = TimeProvider.System;
        var logger = loggers.CreateLogger<KvorumServer>();
        var note = await new Admission(options, logger, time).DecideAsync(cancel).ConfigureAwait(false);
        var transport = new PeerTransport(
            new PeerTransportOptions
            {
                ClusterId = note.ClusterId,
                Node = note.Node,
                Peers = [.. note.Members.Where(member => member.Node != note.Node)],
                AdvertiseClientUrls = options.AdvertiseClientUrls,
            },
            loggers.CreateLogger<PeerTransport>(),
            time);
        var node = await Task.Run(() => KvorumNode.Open(NodeOptionsOf(options, note), transport, time, loggers), cancel)
            .ConfigureAwait(false);

        var context = new ServerContext(
            node, node.Metrics, options, note.Members, transport.ClientUrlOf, time, () => transport.FramesDropped);
        var watch = new MembershipWatch(node, options, transport.ThoseWhoDisownThisNode, logger, time);
        var peers = Listeners.BuildPeers(options.ListenPeerUrls, transport, loggers);
        var clients = Listeners.BuildClients(options.ListenClientUrls, loggers);
        var server = new KvorumServer(node, context, transport, peers, clients, watch, logger);
        try
        {
            RouteTable.Map(clients, context);
            await Listeners.StartAsync(peers, "listen-peer-urls", options.ListenPeerUrls, cancel).ConfigureAwait(false);
            await Listeners.StartAsync(clients, "listen-client-urls", options.ListenClientUrls, cancel)
                .ConfigureAwait(false);
            server._watching = watch.RunAsync(server._watchStop.Token);
            server._logger.Serving(options.Name, string.Join(", ", clients.Urls), string.Join(", ", peers.Urls));
            return server;
        }
        catch
        {
            await server.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Stops taking requests, hands leadership over, closes everything.</summary>
    public Task StopAsync()
    {
        lock (_stopLock)
        {
            return _stopping ??= StopOnceAsync();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync().ConfigureAwait(false);

    private async Task StopOnceAsync()
    {
        _logger.Draining(_context.Options.Name);
        _context.BeginDraining();
        await _watchStop.CancelAsync().ConfigureAwait(false);
        await _watching.ConfigureAwait(false);
        await _clients.StopAsync().ConfigureAwait(false);
        await Node.StopAsync(ServerLimits.HandOverTimeout).ConfigureAwait(false);
        await _transport.StopAsync().ConfigureAwait(false);
        await _peers.StopAsync().ConfigureAwait(false);
        await _clients.DisposeAsync().ConfigureAwait(false);
        await _peers.DisposeAsync().ConfigureAwait(false);
        await Node.DisposeAsync().ConfigureAwait(false);
        _watchStop.Dispose();
        _context.Dispose();
    }

    private static NodeOptions NodeOptionsOf(ServerOptions options, MemberNote note)
    {
        var tick = ServerLimits.TickInterval;
        return new NodeOptions
        {
            Name = options.Name,
            Node = note.Node,
            ClusterId = note.ClusterId,
            Voters = note.IsJoined ? [] : [.. note.Members.Select(member => member.Node)],
            InitialMembers =
            [
                .. note.Members.Select(member => new MemberAddress(
                    member.Node, member.Name, member.PeerUrl?.AbsoluteUri.TrimEnd('/') ?? "", [])),
            ],
            IsJoining = note.IsJoined,
            DataPath = options.DataPath,
            TickInterval = tick,
            HeartbeatTicks = (int)(options.HeartbeatInterval / tick),
            ElectionTicks = (int)(options.ElectionTimeout / tick),
            SnapshotLogBytes = options.SnapshotLogBytes,
            TrailingEntries = options.TrailingEntries,
            WalSegmentBytes = options.WalSegmentBytes,
            SnapshotBytesPerSecond = options.SnapshotBytesPerSecond,
            SlowSyncMax = options.SlowSyncMax,
        };
    }
}
