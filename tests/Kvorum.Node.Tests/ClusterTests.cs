using Kvorum.Kv;
using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>A whole node, three times, over real files: what callers of <see cref="IKvorum"/> see.</summary>
public sealed class ClusterTests
{
    [Fact]
    public async Task A_write_through_any_node_is_read_through_every_node()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        foreach (var writer in cluster.Nodes)
        {
            var key = $"by-{writer.Status.Name}";
            var result = await TestCluster.PutAsync(writer, key, "value");
            Assert.Equal(CommandStatus.Ok, result.Status);
            foreach (var reader in cluster.Nodes)
            {
                Assert.Equal("value", await TestCluster.GetAsync(reader, key));
            }
        }

        await cluster.ConvergedAsync();
    }

    [Fact]
    public async Task A_single_node_elects_itself_and_keeps_its_data_over_a_restart()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await TestCluster.PutAsync(cluster[1], "key", "value");
        var term = cluster[1].Status.Term;
        await cluster.StopAsync(1);
        cluster.Start(1);
        await cluster.LeaderAsync();
        Assert.Equal("value", await TestCluster.GetAsync(cluster[1], "key"));
        Assert.True(cluster[1].Status.Term > term);
    }

    [Fact]
    public async Task Every_concurrent_writer_gets_the_answer_to_its_own_write()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var nodes = cluster.Nodes.ToArray();
        var writes = Enumerable.Range(0, 600).Select(async i =>
        {
            var result = await TestCluster.PutAsync(nodes[i % 3], $"key-{i}", $"value-{i}");
            return (Key: $"key-{i}", Value: $"value-{i}", result.Revision);
        });
        var done = await Task.WhenAll(writes);
        Assert.Equal(600, done.Select(write => write.Revision).Distinct().Count());
        foreach (var write in done.Where((_, i) => i % 40 == 0))
        {
            Assert.Equal(write.Value, await TestCluster.GetAsync(nodes[1], write.Key));
        }

        await cluster.ConvergedAsync();
    }

    [Fact]
    public async Task The_leader_hands_over_when_it_stops_and_nothing_is_lost()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "before", "1");
        var stopped = leader.Status.Node;
        await cluster.StopAsync(stopped);
        var next = await cluster.LeaderAsync();
        await TestCluster.PutAsync(next, "after", "2");
        cluster.Start(stopped);
        await cluster.ConvergedAsync();
        Assert.Equal("1", await TestCluster.GetAsync(cluster[stopped], "before"));
        Assert.Equal("2", await TestCluster.GetAsync(cluster[stopped], "after"));
    }

    [Fact]
    public async Task Without_a_quorum_a_write_fails_in_bounded_time_and_says_what_became_of_it()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        foreach (var follower in cluster.Nodes.Where(node => node != leader).Select(node => node.Status.Node).ToArray())
        {
            await cluster.StopAsync(follower);
        }

        var error = await Assert.ThrowsAnyAsync<KvorumException>(
            () => leader.ProposeAsync(TestCluster.PutOf("k", "v"), TimeSpan.FromMilliseconds(300), TestContext.Current.CancellationToken));
        Assert.True(error is OutcomeUnknownException or NoLeaderException);
        await TestCluster.UntilAsync("the leader stepped down", () => leader.Status.Role is not NodeRole.Leader);
        await Assert.ThrowsAsync<NoLeaderException>(
            () => leader.ProposeAsync(TestCluster.PutOf("k", "v"), TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<ReadTimeoutException>(
            () => leader.ReadAsync(new RangeQuery("k"u8.ToArray(), default), Consistency.Linearizable, TimeSpan.FromMilliseconds(100), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_isolated_leader_is_replaced_and_its_unfinished_write_has_no_effect()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var old = await cluster.LeaderAsync();
        await TestCluster.PutAsync(old, "k", "agreed");
        cluster.Network.Isolate(old.Status.Node);
        var lost = old.ProposeAsync(TestCluster.PutOf("k", "lost"), TimeSpan.FromSeconds(20), TestContext.Current.CancellationToken);
        await TestCluster.UntilAsync(
            "a new leader among the others",
            () => cluster.Nodes.Any(node => node != old && node.Status.Role is NodeRole.Leader));
        var next = cluster.Nodes.First(node => node != old && node.Status.Role is NodeRole.Leader);
        await TestCluster.PutAsync(next, "k", "newer");
        await TestCluster.PutAsync(next, "k2", "newer");
        cluster.Network.Heal();
        var error = await Assert.ThrowsAnyAsync<KvorumException>(() => lost);
        Assert.True(error is ProposalDroppedException or OutcomeUnknownException, error.Message);
        await cluster.ConvergedAsync();
        Assert.Equal("newer", await TestCluster.GetAsync(old, "k"));
    }

    [Fact]
    public async Task A_node_behind_the_log_catches_up_by_snapshot()
    {
        await using var cluster = await TestCluster.StartAsync(3, options => options with { SnapshotLogBytes = 64 * 1024, TrailingEntries = 10 });
        var behind = (await cluster.FollowerAsync()).Status.Node;
        await cluster.StopAsync(behind);
        var leader = await cluster.LeaderAsync();
        var value = new string('x', 1000);
        await Task.WhenAll(Enumerable.Range(0, 500).Select(i => TestCluster.PutAsync(leader, $"key-{i}", value)));
        for (var i = 0; i < 1000 && leader.Status.LogStartIndex <= 100; i++)
        {
            // The log is kept for a peer heard a moment ago, so the first snapshots may not cut it.
            await TestCluster.PutAsync(leader, "more", value);
            await leader.TakeSnapshotAsync(TestContext.Current.CancellationToken);
        }

        Assert.True(leader.Status.LogStartIndex > 100);
        cluster.Start(behind);
        await cluster.ConvergedAsync();
        Assert.Equal(value, await TestCluster.GetAsync(cluster[behind], "key-499", Consistency.Local));
        Assert.True(cluster[behind].Metrics.SnapshotsInstalled >= 1);
        await cluster.StopAsync(behind);
        cluster.Start(behind);
        await cluster.ConvergedAsync();
    }

    [Fact]
    public async Task A_node_whose_directory_was_wiped_is_demoted_and_counts_again_under_its_new_directory()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = (await cluster.LeaderAsync()).Status.Node;
        var (wiped, other) = (Others(cluster, leader)[0], Others(cluster, leader)[1]);
        await cluster.StopAsync(other);
        await TestCluster.PutAsync(cluster[leader], "k", "v"); // Only the leader and the node to be wiped have it.
        await cluster.StopAsync(wiped);
        Directory.Delete(cluster.PathOf(wiped), recursive: true);
        cluster.Start(other);
        var demoted = cluster.LearnsAsync(wiped);
        cluster.Start(wiped);
        await demoted;
        await cluster.VotesAsync(wiped);
        await cluster.ConvergedAsync();
        foreach (var node in cluster.Nodes)
        {
            Assert.Equal("v", await TestCluster.GetAsync(node, "k"));
        }

        await CountsAsync(cluster, wiped);
    }

    [Fact]
    public async Task A_node_whose_directory_was_rolled_back_is_demoted_and_counts_again_as_a_new_one()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "k", "old");
        var rolledBack = (await cluster.FollowerAsync()).Status.Node;
        await cluster.ConvergedAsync();
        await cluster.StopAsync(rolledBack);
        var copy = cluster.PathOf(rolledBack) + "-copy";
        Copy(cluster.PathOf(rolledBack), copy);
        cluster.Start(rolledBack);
        var incarnation = cluster[rolledBack].Status.Incarnation;
        for (var i = 0; i < 20; i++)
        {
            await TestCluster.PutAsync(leader, "k", $"new {i}");
        }

        await cluster.ConvergedAsync();
        await cluster.StopAsync(rolledBack);
        Directory.Delete(cluster.PathOf(rolledBack), recursive: true);
        Directory.Move(copy, cluster.PathOf(rolledBack));

        // Nothing is written: the leader's heartbeats alone must show what is missing.
        var demoted = cluster.LearnsAsync(rolledBack);
        cluster.Start(rolledBack);
        await demoted;
        await cluster.VotesAsync(rolledBack);
        await cluster.ConvergedAsync();
        Assert.NotEqual(incarnation, cluster[rolledBack].Status.Incarnation);
        Assert.Equal("new 19", await TestCluster.GetAsync(cluster[rolledBack], "k"));
        await CountsAsync(cluster, rolledBack);
    }

    [Fact]
    public async Task A_node_that_was_rolled_back_gets_no_leader_elected_that_lacks_what_it_acknowledged()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        var nodes = cluster.Nodes.Where(node => node != leader).Select(node => node.Status.Node).ToArray();
        var (rolledBack, lagging) = (nodes[0], nodes[1]);
        await cluster.ConvergedAsync();
        await cluster.StopAsync(rolledBack);
        var copy = cluster.PathOf(rolledBack) + "-copy";
        Copy(cluster.PathOf(rolledBack), copy);
        cluster.Start(rolledBack);
        await cluster.LeaderAsync();
        await cluster.StopAsync(lagging);
        await TestCluster.PutAsync(leader, "k", "acknowledged");
        var counted = leader.Status.Node;
        await cluster.StopAsync(rolledBack);
        Directory.Delete(cluster.PathOf(rolledBack), recursive: true);
        Directory.Move(copy, cluster.PathOf(rolledBack));

        // The one that counted remembers, whether it leads by then or not: with the old copy there is no majority.
        await TestCluster.UntilAsync("it leads no more", () => cluster[counted].Status.Role is not NodeRole.Leader);
        cluster.Start(rolledBack);
        await TestCluster.UntilAsync("the copy has no vote", () => cluster[rolledBack].Status is { MayVote: false } now
            && now.NoVoteReason!.Contains($"node {counted:x} remembers", StringComparison.Ordinal));
        Assert.All(cluster.Nodes, node => Assert.Null(node.Status.Leader));

        cluster.Start(lagging);
        await cluster.VotesAsync(rolledBack);
        Assert.Equal("acknowledged", await TestCluster.GetAsync(cluster[rolledBack], "k"));
    }

    [Fact]
    public async Task A_second_node_on_the_same_directory_is_refused()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        var error = Assert.ThrowsAny<IOException>(() => KvorumNode.Open(
            cluster.OptionsOf(1), cluster.Network.PortOf(1), TimeProvider.System, NullLoggerFactory.Instance));
        Assert.Contains("pid", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_directory_of_another_cluster_is_refused()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await cluster.StopAsync(1);
        Assert.Throws<DataDirectoryException>(() => KvorumNode.Open(
            cluster.OptionsOf(1) with { ClusterId = 78 }, cluster.Network.PortOf(1), TimeProvider.System, NullLoggerFactory.Instance));
        cluster.Start(1);
        await cluster.LeaderAsync();
    }

    [Fact]
    public async Task A_full_inbox_answers_overloaded()
    {
        await using var cluster = await TestCluster.StartAsync(3, options => options with { InboxMax = 4 });
        var leader = await cluster.LeaderAsync();
        foreach (var follower in cluster.Nodes.Where(node => node != leader).Select(node => node.Status.Node).ToArray())
        {
            await cluster.StopAsync(follower);
        }

        await TestCluster.UntilAsync("the leader stepped down", () => leader.Status.Leader is null);
        var waiting = Enumerable.Range(0, 4).Select(i => leader.ProposeAsync(
            TestCluster.PutOf($"{i}", "v"), TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken)).ToArray();
        Assert.Throws<OverloadedException>(() =>
        {
            _ = leader.ProposeAsync(TestCluster.PutOf("5", "v"), TimeSpan.FromSeconds(1), TestContext.Current.CancellationToken);
        });
        foreach (var wait in waiting)
        {
            await Assert.ThrowsAsync<NoLeaderException>(() => wait);
        }
    }

    [Fact]
    public async Task A_command_outside_the_limits_is_refused_before_it_is_proposed()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        Assert.Throws<ArgumentException>(() =>
        {
            _ = cluster[1].ProposeAsync(TestCluster.PutOf("", "v"), TestCluster.Patience, TestContext.Current.CancellationToken);
        });
    }

    private static ulong[] Others(TestCluster cluster, ulong node) =>
        [.. cluster.Nodes.Select(other => other.Status.Node).Where(other => other != node)];

    /// <summary>
    /// Of three nodes that all vote, this one's acknowledgement decides, and after its restart its vote.
    /// </summary>
    private static async Task CountsAsync(TestCluster cluster, ulong node)
    {
        var leader = await cluster.LeaderAsync();
        if (leader.Status.Node == node)
        {
            await leader.TransferLeadershipAsync(
                Others(cluster, node)[0], TestCluster.Patience, TestContext.Current.CancellationToken);
            leader = await cluster.LeaderAsync();
        }

        var third = Others(cluster, node).Single(other => other != leader.Status.Node);
        await cluster.StopAsync(third);
        await TestCluster.PutAsync(leader, "acknowledged by", $"{node}");

        var term = leader.Status.Term;
        await cluster.StopAsync(node);
        await TestCluster.UntilAsync("the leader stepped down", () => leader.Status.Role is not NodeRole.Leader);
        cluster.Start(node);
        leader = await cluster.LeaderAsync();
        Assert.True(leader.Status.Term > term);
        await TestCluster.PutAsync(leader, "elected by", $"{node}");
        cluster.Start(third);
        await cluster.ConvergedAsync();
        Assert.Equal($"{node}", await TestCluster.GetAsync(cluster[third], "acknowledged by"));
    }

    private static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.GetFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        foreach (var directory in Directory.GetDirectories(from))
        {
            Copy(directory, Path.Combine(to, Path.GetFileName(directory)));
        }
    }
}
