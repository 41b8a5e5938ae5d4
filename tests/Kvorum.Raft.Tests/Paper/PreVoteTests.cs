using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Thesis §9.6 (pre-vote), §4.2.3 (a heard leader is not deposed), §6.2 (check-quorum), §3.10 (transfer).
/// </summary>
public sealed class PreVoteTests
{
    [Fact]
    public void Pre_vote_raises_nobodys_term()
    {
        var node = Started(term: 3);

        var effects = node.Step(new Receive(Messages.RequestVote(2, 9, isPreVote: true)));
        var reply = Sent<VoteReply>(effects.Send, 2);
        Assert.True(reply is { Granted: true, IsPreVote: true });
        Assert.Equal(9UL, reply.Term.Value);
        Assert.Equal(3UL, node.Term.Value);
        Assert.Null(effects.HardState);
    }

    [Fact]
    public void Pre_candidate_asks_without_writing()
    {
        var node = Started(term: 3);
        Effects effects;
        do
        {
            effects = node.Step(Tick.Instance);
        }
        while (node.Role == Role.Follower);

        Assert.Equal(WriteId.None, effects.Write);
        Assert.All(effects.Send.OfType<RequestVote>(), request => Assert.True(request is { IsPreVote: true, Term.Value: 4 }));
        Assert.Equal(2, effects.Send.Count);
    }

    [Fact]
    public void Pre_candidate_refused_by_a_majority_keeps_its_term()
    {
        var node = PreCandidate(term: 3);

        node.Step(new Receive(Messages.VoteReply(2, 3, isPreVote: true, granted: false)));
        node.Step(new Receive(Messages.VoteReply(3, 3, isPreVote: true, granted: false)));
        Assert.Equal((Role.Follower, 3UL), (node.Role, node.Term.Value));
    }

    [Fact]
    public void Refusal_with_a_newer_term_is_believed()
    {
        var node = PreCandidate(term: 3);
        node.Step(new Receive(Messages.VoteReply(2, 8, isPreVote: true, granted: false)));
        Assert.Equal((Role.Follower, 8UL), (node.Role, node.Term.Value));
    }

    [Fact]
    public void Pre_vote_needs_an_up_to_date_log()
    {
        var node = Started(term: 2, log: [1, 2]);
        Assert.False(Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(2, 3, Id(1, 5), isPreVote: true))).Send, 2).Granted);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Follower_that_hears_a_leader_refuses_and_keeps_its_term(bool isPreVote)
    {
        var node = Follower(term: 3);

        var effects = node.Step(new Receive(Messages.RequestVote(3, 9, isPreVote: isPreVote)));
        Assert.False(Assert.IsType<VoteReply>(Assert.Single(isPreVote ? effects.Send : effects.SendAfterSync)).Granted);
        Assert.Equal((3UL, new NodeId(2)), (node.Term.Value, node.Leader));
    }

    [Fact]
    public void Follower_votes_again_once_the_leader_is_silent_for_an_election_timeout()
    {
        var node = Follower(term: 3);
        TickFor(node, 99);
        Assert.False(Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(3, 4, isPreVote: true))).Send, 3).Granted);
        node.Step(Tick.Instance);
        Assert.True(Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(3, 4, isPreVote: true))).Send, 3).Granted);
    }

    [Fact]
    public void Leader_refuses_votes_while_it_leads()
    {
        var node = SettledLeader();
        node.Step(new Receive(Messages.RequestVote(3, 9)));
        Assert.Equal(Role.Leader, node.Role);
    }

    [Fact]
    public void Transfer_campaign_is_not_refused_because_a_leader_is_heard()
    {
        var node = Follower(term: 3);
        var effects = node.Step(new Receive(Messages.RequestVote(3, 4, isTransfer: true)));
        Assert.True(Sent<VoteReply>(effects.SendAfterSync, 3).Granted);
    }

    [Fact]
    public void Leader_that_campaigns_is_no_leader_any_more()
    {
        var node = Follower(term: 3);
        var effects = node.Step(new Receive(Messages.RequestVote(2, 4, isPreVote: true)));
        Assert.True(Sent<VoteReply>(effects.Send, 2).Granted);
        Assert.Null(node.Leader);
    }

    [Fact]
    public void Leader_without_a_majority_for_an_election_timeout_steps_down()
    {
        var node = SettledLeader();
        TickFor(node, 99);
        Assert.Equal(Role.Leader, node.Role);

        var effects = node.Step(Tick.Instance);
        Assert.Equal(Role.Follower, node.Role);
        Assert.Contains(new QuorumLost(new Term(1)), effects.Events);
    }

    [Fact]
    public void One_peer_of_two_is_contact_enough()
    {
        var node = SettledLeader();
        for (var i = 0; i < 50; i++)
        {
            TickFor(node, 10);
            node.Step(new Receive(Messages.HeartbeatReply(3, 1)));
        }

        Assert.Equal(Role.Leader, node.Role);
    }

    [Fact]
    public void Timeout_now_starts_a_campaign_at_once_without_pre_vote()
    {
        var node = Follower(term: 3);

        var effects = node.Step(new Receive(new TimeoutNow(Group, new NodeId(2), new NodeId(1), new Term(3))));
        Assert.True(Sent<RequestVote>(effects.SendAfterSync, 2) is { IsTransfer: true, IsPreVote: false, Term.Value: 4 });
        Assert.Equal(Role.Candidate, node.Role);
    }

    [Fact]
    public void Timeout_now_of_somebody_else_is_ignored()
    {
        var node = Follower(term: 3);
        node.Step(new Receive(new TimeoutNow(Group, new NodeId(3), new NodeId(1), new Term(3))));
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Transfer_waits_until_the_best_peer_has_everything()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new Receive(Messages.Accept(3, 1, 1)));

        Assert.DoesNotContain(node.Step(new TransferLeadership()).Send, message => message is TimeoutNow);
        Assert.Equal(ProposeResult.Refused, node.Step(Propose("b")).Proposed!.Value.Result);
        var effects = node.Step(new Receive(Messages.Accept(2, 1, 2)));
        Assert.Contains(effects.Send, message => message is TimeoutNow { To.Value: 2 });
    }

    [Fact]
    public void Transfer_is_given_up_after_an_election_timeout()
    {
        var node = SettledLeader();
        node.Step(new TransferLeadership());
        for (var i = 0; i < 10; i++)
        {
            TickFor(node, 10);
            node.Step(new Receive(Messages.HeartbeatReply(2, 1)));
        }

        Assert.Equal(ProposeResult.Appended, node.Step(Propose("b")).Proposed!.Value.Result);
    }

    [Fact]
    public void Node_without_standing_neither_votes_nor_campaigns()
    {
        var node = Started(term: 3);
        node.Step(new Standing(new NodeId(1), MayVote: false));

        Assert.False(Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(2, 4))).SendAfterSync, 2).Granted);
        Assert.Empty(TickFor(node, 1_000));
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Vote_of_a_peer_without_standing_does_not_count()
    {
        var node = Candidate();
        node.Step(new Standing(new NodeId(2), MayVote: false));

        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false)));
        Assert.Equal(Role.Candidate, node.Role);
        node.Step(new Receive(Messages.VoteReply(3, 1, isPreVote: false)));
        Assert.Equal(Role.Leader, node.Role);
    }

    [Fact]
    public void Standing_lost_before_the_start_is_known_from_the_recovered_state()
    {
        var node = new RaftNode(Options(), Recovered(3) with { MayVote = false });
        Assert.Empty(TickFor(node, 1_000));
    }
}
