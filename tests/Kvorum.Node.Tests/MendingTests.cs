using System.Text;

namespace Kvorum.Node.Tests;

/// <summary>
/// A log that is damaged in its middle is put together again with what peers have. Its node forgot nothing, so it keeps
/// its vote and its incarnation; where nobody has what is missing, it says so and waits.
/// </summary>
public sealed class MendingTests
{
    [Fact]
    public async Task A_node_with_rot_in_its_log_gets_it_back_from_its_peers_and_keeps_its_vote()
    {
        await using var cluster = await FilledAsync();
        var rotten = (await cluster.FollowerAsync()).Status.Node;
        var incarnation = cluster[rotten].Status.Incarnation;
        await cluster.StopAsync(rotten);
        Rot(cluster, rotten, "value 20");
        cluster.Start(rotten);
        await MendedAsync(cluster, rotten);
        Assert.Equal(incarnation, cluster[rotten].Status.Incarnation);
        Assert.Null(cluster[rotten].Status.Damage);
        Assert.Single(Directory.GetFiles(Path.Combine(cluster.PathOf(rotten), "wal.damaged")));
        Assert.Empty(Directory.GetFiles(Path.Combine(cluster.PathOf(rotten), "wal.mended"), "*.wal"));
        await cluster.ConvergedAsync();
        Assert.Equal("value 20", await TestCluster.GetAsync(cluster[rotten], "key 20", Consistency.Local));
        await cluster.StopAsync(rotten);
        cluster.Start(rotten);
        Assert.Null(cluster[rotten].Status.Mending);
        await cluster.ConvergedAsync();
    }

    [Theory]
    [InlineData("value 10", "value 30", null)]
    [InlineData("value 30", "value 10", null)]
    [InlineData("value 20", "value 21", null)]
    [InlineData("value 20", "value 20", null)]
    [InlineData("value 10", "value 20", "value 30")]
    [InlineData("value 30,value 10", "value 40,value 20", "value 5,value 35")]
    public async Task A_cluster_with_a_good_copy_of_each_entry_mends_itself(string one, string two, string? three)
    {
        await using var cluster = await FilledAsync();
        var incarnations = cluster.Nodes.Select(node => node.Status.Incarnation).ToArray();
        await StopAllAsync(cluster);
        foreach (var (node, damage) in new[] { (1UL, one), (2UL, two), (3UL, three) })
        {
            foreach (var value in damage?.Split(',') ?? [])
            {
                Rot(cluster, node, value);
            }
        }

        StartAll(cluster);
        await cluster.LeaderAsync();
        await MendedAsync(cluster, 1);
        await MendedAsync(cluster, 2);
        Assert.Equal(incarnations, cluster.Nodes.Select(node => node.Status.Incarnation));
        await TestCluster.PutAsync(cluster[1], "after", "all");
        await cluster.ConvergedAsync();
        foreach (var node in cluster.Nodes)
        {
            for (var i = 0; i < 50; i++)
            {
                Assert.Equal($"value {i}", await TestCluster.GetAsync(node, $"key {i}", Consistency.Local));
            }
        }
    }

    [Fact]
    public async Task A_cluster_in_which_nobody_has_an_entry_elects_nobody_and_says_which()
    {
        await using var cluster = await FilledAsync();
        await StopAllAsync(cluster);
        foreach (var node in new ulong[] { 1, 2, 3 })
        {
            Rot(cluster, node, "value 20");
        }

        StartAll(cluster);
        await Assert.ThrowsAsync<NoLeaderException>(() => cluster[3].ProposeAsync(
            TestCluster.PutOf("k", "v"), TimeSpan.FromSeconds(3), TestContext.Current.CancellationToken));
        Assert.All(cluster.Nodes, node =>
        {
            Assert.Null(node.Status.Leader);
            Assert.False(node.Status.MayVote);
            Assert.Matches("mending its log: entr.* [0-9]+.* from [1-3]", node.Status.Mending!);
            Assert.Equal(node.Status.Mending, node.Status.NoVoteReason);
        });
        await Assert.ThrowsAsync<NoLeaderException>(
            () => cluster[1].TakeSnapshotAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_node_whose_log_nobody_continues_gives_its_vote_up_and_follows_the_leader()
    {
        await using var cluster = await FilledAsync();
        var leader = await cluster.LeaderAsync();
        var alone = leader.Status.Node;
        cluster.Network.Isolate(alone);
        var lost = leader.ProposeAsync(
            TestCluster.PutOf("lost", "for ever"), TimeSpan.FromSeconds(2), TestContext.Current.CancellationToken);
        await Assert.ThrowsAnyAsync<KvorumException>(() => lost);
        await cluster.StopAsync(alone);
        cluster.Network.Heal();
        await TestCluster.PutAsync(await cluster.LeaderAsync(), "key 50", "value 50");
        Rot(cluster, alone, "value 49");
        Rot(cluster, alone, "value 48"); // What follows is what nobody else has.
        cluster.Start(alone);
        await TestCluster.UntilAsync("it gives up", () => cluster[alone].Status is { Damage: not null, Mending: null });
        await TestCluster.UntilAsync("it votes again", () => cluster[alone].Status.MayVote);
        await cluster.ConvergedAsync();
        Assert.Equal("value 50", await TestCluster.GetAsync(cluster[alone], "key 50", Consistency.Local));
        Assert.Null(await TestCluster.GetAsync(cluster[alone], "lost", Consistency.Local));
    }

    private static async Task<TestCluster> FilledAsync()
    {
        var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        for (var i = 0; i < 50; i++)
        {
            await TestCluster.PutAsync(leader, $"key {i}", $"value {i}");
        }

        await cluster.ConvergedAsync();
        return cluster;
    }

    private static Task MendedAsync(TestCluster cluster, ulong node) =>
        TestCluster.UntilAsync($"node {node} votes with a whole log", () =>
            cluster[node].Status is { Mending: null, MayVote: true } && File.Exists(
                Path.Combine(cluster.PathOf(node), "wal.damaged", "0000000000000001.wal")));

    private static async Task StopAllAsync(TestCluster cluster)
    {
        foreach (var node in new ulong[] { 1, 2, 3 })
        {
            await cluster.StopAsync(node);
        }
    }

    private static void StartAll(TestCluster cluster)
    {
        foreach (var node in new ulong[] { 1, 2, 3 })
        {
            cluster.Start(node);
        }
    }

    /// <summary>Flips a bit of an entry's value in the log.</summary>
    private static void Rot(TestCluster cluster, ulong node, string value)
    {
        var file = Path.Combine(cluster.PathOf(node), "wal", "0000000000000001.wal");
        var bytes = File.ReadAllBytes(file);
        var at = bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(value));
        Assert.True(at > 0, $"{value} is in the log.");
        bytes[at] ^= 1;
        File.WriteAllBytes(file, bytes);
    }
}
