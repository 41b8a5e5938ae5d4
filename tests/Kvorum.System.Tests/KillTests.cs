using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>kill -9 and restart under load: nothing acknowledged is lost, nothing is applied twice.</summary>
public sealed class KillTests
{
    private const int Warm = 300;

    [Fact]
    public Task Killing_the_leader_under_load_loses_nothing_and_the_cluster_goes_on() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Warm);

        leader.Kill();
        await load.MoreAsync(Warm);
        Assert.NotEqual(leader, await cluster.LeaderAsync());

        leader.Start();
        await load.MoreAsync(Warm);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
    });

    [Fact]
    public Task Killing_a_follower_under_load_loses_nothing_and_it_catches_up() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var term = (await leader.StateAsync())?.Term;
        var follower = await cluster.FollowerAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Warm);

        follower.Kill();
        await load.MoreAsync(Warm);
        follower.Start();
        await load.MoreAsync(Warm);
        await load.StopAsync();

        await StoreCheck.HoldsAsync(cluster, load);
        Assert.Equal(term, (await leader.StateAsync())?.Term); // Nobody was elected because of a follower.
    });

    [Fact]
    public Task Killing_all_three_at_once_under_load_loses_nothing() => Cluster.RunAsync(3, async cluster =>
    {
        await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Warm);

        Parallel.ForEach(cluster.Nodes, node => node.Kill());
        foreach (var node in cluster.Nodes)
        {
            node.Start();
        }

        await load.MoreAsync(Warm);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
    });

    [Fact]
    public Task Stopping_and_starting_all_nodes_keeps_data_and_term() => Cluster.RunAsync(3, async cluster =>
    {
        await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Warm);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
        var before = await cluster.Nodes[0].StateAsync();

        foreach (var node in cluster.Nodes)
        {
            Assert.Equal(0, await node.StopAsync());
        }

        foreach (var node in cluster.Nodes)
        {
            node.Start();
        }

        await StoreCheck.HoldsAsync(cluster, load);
        var after = await cluster.Nodes[0].StateAsync();
        Assert.True(after?.Term >= before?.Term, $"The term went back from {before?.Term} to {after?.Term}.");
    });

    [Fact]
    public Task A_leader_that_is_stopped_hands_over_without_an_election_timeout() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(Warm);

        Assert.Equal(0, await leader.StopAsync());
        var next = await cluster.LeaderAsync(limit: TimeSpan.FromSeconds(1)); // Below the election timeout of 1 to 2 s.
        Assert.NotEqual(leader, next);

        await load.MoreAsync(Warm);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
    });

    [Fact]
    public Task Five_killed_leaders_are_each_replaced_within_three_seconds() => Cluster.RunAsync(3, async cluster =>
    {
        const int Kills = 5;
        var durations = new List<TimeSpan>();
        for (var i = 0; i < Kills; i++)
        {
            durations.Add(await cluster.KillLeaderAndWriteAsync($"kill-{i}", $"{i}"));
            cluster.Nodes.Single(node => !node.IsRunning).Start();
            await cluster.ConvergeAsync();
        }

        var text = string.Join(", ", durations.Select(duration => $"{duration.TotalMilliseconds:0} ms"));
        TestContext.Current.TestOutputHelper?.WriteLine($"A write succeeded after the kill within: {text}");
        Assert.All(durations, duration => Assert.True(duration <= TimeSpan.FromSeconds(3), text));
        foreach (var node in cluster.Nodes)
        {
            for (var i = 0; i < Kills; i++)
            {
                Assert.Equal($"{i}", await node.GetAsync($"kill-{i}"));
            }
        }
    });
}
