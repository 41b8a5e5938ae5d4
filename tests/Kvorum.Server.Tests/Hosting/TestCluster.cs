using Kvorum.Server.Tests.Peers;

namespace Kvorum.Server.Tests.Hosting;

/// <summary>
/// Real servers in this process: real ports on loopback, real files in a directory that is deleted at the end.
/// </summary>
internal sealed class TestCluster : IAsyncDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("kvorum-server-");
    private readonly Dictionary<ulong, int> _peerPorts;
    private readonly Dictionary<ulong, int> _clientPorts;

    public TestCluster(int nodes)
    {
        var ports = TestNode.FreePorts(2 * nodes);
        _peerPorts = ports.Where(pair => pair.Key <= (ulong)nodes).ToDictionary();
        _clientPorts = ports.Where(pair => pair.Key > (ulong)nodes)
            .ToDictionary(pair => pair.Key - (ulong)nodes, pair => pair.Value);
    }

    public RecordingLoggers Logs { get; } = new();

    public HttpClient Http { get; } = new() { Timeout = TestNode.Patience };

    public List<KvorumServer> Servers { get; } = [];

    public int ClientPort(int node) => _clientPorts[(ulong)node];

    public int PeerPort(int node) => _peerPorts[(ulong)node];

    public ServerOptions Options(int node) => new()
    {
        Name = $"n{node}",
        DataPath = Path.Combine(_directory.FullName, $"n{node}"),
        ListenClientUrls = [new Uri($"http://127.0.0.1:{ClientPort(node)}")],
        AdvertiseClientUrls = [new Uri($"http://127.0.0.1:{ClientPort(node)}")],
        ListenPeerUrls = [new Uri($"http://127.0.0.1:{PeerPort(node)}")],
        InitialCluster =
        [
            .. _peerPorts.Select(pair =>
                new ClusterMember($"n{pair.Key}", new Uri($"http://127.0.0.1:{pair.Value}"))),
        ],
        HeartbeatInterval = TimeSpan.FromMilliseconds(50),
        ElectionTimeout = TimeSpan.FromMilliseconds(500),
        WalSegmentBytes = 8 * 1024 * 1024,
    };

    public async Task<KvorumServer> StartAsync(ServerOptions options)
    {
        var server = await KvorumServer.StartAsync(options, Logs, TestContext.Current.CancellationToken);
        Servers.Add(server);
        return server;
    }

    public async Task StartAllAsync()
    {
        for (var node = 1; node <= _peerPorts.Count; node++)
        {
            await StartAsync(Options(node));
        }
    }

    public Uri Url(int node, string path) => new($"http://127.0.0.1:{ClientPort(node)}{path}");

    public async Task<(int Status, string Body)> GetAsync(int node, string path)
    {
        using var response = await Http.GetAsync(Url(node, path), TestContext.Current.CancellationToken);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        return ((int)response.StatusCode, body);
    }

    /// <summary>
    /// Asks again until the node answers with <paramref name="status"/>; each question waits in the node itself.
    /// </summary>
    public Task<string> GetUntilAsync(int node, string path, int status) =>
        GetUntilAsync(node, path, (found, _) => found == status);

    /// <summary>Asks again until the answer is as it should be.</summary>
    public Task<string> GetUntilAsync(int node, string path, Func<string, bool> isRight) =>
        GetUntilAsync(node, path, (found, body) => found == 200 && isRight(body));

    private async Task<string> GetUntilAsync(int node, string path, Func<int, string, bool> isRight)
    {
        var asked = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var (found, body) = await GetAsync(node, path);
            if (isRight(found, body))
            {
                return body;
            }

            if (TimeProvider.System.GetElapsedTime(asked) > TestNode.Patience)
            {
                throw new TimeoutException($"{path} answers {found}: {body}");
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var server in Servers)
        {
            await server.DisposeAsync();
        }

        Http.Dispose();
        Logs.Dispose();
        _directory.Delete(recursive: true);
    }
}
