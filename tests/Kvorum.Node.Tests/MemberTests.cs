namespace Kvorum.Node.Tests;

/// <summary>Whole nodes join, go and come back while somebody writes.</summary>
public sealed class MemberTests
{
    [Fact]
    public async Task A_cluster_grows_from_one_to_three_and_loses_its_first_leader_without_a_failed_write()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        using var stop = new CancellationTokenSource();
        var writer = WriteAsync(cluster[1], stop.Token);
        foreach (var node in new[] { 2UL, 3UL })
        {
            cluster.Join(node);
            await ChangeAsync(cluster[1], Add(node));
            await VoterAsync(cluster, cluster[1], node);
        }

        await stop.CancelAsync();
        Assert.True(await writer > 0);
        await TestCluster.UntilAsync(
            "the last change is committed", () => cluster[1].Status is var now && now.CommitIndex == now.LastLogIndex);
        var plan = await cluster[2].ChangeMembersAsync(
            Remove(1), isDryRun: true, TestCluster.Patience, TestContext.Current.CancellationToken);
        Assert.Null(plan.Refusal);
        Assert.Equal([2UL, 3UL], plan.VotersAfter);
        await ChangeAsync(cluster[2], Remove(1));
        await TestCluster.UntilAsync("node 1 knows that it was removed", () => cluster[1].Status.IsRemoved);
        await cluster.StopAsync(1);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "after", "1");
        Assert.Equal([2UL, 3UL], leader.Status.Members.Select(member => member.Node));

        var again = await Assert.ThrowsAsync<MemberChangeRefusedException>(() => ChangeAsync(leader, Add(1)));
        Assert.Contains("use a new name", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dead_voter_is_replaced_in_one_step_and_the_new_one_counts()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "k", "v");
        var dead = cluster.Nodes.First(node => node != leader).Status.Node;
        await cluster.StopAsync(dead);
        cluster.Join(4);
        var isThreeAlways = true;
        var votes = leader.WaitForAsync(status =>
        {
            isThreeAlways &= status.IsJoint || status.Members.Count(member => member.IsVoter) == 3;
            return !status.IsJoint && status.Members.Any(member => member is { Node: 4, IsVoter: true });
        });
        var plan = await ChangeAsync(leader, Replace(dead, 4));
        Assert.Null(plan.Refusal);
        Assert.Equal(Voters(leader, without: dead).Append(4UL), plan.VotersAfter);

        // The log is idle now: the new node is caught up and promoted all the same.
        await votes.WaitAsync(TestCluster.Patience, TestContext.Current.CancellationToken);
        Assert.True(isThreeAlways);
        await cluster.VotesAsync(4);
        Assert.DoesNotContain(leader.Status.Members, member => member.Node == dead);
        await cluster.ConvergedAsync();
        Assert.Equal("v", await TestCluster.GetAsync(cluster[4], "k"));

        // With the third node down its acknowledgement is needed, and counts.
        leader = await cluster.LeaderAsync();
        var third = cluster.Nodes.First(node => node != leader && node.Status.Node != 4).Status.Node;
        await cluster.StopAsync(third);
        await TestCluster.PutAsync(leader, "k", "w");
        Assert.Equal("w", await TestCluster.GetAsync(cluster[4], "k"));
    }

    [Fact]
    public async Task A_voter_that_was_replaced_is_told_so_and_cannot_come_back()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        var old = cluster.Nodes.First(node => node != leader).Status.Node;
        cluster.Join(4);
        var twice = await Assert.ThrowsAsync<MemberChangeRefusedException>(() => ChangeAsync(leader, Replace(9, 4)));
        Assert.Contains("not a member", twice.Message, StringComparison.Ordinal);
        await ChangeAsync(leader, Replace(old, 4));
        await cluster.VotesAsync(4);
        await TestCluster.UntilAsync("it knows that it was removed", () => cluster[old].Status.IsRemoved);
        await cluster.StopAsync(old);
        var again = await Assert.ThrowsAsync<MemberChangeRefusedException>(() => ChangeAsync(leader, Replace(4, old)));
        Assert.Contains("use a new name", again.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Leadership_goes_where_it_is_asked_to_go_and_who_asked_sees_it_at_once()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        var target = cluster.Nodes.First(node => node != leader).Status.Node;
        var asked = cluster.Nodes.Last(node => node != leader);
        await asked.TransferLeadershipAsync(target, TestCluster.Patience, TestContext.Current.CancellationToken);
        Assert.Equal(target, asked.Status.Leader);
    }

    [Fact]
    public async Task A_wiped_voter_becomes_a_voter_again_under_its_new_incarnation()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        await TestCluster.PutAsync(leader, "k", "v");
        var wiped = cluster.Nodes.First(node => node != leader).Status.Node;
        await cluster.StopAsync(wiped);
        Directory.Delete(cluster.PathOf(wiped), recursive: true);
        var demoted = cluster.LearnsAsync(wiped);
        cluster.Start(wiped);
        await demoted;
        await cluster.VotesAsync(wiped);

        // Its vote and its acknowledgement are needed now, and count.
        var other = cluster.Nodes.First(node => node != leader && node.Status.Node != wiped).Status.Node;
        await cluster.StopAsync(other);
        await TestCluster.PutAsync(leader, "k", "w");
        await cluster.StopAsync(wiped);
        cluster.Start(wiped);
        await cluster.LeaderAsync();
        Assert.Equal("w", await TestCluster.GetAsync(cluster[wiped], "k"));
    }

    private static Task<MemberChangePlan> ChangeAsync(KvorumNode node, MemberChange change) =>
        node.ChangeMembersAsync(change, isDryRun: false, TestCluster.Patience, TestContext.Current.CancellationToken);

    private static MemberChange Add(ulong node) =>
        new(MemberChangeKind.Add, node, new MemberAddress(node, $"n{node}", $"http://n{node}", []));

    private static MemberChange Replace(ulong old, ulong node) =>
        new(MemberChangeKind.Replace, old, new MemberAddress(node, $"n{node}", $"http://n{node}", []));

    private static ulong[] Voters(KvorumNode node, ulong without) =>
    [
        .. node.Status.Members.Where(member => member.IsVoter && member.Node != without)
            .Select(member => member.Node),
    ];

    private static MemberChange Remove(ulong node) => new(MemberChangeKind.Remove, node, null);

    private static Task VoterAsync(TestCluster cluster, KvorumNode leader, ulong node) => TestCluster.UntilAsync(
        $"node {node} votes",
        () => leader.Status is { IsJoint: false } status
            && status.Members.Any(member => member.Node == node && member is { IsVoter: true, MayVote: true })
            && cluster[node].Status.MayVote);

    private static async Task<int> WriteAsync(KvorumNode node, CancellationToken stop)
    {
        var written = 0;
        while (!stop.IsCancellationRequested)
        {
            await TestCluster.PutAsync(node, $"key-{written % 10}", $"{written}");
            written++;
        }

        return written;
    }
}
