using System.Text;
using Kvorum.Kv;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>Nodes 1 to N in this process, with real directories and a network of method calls.</summary>
internal sealed class TestCluster : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly SortedDictionary<ulong, KvorumNode> _nodes = [];
    private readonly string _root = Directory.CreateTempSubdirectory("kvorum-node-").FullName;
    private readonly int _size;
    private ulong _incarnation;

    public TestCluster(int size, Func<NodeOptions, NodeOptions>? configure = null)
    {
        _size = size;
        Configure = configure ?? (options => options);
    }

    public MemoryNetwork Network { get; } = new();

    public Func<NodeOptions, NodeOptions> Configure { get; }

    public IEnumerable<KvorumNode> Nodes => _nodes.Values;

    public KvorumNode this[ulong node] => _nodes[node];

    public static async Task<TestCluster> StartAsync(int size, Func<NodeOptions, NodeOptions>? configure = null)
    {
        var cluster = new TestCluster(size, configure);
        for (var node = 1UL; node <= (ulong)size; node++)
        {
            cluster.Start(node);
        }

        await cluster.LeaderAsync();
        return cluster;
    }

    public string PathOf(ulong node) => Path.Combine(_root, $"n{node}");

    public NodeOptions OptionsOf(ulong node) => Configure(new NodeOptions
    {
        Name = $"n{node}",
        Node = node,
        ClusterId = 77,
        Voters = [.. Enumerable.Range(1, _size).Select(id => (ulong)id)],
        DataPath = PathOf(node),
        TickInterval = TimeSpan.FromMilliseconds(5),
        WalSegmentBytes = 1024 * 1024,
    });

    /// <summary>The disks of nodes that have a special one.</summary>
    public SortedDictionary<ulong, IDisk> Disks { get; } = [];

    public void Start(ulong node)
    {
        var (options, port) = (OptionsOf(node), Network.PortOf(node));
        var (time, loggers) = (TimeProvider.System, NullLoggerFactory.Instance);
        _nodes[node] = Disks.TryGetValue(node, out var disk)
            ? KvorumNode.Open(options, port, disk, new ThreadExecutor(), time, node, ++_incarnation, loggers)
            : KvorumNode.Open(options, port, time, loggers);
    }

    /// <summary>Starts a node that knows only whom to contact.</summary>
    public void Join(ulong node) => _nodes[node] = KvorumNode.Open(
        OptionsOf(node) with { IsJoining = true }, Network.PortOf(node), TimeProvider.System,
        NullLoggerFactory.Instance);

    public async Task StopAsync(ulong node)
    {
        await _nodes[node].StopAsync(TimeSpan.FromSeconds(1));
        _nodes.Remove(node);
    }

    public async Task<KvorumNode> LeaderAsync()
    {
        KvorumNode? leader = null;
        await UntilAsync("one leader that all running nodes follow", () =>
        {
            leader = Nodes.FirstOrDefault(node => node.Status.Role is NodeRole.Leader);
            return leader is not null && Nodes.All(node => node.Status.Leader == leader.Status.Node);
        });
        return leader!;
    }

    public async Task<KvorumNode> FollowerAsync()
    {
        var leader = await LeaderAsync();
        return Nodes.First(node => node != leader);
    }

    /// <summary>Waits for a condition, with a limit: the only way these tests pass time.</summary>
    public static async Task UntilAsync(string what, Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        using var limit = new CancellationTokenSource(Patience);
        while (!condition())
        {
            try
            {
                await timer.WaitForNextTickAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                Assert.Fail($"Within {Patience.TotalSeconds} s there was not: {what}.");
            }
        }
    }

    public static Put PutOf(string key, string value) => new(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(value));

    public static Task<CommandResult> PutAsync(IKvorum node, string key, string value) =>
        node.ProposeAsync(PutOf(key, value), Patience, TestContext.Current.CancellationToken);

    public static async Task<string?> GetAsync(IKvorum node, string key, Consistency consistency = Consistency.Linearizable)
    {
        var query = new RangeQuery(Encoding.UTF8.GetBytes(key), default);
        var result = await node.ReadAsync(query, consistency, Patience, TestContext.Current.CancellationToken);
        return result.Rows.Count == 0 ? null : Encoding.UTF8.GetString(result.Rows[0].Value);
    }

    /// <summary>
    /// Completes when some node that runs now sees <paramref name="node"/> as a learner, be it for a moment. Ask before
    /// what makes it one.
    /// </summary>
    public Task LearnsAsync(ulong node) => Task.WhenAny(Nodes.Select(other => other.WaitForAsync(
        status => status.Members.Any(member => member.Node == node && !member.IsVoter)))).WaitAsync(Patience);

    /// <summary>The leader counts the node as a voter, no change is under way, and the node knows it.</summary>
    public Task VotesAsync(ulong node) => UntilAsync($"node {node} votes", () =>
        Nodes.FirstOrDefault(other => other.Status.Role is NodeRole.Leader)?.Status is { IsJoint: false } status
        && status.Members.Any(member => member.Node == node && member is { IsVoter: true, MayVote: true })
        && _nodes[node].Status is { IsJoint: false, MayVote: true } own
        && own.Members.Any(member => member.Node == node && member.IsVoter));

    /// <summary>All nodes have applied the same entries to the same effect.</summary>
    public Task ConvergedAsync() => UntilAsync("equal applied indexes and state hashes on all nodes", () =>
    {
        var all = Nodes.Select(node => node.Status).ToArray();
        return all.All(status => status.StateHashIndex == all[0].StateHashIndex && status.StateHash == all[0].StateHash
            && status.CommitIndex == all[0].CommitIndex && status.AppliedIndex == status.CommitIndex);
    });

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes.Values)
        {
            await node.StopAsync(TimeSpan.Zero);
        }

        Directory.Delete(_root, recursive: true);
    }
}
