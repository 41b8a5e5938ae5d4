using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>A broken connection to the leader hurries the pre-vote, and nothing but the pre-vote.</summary>
public sealed class HurriedElectionTests
{
    private static readonly NodeId TheLeader = new(2);

    [Fact]
    public void Lost_connection_to_the_leader_starts_a_pre_vote_within_a_few_ticks()
    {
        for (ulong seed = 1; seed < 30; seed++)
        {
            var node = Follower(options: Options() with { Seed = seed });
            node.Step(new ConnectionLost(TheLeader));
            Assert.InRange(TickUntil(node, Role.PreCandidate), 1, 5);
        }
    }

    [Fact]
    public void Hurried_pre_vote_names_the_lost_leader()
    {
        var node = Follower();
        node.Step(new ConnectionLost(TheLeader));
        var request = TickFor(node, 5).OfType<RequestVote>().First();
        Assert.True(request.IsPreVote);
        Assert.Equal(TheLeader, request.LostLeader);
    }

    [Fact]
    public void Lost_connection_to_another_peer_changes_nothing()
    {
        var node = Follower();
        node.Step(new ConnectionLost(new NodeId(3)));
        Assert.DoesNotContain(TickFor(node, 90), message => message is RequestVote);
    }

    [Fact]
    public void Connection_made_again_ends_the_hurry()
    {
        var node = Follower();
        node.Step(new ConnectionLost(TheLeader));
        node.Step(new ConnectionMade(TheLeader));
        TickFor(node, 20);
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Message_of_the_leader_ends_the_hurry()
    {
        var node = Follower();
        node.Step(new ConnectionLost(TheLeader));
        node.Step(new Receive(Messages.Heartbeat(2, 1)));
        TickFor(node, 20);
        Assert.Equal(Role.Follower, node.Role);
        Assert.False(Grants(node, isPreVote: true, lostLeader: 2));
    }

    [Theory]
    [InlineData(true, true, 2, true)] // Both lost the same leader.
    [InlineData(false, true, 2, false)] // We still have it.
    [InlineData(true, true, null, false)] // The candidate only timed out.
    [InlineData(true, true, 3, false)] // The candidate lost another one.
    [InlineData(true, false, null, true)] // The vote after a won pre-vote.
    [InlineData(false, false, null, false)]
    public void Voter_that_heard_the_leader_grants_only_when_its_own_connection_is_lost_too(
        bool isLost, bool isPreVote, int? lostLeader, bool granted)
    {
        var node = Follower(nodes: 5);
        if (isLost)
        {
            node.Step(new ConnectionLost(TheLeader));
        }

        Assert.Equal(granted, Grants(node, isPreVote, (ulong?)lostLeader));
    }

    [Fact]
    public void Granting_voter_stands_back_itself()
    {
        var node = Follower(nodes: 5);
        node.Step(new ConnectionLost(TheLeader));
        Assert.True(Grants(node, isPreVote: true, lostLeader: 2));
        TickFor(node, 10);
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Of_two_hurried_pre_candidates_the_larger_id_wins()
    {
        var node = Follower(nodes: 3);
        node.Step(new ConnectionLost(TheLeader));
        TickUntil(node, Role.PreCandidate);
        Assert.True(Grants(node, isPreVote: true, lostLeader: 2)); // Node 3 asks node 1.
    }

    [Fact]
    public void Of_two_hurried_pre_candidates_the_better_log_wins()
    {
        var node = Follower(nodes: 3, log: [1]);
        node.Step(new ConnectionLost(TheLeader));
        TickUntil(node, Role.PreCandidate);
        Assert.False(Grants(node, isPreVote: true, lostLeader: 2));
    }

    [Fact]
    public void Refused_hurried_pre_vote_is_repeated_soon_but_not_for_ever()
    {
        var node = Follower();
        node.Step(new ConnectionLost(TheLeader));
        var attempts = 0;
        for (var tick = 0; tick < 95; tick++)
        {
            var asks = node.Step(Tick.Instance).Send.OfType<RequestVote>().Any();
            if (asks)
            {
                attempts++;
                node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: true, granted: false)));
                node.Step(new Receive(Messages.VoteReply(3, 1, isPreVote: true, granted: false)));
            }
        }

        Assert.Equal(RaftNode.HurriedAttemptsMax, attempts);
        Assert.Equal(1UL, node.Term.Value);
        TickUntil(node, Role.PreCandidate); // The ordinary timeout still comes.
    }

    /// <summary>
    /// Three nodes, the leader's process is killed: the time to a new leader in ticks of 10 ms, over many seeds.
    /// </summary>
    [Fact]
    public void New_leader_is_there_within_a_hundred_and_fifty_milliseconds_of_a_kill()
    {
        var ticks = new List<int>();
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var cluster = new Cluster(3, id => Options(id.Value) with { Seed = (seed * 100) + id.Value });
            cluster.StartAll();
            var dead = cluster.SettleWithLeader();
            dead.Crash(surviving: 0);
            Array.ForEach(cluster.Nodes, node => node.Step(new ConnectionLost(dead.Id)));
            var count = 0;
            while (cluster.Leader is null)
            {
                cluster.TickAll();
                cluster.Settle();
                Assert.True(++count <= 15, $"Seed {seed}: no leader after {count} ticks.");
            }

            ticks.Add(count);
        }

        ticks.Sort();
        Assert.InRange(ticks[100], 1, 5);
    }

    private static bool Grants(RaftNode node, bool isPreVote, ulong? lostLeader)
    {
        var effects = node.Step(new Receive(Messages.RequestVote(3, 2, isPreVote: isPreVote, lostLeader: lostLeader)));
        return Assert.IsType<VoteReply>(Assert.Single(isPreVote ? effects.Send : effects.SendAfterSync)).Granted;
    }
}
