using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>Members come and go while writers run: no failed write, no lost write, no copy that differs.</summary>
public sealed class MemberTests
{
    private const int Some = 100;

    [Fact]
    public Task A_cluster_grows_from_one_to_five_and_shrinks_to_three() => Cluster.RunAsync(1, async cluster =>
    {
        await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Some);

        for (var count = 2; count <= 5; count++)
        {
            var added = cluster.Join();
            await cluster.VotesAsync(added);
            await load.MoreAsync(Some);
        }

        // The leader first: the hardest to take away.
        var leader = await cluster.LeaderAsync();
        await RemoveAsync(cluster, leader);
        await load.MoreAsync(Some);
        await RemoveAsync(cluster, await cluster.FollowerAsync());
        await load.MoreAsync(Some);

        await load.StopAsync();
        Assert.Equal(3, cluster.Running.Count());
        await StoreCheck.HoldsAsync(cluster, load);
    });

    [Fact]
    public Task Leadership_moves_and_a_removed_node_is_refused_by_name() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var next = await cluster.FollowerAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Some);

        Assert.Equal(0, await KvorumAsync(cluster, "leader", "move", next.Name));
        Assert.Equal(next, await cluster.LeaderAsync());
        await load.MoreAsync(Some);

        Assert.Equal(0, await KvorumAsync(cluster, "member", "remove", leader.Name, "--dry-run"));
        await RemoveAsync(cluster, leader);
        leader.Start();
        Assert.Equal(1, await leader.Process.WaitForExitAsync(Wait.Usual));
        Assert.Contains($"node {leader.Name} was removed from cluster", leader.Log, StringComparison.Ordinal);
        Assert.Equal(1, await KvorumAsync(cluster, "member", "remove", leader.Name));

        await load.MoreAsync(Some);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
    });

    [Fact]
    public Task A_killed_node_is_replaced_in_one_step_under_load() => Cluster.RunAsync(3, async cluster =>
    {
        await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Some);
        var dead = await cluster.FollowerAsync();
        dead.Kill();

        var fresh = cluster.Add(existing: true);
        Assert.Equal(0, await KvorumAsync(
            cluster, "member", "replace", dead.Name, fresh.Name, "--peer-url", fresh.PeerUrl, "--wait", "false"));
        fresh.Start();
        await cluster.VotesAsync(fresh);
        await cluster.VotesNoMoreAsync(dead);

        await load.MoreAsync(Some);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
    });

    private static async Task RemoveAsync(Cluster cluster, ClusterNode node)
    {
        Assert.Equal(0, await KvorumAsync(cluster, "member", "remove", node.Name));
        Assert.Equal(1, await node.Process.WaitForExitAsync(Wait.Usual));
        await cluster.VotesNoMoreAsync(node);
    }

    private static async Task<int> KvorumAsync(Cluster cluster, params string[] arguments)
    {
        var endpoints = string.Join(',', cluster.Running.Select(node => node.ClientUrl));
        using var process = await KvorumProcess.RunAsync([.. arguments, "--endpoints", endpoints]);
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{string.Join(' ', arguments)}: {process.ExitCode} {process.Output} {process.Errors}");
        return process.ExitCode;
    }
}
