using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>Thesis ch. 4: who is a member, and how that changes.</summary>
public sealed class MembershipTests
{
    [Fact]
    public void Membership_is_in_force_from_its_append() // Thesis §4.1.
    {
        var node = SettledLeader();
        node.Step(Add(4));
        Assert.True(node.Membership.IsLearner(new NodeId(4)));
        Assert.False(node.CommittedMembership.Contains(new NodeId(4)));
    }

    [Fact]
    public void Membership_that_is_cut_gives_way_to_the_one_before()
    {
        var node = Follower();
        var other = new Membership([new NodeId(1), new NodeId(2)], []);
        var entry = new LogEntry(Id(1, 1), EntryKind.Membership, MembershipCodec.Encode(other));
        node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, entry)));
        Assert.Equal(other, node.Membership);
        node.Step(new Receive(Messages.Append(3, 2, EntryId.Start, 0, Entries(0, 2))));
        Assert.Equal(Members(3), node.Membership);
    }

    [Fact]
    public void Change_waits_for_a_commit_of_the_leaders_own_term()
    {
        var node = Leader();
        Assert.Equal(AdminResult.Busy, Assert.Single(node.Step(Add(4)).Admin).Result);
    }

    [Fact]
    public void Second_change_waits_for_the_first()
    {
        var node = SettledLeader();
        Assert.Equal(AdminResult.Accepted, Assert.Single(node.Step(Add(4)).Admin).Result);
        Assert.Equal(AdminResult.Busy, Assert.Single(node.Step(Add(5)).Admin).Result);
    }

    [Fact]
    public void Learner_counts_for_nothing()
    {
        var node = SettledLeader();
        node.Step(Add(4));
        node.Step(new Persisted(new WriteId(3)));
        node.Step(new Receive(Messages.Accept(4, 1, 2)));
        Assert.Equal(1UL, node.CommitIndex.Value);
        node.Step(new Receive(Messages.Accept(2, 1, 2)));
        Assert.Equal(2UL, node.CommitIndex.Value);
    }

    [Fact]
    public void New_learner_is_sent_the_log_although_nothing_is_written_after_it()
    {
        var append = Sent<AppendEntries>(SettledLeader().Step(Add(4)).Send, to: 4);
        Assert.Equal(Id(1, 1), append.Previous);
    }

    [Fact]
    public void Learner_that_comes_with_another_directory_is_sent_the_log_although_nothing_is_written()
    {
        var node = SettledLeader();
        node.Step(Add(4));
        node.Step(new Standing(new NodeId(4), MayVote: true, Incarnation: 44));
        node.Step(new Receive(Messages.Accept(4, 1, 2)));
        var effects = node.Step(new Standing(new NodeId(4), MayVote: false, Incarnation: 55));
        Assert.Equal(Id(1, 1), Sent<AppendEntries>(effects.Send, to: 4).Previous);
    }

    [Fact]
    public void Removed_leader_leads_until_that_is_committed_and_does_not_count_itself() // Thesis §4.2.2.
    {
        var node = SettledLeader();
        node.Step(new ChangeMembers(new MembershipChange(MembershipChangeKind.Remove, new NodeId(1), null), false, 9));
        Assert.True(node.Membership.IsJoint);
        node.Step(new Persisted(new WriteId(3)));
        node.Step(new Receive(Messages.Accept(2, 1, 2)));
        Assert.Equal(1UL, node.CommitIndex.Value); // Of the new voters 2 and 3 one is not enough.
        node.Step(new Receive(Messages.Accept(3, 1, 2)));
        Assert.False(node.Membership.IsJoint);
        Assert.Equal(Role.Leader, node.Role);
        node.Step(new Receive(Messages.Accept(2, 1, 3)));
        var effects = node.Step(new Receive(Messages.Accept(3, 1, 3)));
        Assert.True(node.IsRemoved);
        Assert.Contains(effects.Send, message => message is TimeoutNow);
    }

    [Fact]
    public void Removed_voter_campaigns_until_its_removal_is_committed()
    {
        var node = Follower();
        var others = new Membership([new NodeId(2), new NodeId(3)], []);
        var entry = new LogEntry(Id(1, 1), EntryKind.Membership, MembershipCodec.Encode(others));
        node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, entry)));
        TickUntil(node, Role.PreCandidate);
        node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 1)));
        TickFor(node, 400);
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Removed_voter_that_started_anew_campaigns_although_its_promotion_is_not_known_to_be_committed()
    {
        var me = MemberRecord.Of(new NodeId(1)) with { Incarnation = 11 };
        var learns = new Membership([new NodeId(2)], [], [new NodeId(1)], [], [me, MemberRecord.Of(new NodeId(2))], []);
        var votes = new Membership(
            [new NodeId(1), new NodeId(2)], [], [], [], [me, MemberRecord.Of(new NodeId(2))], []);
        var gone = new Membership([new NodeId(2)], [], [], [], [MemberRecord.Of(new NodeId(2))], [new NodeId(1)]);
        LogEntry Of(ulong index, Membership membership) =>
            new(Id(1, index), EntryKind.Membership, MembershipCodec.Encode(membership));

        var node = new RaftNode(Options() with { Incarnation = 11, IsJoining = true }, Recovered(0) with
        {
            Membership = learns,
            Entries = [Of(1, votes), Of(2, gone)],
        });
        Assert.True(node.MayVote);
        TickUntil(node, Role.PreCandidate);
        Assert.All(TickFor(node, 400).OfType<RequestVote>(), request => Assert.Equal(11UL, request.Incarnation));
    }

    [Fact]
    public void Node_that_joins_follows_a_leader_it_does_not_know_and_never_campaigns()
    {
        var node = new RaftNode(Options(), Recovered(0));
        node.Step(new Receive(Messages.Heartbeat(2, 1)));
        Assert.Equal(new NodeId(2), node.Leader);
        TickFor(node, 400);
        Assert.Equal(Role.Follower, node.Role);
    }

    [Fact]
    public void Node_that_is_told_of_its_removal_says_so_and_stops_campaigning()
    {
        var node = Started();
        var others = new Membership([new NodeId(2), new NodeId(3)], [], [], [], [], [new NodeId(1)]);
        var effects = node.Step(new Receive(new MembershipNotice(
            Group, new NodeId(2), new NodeId(1), new Term(1), new LogIndex(9), others)));
        Assert.Contains(effects.Events, happened => happened is RemovedFromCluster);
        TickFor(node, 400);
        Assert.Equal(Role.Follower, node.Role);
        Assert.True(node.IsRemoved);
    }

    [Fact]
    public void Candidate_tells_who_it_is_and_where()
    {
        var me = new MemberRecord(new NodeId(1), 0, false, null, "n1", "http://n1:2380", []);
        var node = new RaftNode(Options(), Recovered(0) with
        {
            Membership = Membership.Initial([me, MemberRecord.Of(new NodeId(2)), MemberRecord.Of(new NodeId(3))]),
        });
        var asked = new List<RequestVote>();
        while (node.Role is not Role.PreCandidate)
        {
            asked.AddRange(node.Step(Tick.Instance).Send.OfType<RequestVote>());
        }

        Assert.Equal([me, me], asked.Select(request => request.Candidate));
    }

    [Fact]
    public void Voter_can_answer_a_candidate_that_came_while_it_was_away()
    {
        var node = Started();
        node.Step(new Receive(CallOf(4, "http://n4:2380", new EntryId(new Term(1), new LogIndex(9)))));
        Assert.Equal("http://n4:2380", AddressAt(node, 4));
        Assert.Equal(Members(3), node.Membership); // It is no member for that.
    }

    [Fact]
    public void Candidate_that_moved_is_answered_where_it_is()
    {
        var node = Started();
        node.Step(new Receive(CallOf(3, "http://elsewhere:2380", new EntryId(new Term(1), new LogIndex(9)))));
        Assert.Equal("http://elsewhere:2380", AddressAt(node, 3));

        // What the log says later is newer.
        var here = new MemberRecord(new NodeId(3), 0, false, null, "n3", "http://here:2380", []);
        var moved = Membership.Initial([MemberRecord.Of(new NodeId(1)), MemberRecord.Of(new NodeId(2)), here]);
        var entry = new LogEntry(Id(2, 1), EntryKind.Membership, MembershipCodec.Encode(moved));
        node.Step(new Receive(Messages.Append(2, 2, EntryId.Start, 0, entry)));
        Assert.Equal("http://here:2380", AddressAt(node, 3));
    }

    [Fact]
    public void Candidate_is_not_believed_about_itself_while_a_leader_is_heard_or_with_an_older_log()
    {
        var follower = Follower();
        follower.Step(new Receive(CallOf(4, "http://n4:2380", new EntryId(new Term(1), new LogIndex(9)))));
        Assert.Null(AddressAt(follower, 4));

        var ahead = Started(log: [1, 1]);
        ahead.Step(new Receive(CallOf(4, "http://n4:2380", new EntryId(new Term(1), new LogIndex(1)))));
        Assert.Null(AddressAt(ahead, 4));
    }

    [Fact]
    public void Candidate_that_was_removed_is_not_looked_for()
    {
        var members = new Membership([new NodeId(1), new NodeId(2)], [], [], [], [], [new NodeId(4)]);
        var node = new RaftNode(Options(), Recovered(0) with { Membership = members });
        node.Step(new Receive(CallOf(4, "http://n4:2380", new EntryId(new Term(1), new LogIndex(9)))));
        Assert.Null(AddressAt(node, 4));
    }

    [Fact]
    public void Leader_that_moved_while_a_follower_was_away_is_answered_where_it_is()
    {
        var node = Started();
        var leader = new MemberRecord(new NodeId(2), 0, false, null, "n2", "http://elsewhere:2380", []);
        var members = Membership.Initial([MemberRecord.Of(new NodeId(1)), leader, MemberRecord.Of(new NodeId(3))]);
        node.Step(new Receive(new MembershipNotice(
            Group, new NodeId(2), new NodeId(1), new Term(1), new LogIndex(9), members)));
        Assert.Equal("http://elsewhere:2380", AddressAt(node, 2));
    }

    [Fact]
    public void Leader_that_goes_is_answered_until_its_removal_is_committed()
    {
        var node = Follower();
        NodeId[] all = [new NodeId(1), new NodeId(2), new NodeId(3)];
        var joint = new Membership([new NodeId(1), new NodeId(3)], all, [], [], [], []);
        var after = new Membership([new NodeId(1), new NodeId(3)], [], [], [], [], [new NodeId(2)]);
        var first = new LogEntry(Id(1, 1), EntryKind.Membership, MembershipCodec.Encode(joint));
        var second = new LogEntry(Id(1, 2), EntryKind.Membership, MembershipCodec.Encode(after));
        node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, first, second)));
        Assert.Equal(after, node.Membership);
        Assert.NotNull(AddressAt(node, 2));

        node.Step(new Receive(Messages.Append(2, 1, Id(1, 2), 2)));
        Assert.Equal(after, node.CommittedMembership);
        Assert.Null(AddressAt(node, 2));
    }

    [Fact]
    public void Removed_id_is_never_used_again_and_the_last_voter_stays()
    {
        var now = new Membership([new NodeId(1)], [], [], [], [], [new NodeId(7)]);
        var again = new MembershipChange(MembershipChangeKind.Add, new NodeId(7), MemberRecord.Of(new NodeId(7)));
        Assert.Contains("use a new name", Refusal(again, now), StringComparison.Ordinal);
        var last = new MembershipChange(MembershipChangeKind.Remove, new NodeId(1), null);
        Assert.Contains("last voter", Refusal(last, now), StringComparison.Ordinal);
    }

    [Fact]
    public void Voter_that_lost_its_memory_is_demoted_and_promoted_under_its_new_incarnation()
    {
        var node = SettledLeader();
        node.Step(new Standing(new NodeId(3), MayVote: false, Incarnation: 77));
        Assert.Equal([new NodeId(3)], node.Membership.LearnersNext.ToArray());
        Commit(node, write: 3, peer: 2, index: 2);
        Assert.True(node.Membership.IsLearner(new NodeId(3)));
        Commit(node, write: 4, peer: 2, index: 3);
        node.Step(new Receive(Messages.Accept(3, 1, 3)));
        for (var tick = 0; tick < 60; tick++)
        {
            node.Step(new Receive(Messages.HeartbeatReply(2, 1)));
            node.Step(new Receive(Messages.HeartbeatReply(3, 1)));
            node.Step(Tick.Instance);
        }

        Assert.True(node.Membership.IsVoter(new NodeId(3)));
        Assert.Equal(77UL, node.Membership.Find(new NodeId(3))!.Incarnation);
        Assert.True(node.MayVoteOf(new NodeId(3)));
    }

    private static RequestVote CallOf(ulong candidate, string peerUrl, EntryId last) =>
        Messages.RequestVote(candidate, term: 2, last, isPreVote: true) with
        {
            Candidate = new MemberRecord(new NodeId(candidate), 0, false, null, $"n{candidate}", peerUrl, []),
        };

    private static string? AddressAt(RaftNode node, ulong other) =>
        node.Reachable.FirstOrDefault(member => member.Node == new NodeId(other))?.PeerUrl;

    private static string Refusal(MembershipChange change, Membership now) =>
        change.Plan(now, [], new NodeId(1), LogIndex.Zero).Refusal ?? "";

    private static void Commit(RaftNode node, ulong write, ulong peer, ulong index)
    {
        node.Step(new Persisted(new WriteId(write)));
        node.Step(new Receive(Messages.Accept(peer, 1, index)));
        Assert.Equal(index, node.CommitIndex.Value);
    }

    private static ChangeMembers Add(ulong node) => new(
        new MembershipChange(MembershipChangeKind.Add, new NodeId(node), MemberRecord.Of(new NodeId(node))), false,
        node);

    /// <summary>
    /// An initial voter whose directory is gone may be started as one that joins: it has promised what it cannot know.
    /// </summary>
    [Fact]
    public void A_replica_that_joined_does_not_vote_as_a_voter_that_nobody_promoted()
    {
        var node = Started(nodes: 3, term: 1, options: Options() with { Incarnation = 41, IsJoining = true });
        var effects = node.Step(new Receive(Messages.RequestVote(from: 3, term: 2, last: Id(1, 5))));
        Assert.True(Sent<VoteReply>(effects.SendAfterSync, 3) is { Granted: false });
    }
}
