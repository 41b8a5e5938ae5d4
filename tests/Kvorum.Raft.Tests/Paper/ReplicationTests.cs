using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Paper §5.3 and Figure 2 (AppendEntries): what a follower accepts, refuses, cuts and answers, and when.
/// </summary>
public sealed class FollowerReplicationTests
{
    [Fact]
    public void Follower_appends_after_the_previous_entry_and_answers_after_the_sync()
    {
        var node = Follower(term: 2, log: [1]);

        var effects = node.Step(new Receive(Messages.Append(2, 2, Id(1, 1), 0, Entries(1, 2, 2))));
        Assert.Equal([Id(2, 2), Id(2, 3)], effects.Append.Select(entry => entry.Id));
        Assert.Empty(effects.Send);
        Assert.True(Sent<AppendReply>(effects.SendAfterSync, 2) is { Accepted: true, Match.Value: 3 });
    }

    [Fact]
    public void Follower_answers_entries_of_an_older_term_with_its_own_and_its_election_timer_runs_on()
    {
        var node = Started(term: 5);
        TickFor(node, 15);

        var effects = node.Step(new Receive(Messages.Append(2, 4, EntryId.Start, 0, Entries(0, 4))));
        Assert.Equal(5UL, Assert.IsType<HeartbeatReply>(Assert.Single(effects.Send)).Term.Value);
        Assert.Empty(effects.Append);
        Assert.Null(node.Leader);
        Assert.InRange(TickUntil(node, Role.PreCandidate), 1, 85);
    }

    [Theory]
    [InlineData(3, 3, 2, 2)] // Its log is too short: look at its end.
    [InlineData(2, 2, 2, 2)]
    [InlineData(5, 2, 2, 2)] // Another term there.
    [InlineData(1, 2, 1, 1)] // Nothing of term 2 can agree, so the whole term is skipped.
    public void Follower_without_the_previous_entry_refuses_and_says_where_to_look(
        ulong previousTerm, ulong previousIndex, ulong hintTerm, ulong hintIndex)
    {
        var node = Follower(term: 6, log: [1, 2]);

        var effects = node.Step(new Receive(Messages.Append(2, 6, Id(previousTerm, previousIndex), 0, Entries(previousIndex, 6))));
        if ((previousTerm, previousIndex) == (2UL, 2UL))
        {
            Assert.Empty(effects.Send);
            return;
        }

        var reply = Sent<AppendReply>(effects.Send, 2);
        Assert.False(reply.Accepted);
        Assert.Equal(previousIndex, reply.Match.Value);
        Assert.Equal(Id(hintTerm, hintIndex), reply.Hint);
        Assert.Empty(effects.Append);
    }

    [Fact]
    public void Conflicting_tail_is_replaced()
    {
        var node = Follower(term: 4, log: [1, 2, 2, 2]);

        var effects = node.Step(new Receive(Messages.Append(2, 4, Id(1, 1), 0, Entries(1, 2, 3))));
        Assert.Equal([Id(3, 3)], effects.Append.Select(entry => entry.Id));
        Assert.Equal(Id(3, 3), node.LastEntry);
        Assert.Contains(new TailReplaced(new LogIndex(3), new LogIndex(4)), effects.Events);
    }

    [Fact]
    public void Late_message_with_known_entries_cuts_nothing()
    {
        var node = Follower(term: 1, log: [1, 1, 1]);

        var effects = node.Step(new Receive(Messages.Append(2, 1, Id(1, 1), 0, Entries(1, 1))));
        Assert.Empty(effects.Append);
        Assert.Equal(Id(1, 3), node.LastEntry);
        Assert.True(Sent<AppendReply>(effects.Send, 2) is { Accepted: true, Match.Value: 2 });
    }

    [Fact]
    public void Answer_without_new_entries_reports_only_what_is_durable()
    {
        var node = Follower(term: 1);
        node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, Entries(0, 1, 1))));

        var repeated = node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, Entries(0, 1, 1))));
        Assert.True(Sent<AppendReply>(repeated.Send, 2) is { Accepted: true, Match.Value: 0 });

        node.Step(new Persisted(new WriteId(1)));
        repeated = node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, Entries(0, 1, 1))));
        Assert.True(Sent<AppendReply>(repeated.Send, 2) is { Accepted: true, Match.Value: 2 });
    }

    [Fact]
    public void Sync_of_a_replaced_tail_vouches_only_for_what_is_left_of_it()
    {
        var node = Follower(term: 1);
        node.Step(new Receive(Messages.Append(2, 1, EntryId.Start, 0, Entries(0, 1, 1, 1)))); // Write 1.
        node.Step(new Receive(Messages.Append(3, 2, Id(1, 1), 0, Entries(1, 2, 2, 2)))); // Write 2 replaces from 2 on.

        node.Step(new Persisted(new WriteId(1)));
        var probe = node.Step(new Receive(Messages.Append(3, 2, Id(2, 4), 0)));
        Assert.Equal(1UL, Sent<AppendReply>(probe.Send, 3).Match.Value);

        node.Step(new Persisted(new WriteId(2)));
        probe = node.Step(new Receive(Messages.Append(3, 2, Id(2, 4), 0)));
        Assert.Equal(4UL, Sent<AppendReply>(probe.Send, 3).Match.Value);
    }

    [Theory]
    [InlineData(9, 3)] // At most the last entry of the message.
    [InlineData(2, 2)]
    public void Follower_commits_up_to_the_leaders_commit_or_its_own_last_new_entry(ulong leaderCommit, ulong expected)
    {
        var node = Follower(term: 1, log: [1, 1, 1, 1]);

        var effects = node.Step(new Receive(Messages.Append(2, 1, Id(1, 1), leaderCommit, Entries(1, 1, 1))));
        Assert.Equal(expected, node.CommitIndex.Value);
        Assert.Equal((int)expected, effects.Apply.Count);
    }

    [Fact]
    public void Entries_are_handed_out_once_and_in_order()
    {
        var node = Follower(term: 1, log: [1, 1, 1]);

        Assert.Equal([1UL, 2UL], node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 2))).Apply.Select(entry => entry.Index.Value));
        Assert.Empty(node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 2))).Apply);
        Assert.Equal([3UL], node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 3))).Apply.Select(entry => entry.Index.Value));
    }

    [Fact]
    public void No_more_entries_are_handed_out_than_the_state_machine_may_hold_unapplied()
    {
        var node = Follower(term: 1, log: [.. Enumerable.Repeat(1UL, RaftNode.ApplyingEntriesMax + 10)]);

        var effects = node.Step(new Receive(Messages.Heartbeat(2, 1, commit: RaftNode.ApplyingEntriesMax + 10)));
        Assert.Equal(RaftNode.ApplyingEntriesMax, effects.Apply.Count);
        Assert.Equal(10, node.Step(new Applied(new LogIndex(RaftNode.ApplyingEntriesMax))).Apply.Count);
    }

    [Fact]
    public void Heartbeat_beyond_the_log_commits_nothing_because_the_log_is_not_what_was_acknowledged()
    {
        var node = Follower(term: 1, log: [1]);
        node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 7)));
        Assert.Equal(0UL, node.CommitIndex.Value);
    }

    [Fact]
    public void Committed_entry_is_never_cut()
    {
        var node = Follower(term: 3, log: [1, 1]);
        node.Step(new Receive(Messages.Heartbeat(2, 3, commit: 2, commitTerm: 1)));

        // A leader that contradicts what is committed is a bug somewhere: what is committed here is not compared, let
        // alone cut.
        node.Step(new Receive(Messages.Append(2, 3, Id(1, 1), 0, Entries(1, 3))));
        Assert.Equal(Id(1, 2), node.LastEntry);
    }

    [Fact]
    public void Heartbeat_is_answered_at_once_with_its_read_round()
    {
        var node = Follower(term: 3);
        var effects = node.Step(new Receive(Messages.Heartbeat(2, 4, readRound: 8)));
        Assert.True(Sent<HeartbeatReply>(effects.Send, 2) is { Term.Value: 4, ReadRound: 8 });
        Assert.Equal(new HardState(new Term(4), null), effects.HardState);
    }

    [Fact]
    public void Stale_heartbeat_is_answered_with_the_newer_term_and_confirms_nothing()
    {
        var node = Started(term: 5);
        var effects = node.Step(new Receive(Messages.Heartbeat(2, 4, readRound: 8)));
        Assert.True(Sent<HeartbeatReply>(effects.Send, 2) is { Term.Value: 5, ReadRound: 0 });
    }

    [Fact]
    public void Kept_effects_are_found_in_the_debug_build()
    {
        var node = Follower();
        var effects = node.Step(Tick.Instance);
        node.Step(Tick.Instance);
#if DEBUG
        Assert.Throws<InvariantException>(() => effects.Send);
#else
        Assert.Empty(effects.Send);
#endif
    }
}
