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
    private readonly ILogger _logger;
    private readonly Lock _stopLock = new();
    private Task? _stopping;

    private KvorumServer(
        KvorumNode node, ServerContext context, PeerTransport transport, WebApplication peers, WebApplication clients,
        ILogger logger)
    {
        Node = node;
        _context = context;
        _transport = transport;
        _peers = peers;
        _clients = clients;
        _logger = logger;
    }

    public KvorumNode Node { get; }

    /// <summary>Where clients are served: the listen URLs, with the ports chosen where they said 0.</summary>
    public IReadOnlyList<Uri> ClientUrls => [.. _clients.Urls.Select(url => new Uri(url))];

    /// <summary>Ends when the node stopped by itself, with the exception that says why.</summary>
    public Task Stopped => Node.Stopped;

    /// <summary>Opens the node and its ports; returns when both listen.</summary>
    /// <remarks>Checks first whether the ports are free, then opens the data directory, then the ports.</remarks>
    /// <exception cref="ArgumentException">An option is wrong; the message names it and what was expected.</exception>
    /// <exception cref="IOException">
    /// A port is busy, or the data directory cannot be used; the message says which and why.
    /// </exception>
    public static async Task<KvorumServer> StartAsync(
        ServerOptions options, ILoggerFactory loggers, CancellationToken cancel)
    {
        OptionCheck.Validate(options);
        Listeners.RequireFree("listen-client-urls", options.ListenClientUrls);
        Listeners.RequireFree("listen-peer-urls", options.ListenPeerUrls);

        var time = TimeProvider.System;
        var members = MembersOf(options);
        var clusterId = ServerIdentity.ClusterId(options.InitialClusterToken, options.InitialCluster);
        var self = members.Single(member => member.Name == options.Name);
        var transport = new PeerTransport(
            new PeerTransportOptions
            {
                ClusterId = clusterId,
                Node = self.Node,
                Peers = [.. members.Where(member => member != self)],
                AdvertiseClientUrls = options.AdvertiseClientUrls,
            },
            loggers.CreateLogger<PeerTransport>(),
            time);
        var nodeOptions = NodeOptionsOf(options, clusterId, self.Node, members);
        var node = await Task.Run(() => KvorumNode.Open(nodeOptions, transport, time, loggers), cancel)
            .ConfigureAwait(false);

        var context = new ServerContext(
            node, node.Metrics, options, members, transport.ClientUrlOf, time, () => transport.FramesDropped);
        var peers = Listeners.BuildPeers(options.ListenPeerUrls, transport, loggers);
        var clients = Listeners.BuildClients(options.ListenClientUrls, loggers);
        var server = new KvorumServer(
            node, context, transport, peers, clients, loggers.CreateLogger<KvorumServer>());
        try
        {
            RouteTable.Map(clients, context);
            await Listeners.StartAsync(peers, "listen-peer-urls", options.ListenPeerUrls, cancel).ConfigureAwait(false);
            await Listeners.StartAsync(clients, "listen-client-urls", options.ListenClientUrls, cancel)
                .ConfigureAwait(false);
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
        await _clients.StopAsync().ConfigureAwait(false);
        await Node.StopAsync(ServerLimits.HandOverTimeout).ConfigureAwait(false);
        await _transport.StopAsync().ConfigureAwait(false);
        await _peers.StopAsync().ConfigureAwait(false);
        await _clients.DisposeAsync().ConfigureAwait(false);
        await _peers.DisposeAsync().ConfigureAwait(false);
        await Node.DisposeAsync().ConfigureAwait(false);
    }

    private static ServerMember[] MembersOf(ServerOptions options) =>
    [
        .. options.InitialCluster
            .OrderBy(member => member.Name, StringComparer.Ordinal)
            .Select(member => new ServerMember(
                member.Name, ServerIdentity.NodeId(options.InitialClusterToken, member.Name), member.PeerUrl)),
    ];

    private static NodeOptions NodeOptionsOf(
        ServerOptions options, ulong clusterId, ulong self, IReadOnlyList<ServerMember> members)
    {
        var tick = ServerLimits.TickInterval;
        return new NodeOptions
        {
            Name = options.Name,
            Node = self,
            ClusterId = clusterId,
            Voters = [.. members.Select(member => member.Node)],
            DataPath = options.DataPath,
            TickInterval = tick,
            HeartbeatTicks = (int)(options.HeartbeatInterval / tick),
            ElectionTicks = (int)(options.ElectionTimeout / tick),
            SnapshotLogBytes = options.SnapshotLogBytes,
            TrailingEntries = options.TrailingEntries,
            WalSegmentBytes = options.WalSegmentBytes,
        };
    }
}
