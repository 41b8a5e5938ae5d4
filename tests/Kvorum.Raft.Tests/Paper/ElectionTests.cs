using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>Paper §5.1, §5.2, §5.4.1 and Figure 2 (RequestVote; followers, candidates).</summary>
public sealed class ElectionTests
{
    [Fact]
    public void Replica_starts_as_a_follower_without_a_leader()
    {
        var node = Started(term: 4, votedFor: 2);

        Assert.Equal(Role.Follower, node.Role);
        Assert.Null(node.Leader);
        Assert.Equal(4UL, node.Term.Value);
    }

    [Fact]
    public void Follower_campaigns_only_after_one_to_two_election_timeouts()
    {
        for (ulong seed = 1; seed < 40; seed++)
        {
            var node = Started(options: Options() with { Seed = seed });
            node.Step(new Receive(Messages.Heartbeat(2, 1)));
            Assert.InRange(TickUntil(node, Role.PreCandidate), 100, 199);
        }
    }

    [Fact]
    public void Replica_that_just_started_asks_after_two_heartbeats_to_one_election_timeout()
    {
        for (ulong seed = 1; seed < 40; seed++)
        {
            var node = Started(options: Options() with { Seed = seed });
            Assert.InRange(TickUntil(node, Role.PreCandidate), 20, 100);
        }
    }

    [Fact]
    public void Election_timeouts_differ_from_seed_to_seed()
    {
        var timeouts = Enumerable.Range(1, 40)
            .Select(seed => TickUntil(Started(options: Options() with { Seed = (ulong)seed }), Role.PreCandidate)).ToHashSet();
        Assert.True(timeouts.Count > 15);
    }

    [Fact]
    public void Heartbeat_resets_the_election_timer()
    {
        var node = Follower(term: 1);
        for (var i = 0; i < 10; i++)
        {
            TickFor(node, 99);
            node.Step(new Receive(Messages.Heartbeat(2, 1)));
        }

        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Candidate_enters_the_next_term_and_votes_for_itself()
    {
        var node = PreCandidate(term: 4);

        var effects = node.Step(new Receive(Messages.VoteReply(2, 5, isPreVote: true)));

        Assert.Equal(new HardState(new Term(5), new NodeId(1)), effects.HardState);
        Assert.Equal(Role.Candidate, node.Role);

        // They speak of a log end that a crash may take back, so they wait for the disk.
        Assert.Empty(effects.Send);
        Assert.All(effects.SendAfterSync.OfType<RequestVote>(), request => Assert.False(request.IsPreVote));
        Assert.Equal([2UL, 3UL], effects.SendAfterSync.OfType<RequestVote>().Select(request => request.To.Value));
    }

    [Fact]
    public void Candidate_with_votes_of_a_majority_leads()
    {
        var node = Candidate(nodes: 5);

        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false)));
        Assert.Equal(Role.Candidate, node.Role);
        node.Step(new Receive(Messages.VoteReply(3, 1, isPreVote: false)));
        Assert.Equal(Role.Leader, node.Role);
    }

    [Fact]
    public void Repeated_vote_counts_once()
    {
        var node = Candidate(nodes: 5);

        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false)));
        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false)));
        Assert.Equal(Role.Candidate, node.Role);
    }

    [Fact]
    public void Own_vote_counts_only_once_it_is_durable()
    {
        var node = PreCandidate();
        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: true)));

        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false)));
        node.Step(new Receive(Messages.VoteReply(3, 1, isPreVote: false)));
        Assert.Equal(Role.Candidate, node.Role); // Even both others do not suffice: the term itself could be forgotten.

        node.Step(new Persisted(new WriteId(1)));
        Assert.Equal(Role.Leader, node.Role);
    }

    [Fact]
    public void Sync_of_an_earlier_write_does_not_count_as_the_own_vote()
    {
        var node = Follower();
        var append = node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, Entries(0, 1)))).Write;
        TickUntil(node, Role.PreCandidate);
        node.Step(new Receive(Messages.VoteReply(3, 2, isPreVote: true)));
        node.Step(new Receive(Messages.VoteReply(3, 2, isPreVote: false)));

        node.Step(new Persisted(append));
        Assert.Equal(Role.Candidate, node.Role);
    }

    [Fact]
    public void Candidate_with_a_slow_disk_does_not_start_another_campaign()
    {
        var node = PreCandidate();
        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: true)));

        TickFor(node, 1_000);
        Assert.Equal(1UL, node.Term.Value);
    }

    [Fact]
    public void Candidate_refused_by_a_majority_waits_as_a_follower()
    {
        var node = Candidate();

        node.Step(new Receive(Messages.VoteReply(2, 1, isPreVote: false, granted: false)));
        node.Step(new Receive(Messages.VoteReply(3, 1, isPreVote: false, granted: false)));
        Assert.Equal(Role.Follower, node.Role);
        Assert.Equal(1UL, node.Term.Value);
    }

    [Fact]
    public void Candidate_that_hears_this_terms_leader_follows_it()
    {
        var node = Candidate();

        node.Step(new Receive(Messages.Append(3, 1, EntryId.Start, 0, Entries(0, 1))));
        Assert.Equal(Role.Follower, node.Role);
        Assert.Equal(new NodeId(3), node.Leader);
    }

    [Fact]
    public void Candidate_without_an_outcome_campaigns_again()
    {
        var node = Candidate();
        TickUntil(node, Role.PreCandidate);
        Assert.Equal(1UL, node.Term.Value);
    }

    [Fact]
    public void Late_vote_of_an_older_term_is_ignored()
    {
        var node = Candidate(term: 5);
        node.Step(new Receive(Messages.VoteReply(2, 5, isPreVote: false)));
        Assert.Equal(Role.Candidate, node.Role);
    }

    [Fact]
    public void Follower_votes_once_per_term_and_the_reply_waits_for_the_disk()
    {
        var node = Started(term: 4);

        var first = node.Step(new Receive(Messages.RequestVote(2, 5)));
        Assert.True(Sent<VoteReply>(first.SendAfterSync, 2).Granted);
        Assert.Empty(first.Send);
        Assert.Equal(new HardState(new Term(5), new NodeId(2)), first.HardState);
        Assert.NotEqual(WriteId.None, first.Write);

        var second = node.Step(new Receive(Messages.RequestVote(3, 5)));
        Assert.False(Sent<VoteReply>(second.SendAfterSync, 3).Granted);
        Assert.Null(second.HardState);
    }

    [Fact]
    public void Repeated_request_of_the_same_candidate_is_granted_again_after_the_disk()
    {
        var node = Started(term: 5, votedFor: 2);

        var effects = node.Step(new Receive(Messages.RequestVote(2, 5)));
        Assert.True(Sent<VoteReply>(effects.SendAfterSync, 2).Granted);
    }

    [Fact]
    public void Vote_of_before_a_restart_still_binds()
    {
        var node = Started(term: 5, votedFor: 3);
        Assert.False(Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(2, 5))).SendAfterSync, 2).Granted);
    }

    [Theory]
    [InlineData(2, 2, true)] // The same.
    [InlineData(2, 3, true)] // Same term, longer.
    [InlineData(3, 1, true)] // Later term, shorter.
    [InlineData(2, 1, false)] // Same term, shorter.
    [InlineData(1, 9, false)] // Earlier term, longer.
    public void Vote_goes_only_to_a_log_at_least_as_up_to_date(ulong lastTerm, ulong lastIndex, bool granted)
    {
        var node = Started(term: 3, log: [1, 2]);

        var effects = node.Step(new Receive(Messages.RequestVote(2, 4, Id(lastTerm, lastIndex))));
        Assert.Equal(granted, Sent<VoteReply>(effects.SendAfterSync, 2).Granted);
        Assert.Equal(4UL, node.Term.Value); // Refused or not, the newer term counts (§5.1).
    }

    [Fact]
    public void Request_of_an_older_term_is_refused_with_the_newer_one()
    {
        var node = Started(term: 7);

        var reply = Sent<VoteReply>(node.Step(new Receive(Messages.RequestVote(2, 6))).SendAfterSync, 2);
        Assert.False(reply.Granted);
        Assert.Equal(7UL, reply.Term.Value);
    }

    [Fact]
    public void Leader_that_hears_a_newer_term_steps_down()
    {
        var node = Leader();

        var effects = node.Step(new Receive(new AppendReply(
            Group, new NodeId(2), new NodeId(1), new Term(9), false, LogIndex.Zero, EntryId.Start)));
        Assert.Equal(Role.Follower, node.Role);
        Assert.Equal(new HardState(new Term(9), null), effects.HardState);
    }

    [Fact]
    public void Two_leaders_of_one_term_stop_the_replica()
    {
        var node = Leader();
        Assert.Throws<InvariantException>(() => node.Step(new Receive(Messages.Heartbeat(2, 1))));
    }

    [Fact]
    public void Leader_opens_its_term_with_a_no_op()
    {
        var node = Candidate(term: 1, log: [1]);

        var effects = node.Step(new Receive(Messages.VoteReply(2, 2, isPreVote: false)));
        var entry = Assert.Single(effects.Append);
        Assert.Equal((Id(2, 2), EntryKind.NoOp), (entry.Id, entry.Kind));
        Assert.Equal(Id(1, 1), Sent<AppendEntries>(effects.Send, 3).Previous);
    }

    [Fact]
    public void Messages_of_others_are_dropped()
    {
        var node = Started(term: 1);
        var request = Messages.RequestVote(2, 9);

        foreach (var foreign in new[]
        {
            request with { Group = new GroupId(2) }, request with { To = new NodeId(3) },
            request with { From = new NodeId(1) },
        })
        {
            var effects = node.Step(new Receive(foreign));
            Assert.Empty(effects.Send);
            Assert.Empty(effects.SendAfterSync);
            Assert.Equal(1UL, node.Term.Value);
        }
    }

    [Fact]
    public void Lone_voter_leads_after_its_first_tick_and_its_vote_on_disk()
    {
        var node = Started(nodes: 1);

        var effects = node.Step(Tick.Instance);
        Assert.Equal(Role.Candidate, node.Role);
        node.Step(new Persisted(effects.Write));
        Assert.Equal(Role.Leader, node.Role);
    }
}
