namespace Kvorum.Node.Tests;

/// <summary>
/// New directories under known names may be wiped ones: before the first election of a cluster each voter has met all
/// the others, so that no emptier history begins while those that know better are away.
/// </summary>
public sealed class NewDirectoryTests
{
    [Fact]
    public async Task A_new_cluster_elects_nobody_before_every_voter_was_met_once()
    {
        await using var cluster = new TestCluster(3);
        cluster.Start(1);
        cluster.Start(2);
        await TestCluster.UntilAsync("nodes 1 and 2 wait for node 3 alone", () => cluster.Nodes.All(node =>
            node.Status is { MayVote: false, NoVoteReason: { } reason }
            && reason.EndsWith("Not met yet: 3.", StringComparison.Ordinal)));
        Assert.All(cluster.Nodes, node => Assert.Null(node.Status.Leader));

        cluster.Start(3);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "k", "v");
        Assert.All(cluster.Nodes, node => Assert.Null(node.Status.NoVoteReason));
    }

    [Fact]
    public async Task Voters_that_have_met_elect_a_leader_without_the_others_from_then_on()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var follower = (await cluster.FollowerAsync()).Status.Node;
        foreach (var node in new[] { 1UL, 2UL, 3UL })
        {
            await cluster.StopAsync(node);
        }

        foreach (var node in new[] { 1UL, 2UL, 3UL }.Where(node => node != follower))
        {
            cluster.Start(node);
        }

        await TestCluster.PutAsync(await cluster.LeaderAsync(), "k", "v");
    }

    [Fact]
    public async Task A_majority_with_wiped_directories_serves_nobody_and_says_why()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        await TestCluster.PutAsync(await cluster.LeaderAsync(), "k", "v");
        await cluster.ConvergedAsync();
        foreach (var node in new[] { 1UL, 2UL, 3UL })
        {
            await cluster.StopAsync(node);
        }

        foreach (var node in new[] { 1UL, 2UL })
        {
            Directory.Delete(cluster.PathOf(node), recursive: true);
            cluster.Start(node);
        }

        await TestCluster.UntilAsync("both wait for the third", () => cluster.Nodes.All(node =>
            node.Status.NoVoteReason?.EndsWith("Not met yet: 3.", StringComparison.Ordinal) == true));
        cluster.Start(3);
        await TestCluster.UntilAsync("the third says what they were", () => new[] { 1UL, 2UL }.All(node =>
            cluster[node].Status.NoVoteReason?.Contains("another directory", StringComparison.Ordinal) == true));
        Assert.All(cluster.Nodes, node => Assert.Null(node.Status.Leader));
        Assert.True(cluster[3].Status is { MayVote: true, LastLogIndex: > 1 });

        // Nobody forgets it by starting again.
        await cluster.StopAsync(1);
        cluster.Start(1);
        var status = cluster[1].Status;
        Assert.False(status.MayVote);
        Assert.Contains("another directory", status.NoVoteReason!, StringComparison.Ordinal);
    }
}
