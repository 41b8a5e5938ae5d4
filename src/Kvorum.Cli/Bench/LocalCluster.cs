using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Kvorum.Node;
using Kvorum.Server;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Bench;

/// <summary>Three nodes in this process: real logs in a directory, real connections over loopback.</summary>
internal sealed class LocalCluster : IAsyncDisposable
{
    public const int Nodes = 3;

    private static readonly TimeSpan LeaderWaitMax = TimeSpan.FromSeconds(30);

    private readonly ServerOptions[] _options;
    private readonly ILoggerFactory _loggers;
    private readonly KvorumServer?[] _servers = new KvorumServer?[Nodes];

    private LocalCluster(ServerOptions[] options, ILoggerFactory loggers)
    {
        _options = options;
        _loggers = loggers;
    }

    public IEnumerable<KvorumNode> Running => _servers.OfType<KvorumServer>().Select(server => server.Node);

    public static async Task<LocalCluster> StartAsync(
        string directory, ILoggerFactory loggers, CancellationToken cancel)
    {
        var cluster = new LocalCluster(Options(directory), loggers);
        try
        {
            for (var i = 0; i < Nodes; i++)
            {
                await cluster.StartNodeAsync(i, cancel).ConfigureAwait(false);
            }

            await cluster.LeaderAsync(cancel).ConfigureAwait(false);
            return cluster;
        }
        catch
        {
            await cluster.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>The node that leads and is known to lead by all others.</summary>
    public async Task<KvorumNode> LeaderAsync(CancellationToken cancel)
    {
        var began = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(began) < LeaderWaitMax)
        {
            var leader = Running.FirstOrDefault(node => node.Status.Role == NodeRole.Leader);
            if (leader is not null && Running.All(node => node.Status.Leader == leader.Status.Node))
            {
                return leader;
            }

            await Task.Delay(TimeSpan.FromMilliseconds(10), cancel).ConfigureAwait(false);
        }

        throw new CommandFailedException(ExitCode.Broken, $"No leader within {LeaderWaitMax.TotalSeconds} s.");
    }

    /// <summary>The number of a node that follows.</summary>
    public async Task<int> FollowerAsync(CancellationToken cancel)
    {
        var leader = await LeaderAsync(cancel).ConfigureAwait(false);
        return Array.FindIndex(_servers, server => server is not null && server.Node != leader);
    }

    public async Task StopNodeAsync(int number)
    {
        if (_servers[number] is { } server)
        {
            _servers[number] = null;
            await server.DisposeAsync().ConfigureAwait(false);
        }
    }

    public async Task<KvorumNode> StartNodeAsync(int number, CancellationToken cancel)
    {
        var server = await KvorumServer.StartAsync(_options[number], _loggers, cancel).ConfigureAwait(false);
        _servers[number] = server;
        return server.Node;
    }

    public async ValueTask DisposeAsync()
    {
        for (var i = 0; i < Nodes; i++)
        {
            await StopNodeAsync(i).ConfigureAwait(false);
        }
    }

    private static ServerOptions[] Options(string directory)
    {
        var ports = FreePorts(2 * Nodes);
        var members = Enumerable.Range(0, Nodes)
            .Select(i => new ClusterMember($"n{i + 1}", Local(ports[(2 * i) + 1])))
            .ToArray();
        return [.. members.Select((member, i) => new ServerOptions
        {
            Name = member.Name,
            DataPath = Path.Combine(directory, member.Name),
            ListenClientUrls = [Local(ports[2 * i])],
            AdvertiseClientUrls = [Local(ports[2 * i])],
            ListenPeerUrls = [member.PeerUrl],
            InitialCluster = members,
            InitialClusterToken = $"bench-{Environment.ProcessId}",
        })];
    }

    private static Uri Local(int port) => new($"http://127.0.0.1:{port}");

    /// <summary>
    /// Ports the system gave out a moment ago; all are held until the last is known, so that they differ.
    /// </summary>
    private static int[] FreePorts(int count)
    {
        var listeners = Enumerable.Range(0, count).Select(_ => new TcpListener(IPAddress.Loopback, 0)).ToArray();
        try
        {
            return [.. listeners.Select(listener =>
            {
                listener.Start();
                return ((IPEndPoint)listener.LocalEndpoint).Port;
            })];
        }
        finally
        {
            foreach (var listener in listeners)
            {
                listener.Dispose();
            }
        }
    }
}
