using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>A node that was away for longer than the log reaches back.</summary>
public sealed class SnapshotTests
{
    private static readonly string[] SmallLog =
    [
        "--snapshot-log-bytes", "256KiB", "--trailing-entries", "50", "--wal-segment-bytes", "128KiB",
    ];

    [Fact]
    public Task A_follower_down_past_compaction_catches_up_by_snapshot() => Cluster.RunAsync(
        3,
        async cluster =>
        {
            var follower = await cluster.FollowerAsync();
            var load = Load.Start(cluster, valueBytes: 1024);
            await load.MoreAsync(100);
            follower.Kill();
            var last = (await (await cluster.LeaderAsync()).StateAsync())?.LastLogIndex;

            await Wait.UntilAsync("a leader's log that begins after the follower's end", Wait.Usual, async () =>
                (await (await cluster.LeaderAsync()).StateAsync())?.LogStartIndex > last);
            await load.StopAsync();

            follower.Start();
            await StoreCheck.HoldsAsync(cluster, load);
            Assert.True(await MetricAsync(follower, "kvorum_snapshots_installed_total") >= 1);
        },
        SmallLog);

    [Fact]
    public Task A_cluster_restarted_after_snapshots_has_everything() => Cluster.RunAsync(
        3,
        async cluster =>
        {
            var load = Load.Start(cluster, valueBytes: 1024);
            await Wait.UntilAsync("two snapshots of the leader", Wait.Usual, async () =>
                await MetricAsync(await cluster.LeaderAsync(), "kvorum_snapshots_taken_total") >= 2);
            Parallel.ForEach(cluster.Nodes, node => node.Kill());
            foreach (var node in cluster.Nodes)
            {
                node.Start();
            }

            await load.MoreAsync(100);
            await load.StopAsync();
            await StoreCheck.HoldsAsync(cluster, load);
        },
        SmallLog);

    /// <summary>The value of a counter without labels, or the sum over its labels.</summary>
    private static async Task<double> MetricAsync(ClusterNode node, string name)
    {
        var (status, text) = await node.SendAsync(HttpMethod.Get, "/metrics");
        Assert.Equal(200, status);
        var values = text.Split('\n')
            .Where(line => line.StartsWith(name, StringComparison.Ordinal) && line[name.Length] is ' ' or '{')
            .Select(line => double.Parse(line[(line.LastIndexOf(' ') + 1)..], null))
            .ToArray();
        Assert.True(values.Length > 0, $"No metric {name} on {node.Name}:\n{text}");
        return values.Sum();
    }
}
