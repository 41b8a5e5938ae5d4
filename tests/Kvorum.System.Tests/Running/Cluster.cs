using System.Diagnostics;

namespace Kvorum.SystemTests.Running;

/// <summary>A cluster of real processes with real logs on disk, gone without trace when disposed.</summary>
public sealed class Cluster : IDisposable
{
    private const int LogLinesShown = 60;
    private const string SegmentFlag = "--wal-segment-bytes";

    /// <summary>Segments are filled with zeros when made; small ones make tests start at once.</summary>
    private static readonly string[] SmallSegments = [SegmentFlag, "4MiB"];

    private const int NodesMax = 8;

    private readonly TemporaryDirectory _directory = new();
    private readonly string[] _flags;
    private readonly int _firstPort;
    private volatile ClusterNode[] _nodes;
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false });

    private Cluster(int count, Func<string, string>? dataDirOf, string[] flags)
    {
        _flags = flags;
        _firstPort = FreePorts.Block(2 * NodesMax);
        _nodes = [.. Enumerable.Range(0, count).Select(i => NodeAt(i, _firstPort + (2 * i), dataDirOf, flags))];
        Members = string.Join(',', Nodes.Select(node => $"{node.Name}={node.PeerUrl}"));
    }

    /// <summary>Every node there ever was, in the order of their numbers.</summary>
    public IReadOnlyList<ClusterNode> Nodes => _nodes;

    public IEnumerable<ClusterNode> Running => Nodes.Where(node => node.IsRunning);

    private string Members { get; }

    /// <summary>
    /// Runs a story on a fresh cluster whose nodes are all started; a failure prints the nodes' logs.
    /// </summary>
    public static Task RunAsync(int count, Func<Cluster, Task> story, params string[] flags) =>
        RunAsync(count, story, dataDirOf: null, flags);

    /// <param name="dataDirOf">Where a node keeps its data, by name; null for a directory of the cluster's own.</param>
    public static async Task RunAsync(
        int count, Func<Cluster, Task> story, Func<string, string>? dataDirOf, params string[] flags)
    {
        using var cluster = new Cluster(count, dataDirOf, flags);
        try
        {
            foreach (var node in cluster.Nodes)
            {
                node.Start();
            }

            await story(cluster);
        }
        catch (Exception e)
        {
            throw new ClusterStoryException(e, cluster.Logs());
        }
    }

    /// <summary>The node all running nodes take for their leader.</summary>
    public async Task<ClusterNode> LeaderAsync(TimeSpan? limit = null) =>
        await Wait.ForAsync("one leader that all running nodes follow", limit ?? Wait.Usual, async () =>
        {
            var states = await Task.WhenAll(Running.Select(node => node.StateAsync()));
            var leader = states.FirstOrDefault(state => state is { IsLeader: true })?.Id;
            return leader is not null && states.All(state => state?.Leader == leader)
                ? Nodes.Single(node => node.Name == leader)
                : null;
        });

    /// <summary>A node more, not started: it joins by itself, or (existing) is told whom to ask.</summary>
    public ClusterNode Add(bool existing = false)
    {
        var (i, port) = (_nodes.Length, _firstPort + (2 * _nodes.Length));
        var name = $"n{i + 1}";
        var urls = string.Join(',', Running.Select(node => node.ClientUrl));
        var members = $"{Members},{name}=http://127.0.0.1:{port + 1}";
        string[] how = existing
            ? ["--initial-cluster-state", "existing", "--initial-cluster", members]
            : ["--join", urls];
        var node = new ClusterNode(name, port, _directory.At(name), _http, node => Serve(node, _flags, how));
        _nodes = [.. _nodes, node];
        return node;
    }

    /// <summary>A node more that joins.</summary>
    public ClusterNode Join()
    {
        var node = Add();
        node.Start();
        return node;
    }

    /// <summary>Waits until a node votes, as the members say.</summary>
    public Task VotesAsync(ClusterNode node) =>
        Wait.UntilAsync($"{node.Name} as a voter", Wait.Usual, async () => (await VotersAsync()).Contains(node.Name));

    /// <summary>A joint change has the old voters in it, too, until its second half is done.</summary>
    public Task VotesNoMoreAsync(ClusterNode node) => Wait.UntilAsync(
        $"{node.Name} as a voter no more", Wait.Usual, async () => !(await VotersAsync()).Contains(node.Name));

    /// <summary>The voters' names, as the first running node that answers tells.</summary>
    public Task<string[]> VotersAsync() => Wait.ForAsync("the list of members", Wait.Usual, async () =>
    {
        foreach (var node in Running)
        {
            var (status, body) = await node.SendAsync(HttpMethod.Get, "/v1/members");
            if (status == 200)
            {
                using var document = System.Text.Json.JsonDocument.Parse(body);
                return document.RootElement.GetProperty("members").EnumerateArray()
                    .Where(member => member.GetProperty("kind").GetString() is "voter" or "leaving")
                    .Select(member => member.GetProperty("name").GetString() ?? "")
                    .ToArray();
            }
        }

        return null;
    });

    public async Task<ClusterNode> FollowerAsync()
    {
        var leader = await LeaderAsync();
        return Running.First(node => node != leader);
    }

    /// <summary>
    /// All running nodes have applied the same index, and say so with equal hashes. Call when nothing is being written.
    /// </summary>
    public Task<string> ConvergeAsync() =>
        Wait.ForAsync("all running nodes at one applied index", Wait.Usual, async () =>
        {
            var states = await Task.WhenAll(Running.Select(node => node.StateAsync()));
            var isEven = states.All(state => state is not null)
                && states.Select(state => state?.CommitIndex).Distinct().Count() == 1
                && states.All(state => state?.LastApplied == state?.CommitIndex)
                && states.Select(state => state?.StateHashIndex).Distinct().Count() == 1;
            if (!isEven)
            {
                return null;
            }

            // Equal index, hence equal state: a difference here is never a matter of waiting.
            Assert.Single(states.Select(state => state?.StateHash).Distinct());
            return states[0]?.StateHash;
        });

    /// <summary>
    /// kill -9 of the leader, then a write on a node that is left, tried until it succeeds; how long that took.
    /// </summary>
    public async Task<TimeSpan> KillLeaderAndWriteAsync(string key, string value)
    {
        var leader = await LeaderAsync();
        var left = Nodes.First(node => node.IsRunning && node != leader);
        var clock = Stopwatch.StartNew();
        leader.Kill();
        await Wait.UntilAsync("a write on a node that is left", TimeSpan.FromSeconds(15), async () =>
        {
            var (status, _) = await left.SendAsync(HttpMethod.Put, $"/v1/kv/{key}", value, idempotencyKey: $"failover-{key}");
            return status == 204;
        });
        return clock.Elapsed;
    }

    public string Logs() => string.Join(
        "\n",
        Nodes.Select(node =>
        {
            var lines = node.Log.Split('\n').TakeLast(LogLinesShown);
            return $"--- {node.Name} ({(node.IsRunning ? "running" : "not running")})\n{string.Join('\n', lines)}";
        }));

    public void Dispose()
    {
        foreach (var node in Nodes)
        {
            node.Dispose();
        }

        _http.Dispose();
        _directory.Dispose();
    }

    private ClusterNode NodeAt(int i, int clientPort, Func<string, string>? dataDirOf, string[] flags)
    {
        var name = $"n{i + 1}";
        var dataDir = dataDirOf?.Invoke(name) ?? _directory.At(name);
        return new ClusterNode(
            name, clientPort, dataDir, _http, node => Serve(node, flags, ["--initial-cluster", Members]));
    }

    private static IReadOnlyList<string> Serve(ClusterNode node, string[] flags, string[] cluster) =>
    [
        "serve",
        "--exit-when-stdin-closes", // No process outlives a killed test run.
        "--name", node.Name,
        "--data-dir", node.DataDir,
        "--listen-client-urls", node.ClientUrl,
        "--listen-peer-urls", node.PeerUrl,
        .. cluster,
        .. flags.Contains(SegmentFlag) ? [] : SmallSegments,
        .. flags,
    ];
}

/// <summary>A failure in a story, with what the nodes logged last.</summary>
public sealed class ClusterStoryException(Exception inner, string logs)
    : Exception($"{inner.Message}\n{inner.StackTrace}\n{logs}", inner);
