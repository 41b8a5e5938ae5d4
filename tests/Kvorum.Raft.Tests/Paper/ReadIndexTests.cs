using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>Thesis §6.4: reads without the log, at the leader and at followers.</summary>
public sealed class ReadIndexTests
{
    [Fact]
    public void Leader_confirms_itself_with_a_majority_before_it_answers()
    {
        var node = SettledLeader();

        var effects = node.Step(new ReadBarrier(5));
        Assert.Empty(effects.Reads);
        var round = Sent<Heartbeat>(effects.Send, 2).ReadRound;
        effects = node.Step(new Receive(Messages.HeartbeatReply(2, 1, round)));
        Assert.Equal([new ReadOutcome(5, true, new LogIndex(1))], effects.Reads);
    }

    [Fact]
    public void Majority_of_five_needs_two_peers()
    {
        var node = SettledLeader(nodes: 5);
        var round = Sent<Heartbeat>(node.Step(new ReadBarrier(5)).Send, 2).ReadRound;
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 1, round))).Reads);
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 1, round))).Reads);
        Assert.Single(node.Step(new Receive(Messages.HeartbeatReply(3, 1, round))).Reads);
    }

    [Fact]
    public void Answer_to_an_earlier_heartbeat_confirms_nothing()
    {
        var node = SettledLeader();
        node.Step(new ReadBarrier(5));
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 1, 0))).Reads);
    }

    [Fact]
    public void Answer_of_a_peer_without_standing_confirms_nothing()
    {
        var node = SettledLeader();
        node.Step(new Standing(new NodeId(2), MayVote: false));
        node.Step(new ReadBarrier(5));
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 1, 1))).Reads);
        Assert.Single(node.Step(new Receive(Messages.HeartbeatReply(3, 1, 1))).Reads);
    }

    [Fact]
    public void Reads_that_come_while_all_rounds_are_under_way_share_the_next_one()
    {
        var node = SettledLeader();
        for (ulong id = 1; id <= RaftNode.ReadRoundsMax; id++)
        {
            Assert.NotEmpty(node.Step(new ReadBarrier(id)).Send);
        }

        Assert.Empty(node.Step(new ReadBarrier(10)).Send);
        Assert.Empty(node.Step(new ReadBarrier(11)).Send);
        var effects = node.Step(new Receive(Messages.HeartbeatReply(2, 1, RaftNode.ReadRoundsMax)));
        Assert.Equal(RaftNode.ReadRoundsMax, effects.Reads.Count);
        var next = Sent<Heartbeat>(effects.Send, 3).ReadRound;
        Assert.Equal([10UL, 11UL], node.Step(new Receive(Messages.HeartbeatReply(2, 1, next))).Reads.Select(read => read.RequestId));
    }

    [Fact]
    public void Lost_round_is_carried_by_the_next_heartbeat()
    {
        var node = SettledLeader();
        var round = Sent<Heartbeat>(node.Step(new ReadBarrier(5)).Send, 2).ReadRound;
        Assert.All(TickFor(node, 10).OfType<Heartbeat>(), beat => Assert.Equal(round, beat.ReadRound));
    }

    [Fact]
    public void New_leader_holds_reads_until_an_entry_of_its_own_term_is_committed()
    {
        var node = Leader(term: 1, log: [1, 1]);
        Assert.DoesNotContain(node.Step(new ReadBarrier(5)).Send, message => message is Heartbeat);

        node.Step(new Receive(Messages.Accept(2, 2, 3)));
        var effects = node.Step(new Persisted(new WriteId(2)));
        Assert.Equal(3UL, node.CommitIndex.Value);
        var round = Sent<Heartbeat>(effects.Send, 3).ReadRound;
        Assert.Equal([new ReadOutcome(5, true, new LogIndex(3))], node.Step(new Receive(Messages.HeartbeatReply(3, 2, round))).Reads);
    }

    [Fact]
    public void Lone_voter_answers_at_once()
    {
        var node = Started(nodes: 1);
        node.Step(new Persisted(node.Step(new Persisted(node.Step(Tick.Instance).Write)).Write));
        Assert.Equal([new ReadOutcome(1, true, new LogIndex(1))], node.Step(new ReadBarrier(1)).Reads);
    }

    [Fact]
    public void Deposed_leader_refuses_what_it_could_not_confirm()
    {
        var node = SettledLeader();
        node.Step(new ReadBarrier(5));
        node.Step(new Receive(new ReadIndexRequest(Group, new NodeId(3), new NodeId(1), new Term(1), 6)));

        var effects = node.Step(new Receive(Messages.Heartbeat(2, 2)));
        Assert.Equal([new ReadOutcome(5, false, LogIndex.Zero)], effects.Reads);
        Assert.True(Sent<ReadIndexReply>(effects.Send, 3) is { RequestId: 6, Accepted: false });
    }

    [Fact]
    public void Confirmation_of_an_older_term_is_worthless()
    {
        var node = SettledLeader(term: 3);
        node.Step(new ReadBarrier(5));
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 3, 1))).Reads);
        Assert.Single(node.Step(new Receive(Messages.HeartbeatReply(2, 4, 1))).Reads);
    }

    [Fact]
    public void Reads_beyond_the_limit_are_refused_and_make_room_when_answered()
    {
        var node = SettledLeader(options: Options() with { ReadsMax = 2 });
        node.Step(new ReadBarrier(1));
        node.Step(new ReadBarrier(2));
        Assert.Equal([new ReadOutcome(3, false, LogIndex.Zero)], node.Step(new ReadBarrier(3)).Reads);
        Assert.Equal(2, node.Step(new Receive(Messages.HeartbeatReply(2, 1, 2))).Reads.Count);
        Assert.Empty(node.Step(new ReadBarrier(4)).Reads);
    }

    [Fact]
    public void Follower_asks_the_leader_and_passes_its_answer_on()
    {
        var node = Follower();
        Assert.Equal(5UL, Sent<ReadIndexRequest>(node.Step(new ReadBarrier(5)).Send, 2).RequestId);
        var reply = new ReadIndexReply(Group, new NodeId(2), new NodeId(1), new Term(1), 5, true, new LogIndex(8));
        Assert.Equal([new ReadOutcome(5, true, new LogIndex(8))], node.Step(new Receive(reply)).Reads);
        Assert.Empty(node.Step(new Receive(reply)).Reads); // A repeated answer is nobody's.
    }

    [Fact]
    public void Leader_answers_a_follower_after_confirmation()
    {
        var node = SettledLeader();
        var request = new ReadIndexRequest(Group, new NodeId(3), new NodeId(1), new Term(1), 6);
        var effects = node.Step(new Receive(request));
        Assert.DoesNotContain(effects.Send, message => message is ReadIndexReply);
        effects = node.Step(new Receive(Messages.HeartbeatReply(2, 1, 1)));
        Assert.True(Sent<ReadIndexReply>(effects.Send, 3) is { Accepted: true, Index.Value: 1 });
    }

    [Fact]
    public void Replica_that_does_not_lead_refuses_a_followers_read()
    {
        var request = new ReadIndexRequest(Group, new NodeId(3), new NodeId(1), new Term(1), 6);
        Assert.False(Sent<ReadIndexReply>(Follower().Step(new Receive(request)).Send, 3).Accepted);
    }

    [Fact]
    public void Follower_without_a_leader_or_without_its_connection_refuses_at_once()
    {
        Assert.False(Assert.Single(Started().Step(new ReadBarrier(1)).Reads).Accepted);
        var node = Follower();
        node.Step(new ReadBarrier(1));
        Assert.Equal([1UL], node.Step(new ConnectionLost(new NodeId(2))).Reads.Select(read => read.RequestId));
        Assert.False(Assert.Single(node.Step(new ReadBarrier(2)).Reads).Accepted);
    }

    [Fact]
    public void Follower_refuses_its_waiting_reads_when_the_leader_changes()
    {
        var node = Follower();
        node.Step(new ReadBarrier(1));
        Assert.False(Assert.Single(node.Step(new Receive(Messages.Heartbeat(3, 2))).Reads).Accepted);
    }

    [Fact]
    public void Follower_gives_up_a_read_whose_answer_was_lost()
    {
        var node = Follower();
        node.Step(new ReadBarrier(1));
        TickFor(node, 19);
        Assert.False(Assert.Single(node.Step(Tick.Instance).Reads).Accepted);
    }

    [Fact]
    public void Follower_holds_no_more_reads_than_the_limit()
    {
        var node = Follower(options: Options() with { ReadsMax = 1 });
        Assert.Empty(node.Step(new ReadBarrier(1)).Reads);
        Assert.False(Assert.Single(node.Step(new ReadBarrier(2)).Reads).Accepted);
    }
}
