using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Paper §5.3, §5.4.2, thesis §10.2: what a leader sends, when it commits, and how it repairs losses.
/// </summary>
public sealed class LeaderReplicationTests
{
    [Fact]
    public void Entries_leave_before_the_leaders_own_sync()
    {
        var node = SettledLeader();

        var effects = node.Step(Propose("a", "b"));
        Assert.Equal(new ProposeOutcome(ProposeResult.Appended, Id(1, 2), new NodeId(1)), effects.Proposed);
        Assert.Equal(2, effects.Append.Count);
        Assert.Equal(2, Sent<AppendEntries>(effects.Send, 2).Entries.Length);
        Assert.Equal(2, Sent<AppendEntries>(effects.Send, 3).Entries.Length);
        Assert.Empty(effects.SendAfterSync);
    }

    [Fact]
    public void Leader_counts_itself_only_up_to_its_durable_entries()
    {
        var node = SettledLeader();
        node.Step(Propose("a")); // Write 3.
        node.Step(Propose("b")); // Write 4.
        node.Step(new Receive(Messages.Accept(2, 1, 3)));
        Assert.Equal(1UL, node.CommitIndex.Value);

        node.Step(new Persisted(new WriteId(3)));
        Assert.Equal(2UL, node.CommitIndex.Value);
        Assert.Equal([3UL], node.Step(new Persisted(new WriteId(4))).Apply.Select(entry => entry.Index.Value));
    }

    [Fact]
    public void Majority_of_followers_commits_without_the_leaders_disk()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new Receive(Messages.Accept(2, 1, 2)));
        node.Step(new Receive(Messages.Accept(3, 1, 2)));
        Assert.Equal(2UL, node.CommitIndex.Value);
    }

    [Fact]
    public void Lone_voter_commits_only_after_its_own_sync()
    {
        var node = Started(nodes: 1);
        var vote = node.Step(Tick.Instance).Write;
        var noOp = node.Step(new Persisted(vote)).Write;
        Assert.Equal(0UL, node.CommitIndex.Value);
        Assert.Single(node.Step(new Persisted(noOp)).Apply);
    }

    /// <summary>
    /// Paper Figure 8: entry 2 of term 2 lies on a majority, and still only an entry of term 4 commits it.
    /// </summary>
    [Fact]
    public void Entry_of_an_older_term_is_not_committed_by_counting()
    {
        var node = Leader(term: 3, log: [1, 2], nodes: 5);
        node.Step(new Persisted(new WriteId(2)));

        node.Step(new Receive(Messages.Accept(2, 4, 2)));
        node.Step(new Receive(Messages.Accept(3, 4, 2)));
        Assert.Equal(0UL, node.CommitIndex.Value);

        node.Step(new Receive(Messages.Accept(2, 4, 3)));
        Assert.Equal(0UL, node.CommitIndex.Value);
        var effects = node.Step(new Receive(Messages.Accept(3, 4, 3)));
        Assert.Equal([1UL, 2UL, 3UL], effects.Apply.Select(entry => entry.Index.Value));
    }

    [Fact]
    public void Acknowledgement_of_a_peer_without_standing_does_not_count_but_it_gets_the_log()
    {
        var node = SettledLeader();
        var effects = node.Step(new Standing(new NodeId(3), MayVote: false));
        Assert.Single(Sent<AppendEntries>(effects.Send, 3).Entries.ToArray()); // Its demotion.
        node.Step(Propose("a"));
        node.Step(new Persisted(new WriteId(4)));
        node.Step(new Receive(Messages.Accept(3, 1, 3)));
        Assert.Equal(1UL, node.CommitIndex.Value);
        node.Step(new Receive(Messages.Accept(2, 1, 3)));
        Assert.Equal(3UL, node.CommitIndex.Value);
    }

    /// <summary>
    /// Its directory was replaced: late acknowledgements of the old one must not hide where the new one's log ends.
    /// </summary>
    [Fact]
    public void Peer_without_standing_may_have_lost_what_it_acknowledged()
    {
        var node = SettledLeader();
        node.Step(new Standing(new NodeId(3), MayVote: false));
        node.Step(new Receive(Messages.Accept(3, 1, 1)));
        node.Step(Propose("a"));

        var effects = node.Step(new Receive(Messages.Reject(3, 1, 1, EntryId.Start)));
        Assert.True(node.Peers[1] is { State: "probe", Match.Value: 0 });
        effects = effects.Send.Any(message => message is AppendEntries)
            ? effects
            : node.Step(new Receive(Messages.Reject(3, 1, node.Peers[1].Next.Value - 1, EntryId.Start)));
        Assert.Equal(EntryId.Start, Sent<AppendEntries>(effects.Send, 3).Previous);
    }

    /// <summary>
    /// It was sent several messages, and its directory was replaced: the refusal of an earlier one comes first, and
    /// nothing is written any more.
    /// </summary>
    [Fact]
    public void Peer_without_standing_that_refuses_what_it_acknowledged_is_asked_on_although_nothing_is_written()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new Standing(new NodeId(3), MayVote: false));
        node.Step(new Receive(Messages.Accept(3, 1, 3)));
        var effects = node.Step(new Receive(Messages.Reject(3, 1, 2, EntryId.Start)));
        Assert.Equal(EntryId.Start, Sent<AppendEntries>(effects.Send, 3).Previous);
    }

    /// <summary>
    /// A flipped byte in the newest log record, or an older copy of the directory: the log ends too early. Or the
    /// newest write came to nothing, and with it what had replaced another leader's entries.
    /// </summary>
    [Theory]
    [InlineData(5)]
    [InlineData(2)]
    public void Follower_without_the_entry_it_acknowledged_says_so_and_votes_no_more(ulong index)
    {
        var node = Follower(term: 2, log: [1, 1]);

        var effects = node.Step(new Receive(Messages.Heartbeat(from: 2, term: 2, commit: index)));
        Assert.Contains(new TailLost(new LogIndex(index), Id(1, 2)), effects.Events);
        var reply = Sent<AppendReply>(effects.Send, 2);
        Assert.Equal((false, true, index), (reply.Accepted, reply.HasLostTail, reply.Match.Value));
        Assert.Equal(0UL, node.CommitIndex.Value);

        TickFor(node, 250);
        Assert.Equal(Role.Follower, node.Role);
        effects = node.Step(new Receive(Messages.RequestVote(from: 3, term: 9, last: Id(8, 9))));
        Assert.True(Sent<VoteReply>(effects.SendAfterSync, 3) is { Granted: false });
    }

    /// <summary>The first word may have been lost on its way.</summary>
    [Fact]
    public void Follower_that_lost_its_tail_names_the_directory_that_lost_it_until_it_is_promoted_again()
    {
        var node = Follower(term: 2, log: [1, 1], options: Options() with { Incarnation = 41 });
        var first = node.Step(new Receive(Messages.Heartbeat(from: 2, term: 2, commit: 5)));
        Assert.Equal(41UL, Sent<AppendReply>(first.Send, 2).Incarnation);

        node.Step(new Standing(new NodeId(1), MayVote: false, Incarnation: 42));
        var second = node.Step(new Receive(Messages.Heartbeat(from: 2, term: 2, commit: 5)));
        Assert.True(Sent<AppendReply>(second.Send, 2) is { HasLostTail: true, Incarnation: 41 });
        Assert.Empty(second.Events.OfType<TailLost>());
    }

    [Fact]
    public void Follower_takes_no_commit_from_a_heartbeat_whose_leader_knows_the_entry_no_more()
    {
        var node = Follower(term: 2, log: [1, 1]);

        var effects = node.Step(new Receive(Messages.Heartbeat(from: 2, term: 2, commit: 2, commitTerm: 0)));
        Assert.Empty(effects.Events.OfType<TailLost>());
        Assert.Equal(0UL, node.CommitIndex.Value);
    }

    [Fact]
    public void Leader_counts_nothing_of_a_peer_that_lost_what_it_acknowledged_and_finds_its_log_anew()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new Receive(Messages.Accept(3, 1, 2)));

        var lost = new AppendReply(
            new GroupId(1), new NodeId(3), new NodeId(1), new Term(1), false, new LogIndex(2), EntryId.Start, HasLostTail: true);
        var effects = node.Step(new Receive(lost));
        Assert.Contains(new PeerTailLost(new NodeId(3), 0), effects.Events);
        Assert.True(node.Peers[1] is { Match.Value: 0, MayVote: false });
        node.Step(new Persisted(new WriteId(3)));
        Assert.Equal(1UL, node.CommitIndex.Value);
        node.Step(new Receive(Messages.Reject(3, 1, node.Peers[1].Next.Value - 1, EntryId.Start)));
        node.Step(new Receive(Messages.Accept(3, 1, 2)));
        Assert.Equal((2UL, 1UL), (node.Peers[1].Match.Value, node.CommitIndex.Value));
    }

    [Fact]
    public void Heartbeat_tells_no_more_commit_than_the_peer_is_known_to_match()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new Persisted(new WriteId(3)));
        node.Step(new Receive(Messages.Accept(2, 1, 2)));
        var beats = TickFor(node, 10).OfType<Heartbeat>()
            .ToLookup(beat => beat.To.Value, beat => beat.Commit.Index.Value);
        Assert.Equal(2UL, beats[2].Max());
        Assert.Equal(1UL, beats[3].Max());
    }

    [Fact]
    public void Messages_are_limited_by_entries_and_by_bytes()
    {
        var node = SettledLeader(options: Options() with { AppendEntriesMax = 3, AppendBytesMax = 10 });

        var sizes = node.Step(Propose("a", "b", "c", "d", "12345678", "90", "x", "a command larger than the limit", "y"))
            .Send.OfType<AppendEntries>().Where(append => append.To.Value == 2).Select(append => append.Entries.Length);
        Assert.Equal([3, 2, 2, 1, 1], sizes);
    }

    [Fact]
    public void Window_limits_unanswered_messages_and_answers_open_it()
    {
        var node = SettledLeader(options: Options() with { InflightMessagesMax = 2 });

        Assert.Contains(node.Step(Propose("a")).Send, message => message.To.Value == 2);
        Assert.Contains(node.Step(Propose("b")).Send, message => message.To.Value == 2);
        Assert.DoesNotContain(node.Step(Propose("c")).Send, message => message.To.Value == 2);
        var append = Sent<AppendEntries>(node.Step(new Receive(Messages.Accept(2, 1, 2))).Send, 2);
        Assert.Equal(Id(1, 3), append.Previous);
    }

    [Fact]
    public void Window_limits_unanswered_bytes()
    {
        var node = SettledLeader(options: Options() with { InflightBytesMax = 5 });

        Assert.Contains(node.Step(Propose("12345")).Send, message => message.To.Value == 2);
        Assert.DoesNotContain(node.Step(Propose("6")).Send, message => message.To.Value == 2);
    }

    [Fact]
    public void New_leader_probes_with_one_message_and_backs_up_by_the_hint()
    {
        var node = Leader(term: 6, log: [1, 1, 1, 4, 4, 5, 5, 6, 6, 6]);
        Assert.DoesNotContain(node.Step(Propose("a")).Send, message => message.To.Value == 3);

        // Fig. 7 (f): node 3 has 1 1 1 2 2 2 3 3 3 3 3. One refusal skips all of terms 2 and 3.
        var effects = node.Step(new Receive(Messages.Reject(3, 7, 10, Id(3, 10))));
        Assert.Equal(Id(1, 3), Sent<AppendEntries>(effects.Send, 3).Previous);
    }

    [Fact]
    public void Accepted_probe_opens_the_pipeline()
    {
        var node = Leader(term: 1, log: [1]);
        node.Step(Propose("a"));
        node.Step(new Receive(Messages.Accept(2, 2, 2)));
        Assert.Equal("replicate", node.Peers[0].State);
        Assert.Single(node.Step(Propose("b")).Send.OfType<AppendEntries>(), append => append.To.Value == 2);
        Assert.Single(node.Step(Propose("c")).Send.OfType<AppendEntries>(), append => append.To.Value == 2);
    }

    [Fact]
    public void Refusal_while_replicating_means_a_lost_message_and_sends_it_again()
    {
        var node = SettledLeader();
        node.Step(Propose("lost"));
        node.Step(Propose("refused"));

        var append = Sent<AppendEntries>(node.Step(new Receive(Messages.Reject(2, 1, 2, Id(1, 1)))).Send, 2);
        Assert.Equal((Id(1, 1), 2), (append.Previous, append.Entries.Length));
    }

    [Fact]
    public void Late_refusal_changes_nothing()
    {
        var node = SettledLeader();
        Assert.Empty(node.Step(new Receive(Messages.Reject(2, 1, 1, EntryId.Start))).Send);
        Assert.Equal("replicate", node.Peers[0].State);
    }

    [Fact]
    public void Lost_last_message_is_sent_again_when_a_live_peer_stays_silent_about_it()
    {
        var node = SettledLeader();
        node.Step(Propose("lost"));

        TickFor(node, 10);
        Assert.Empty(node.Step(new Receive(Messages.HeartbeatReply(2, 1))).Send);
        TickFor(node, 10);
        var effects = node.Step(new Receive(Messages.HeartbeatReply(2, 1)));
        Assert.Single(Sent<AppendEntries>(effects.Send, 2).Entries.ToArray());
    }

    [Fact]
    public void Lost_probe_is_repeated_after_a_heartbeat()
    {
        var node = Leader();
        TickFor(node, 10);
        var effects = node.Step(new Receive(Messages.HeartbeatReply(2, 1)));
        Assert.Single(effects.Send.OfType<AppendEntries>());
    }

    [Fact]
    public void Broken_connection_stops_sending_and_a_new_one_starts_after_the_match()
    {
        var node = SettledLeader();
        node.Step(Propose("a"));
        node.Step(new ConnectionLost(new NodeId(2)));
        Assert.DoesNotContain(node.Step(Propose("b")).Send, message => message.To.Value == 2);

        var effects = node.Step(new ConnectionMade(new NodeId(2)));
        var append = Sent<AppendEntries>(effects.Send, 2);
        Assert.Equal((Id(1, 1), 2), (append.Previous, append.Entries.Length));
        Assert.Single(effects.Send.OfType<Heartbeat>());
    }

    [Fact]
    public void Applied_and_durable_entries_leave_the_memory_and_are_fetched_for_laggards()
    {
        var options = Options() with { CacheBytesMax = 4, LogBlockBits = 2, AppendBytesMax = 4 };
        var node = SettledLeader(options: options);
        for (var i = 0; i < 10; i++)
        {
            var write = node.Step(Propose("ab")).Write;
            node.Step(new Persisted(write));
            node.Step(new Receive(Messages.Accept(2, 1, node.LastEntry.Index.Value)));
        }

        Assert.Equal(11UL, node.CommitIndex.Value);
        node.Step(new Applied(node.CommitIndex));

        // Node 3 lost everything after its first entry.
        var effects = node.Step(new Receive(Messages.Reject(3, 1, 2, Id(1, 1))));
        var fetch = Assert.Single(effects.Fetches);
        Assert.Equal((new NodeId(3), new LogIndex(2)), (fetch.Peer, fetch.From));

        var fetched = new Fetched(new NodeId(3), Enumerable.Range(2, 3)
            .Select(index => new LogEntry(Id(1, (ulong)index), EntryKind.Command, new byte[2])).ToArray());
        var append = Sent<AppendEntries>(node.Step(fetched).Send, 3);
        Assert.Equal((Id(1, 1), 2), (append.Previous, append.Entries.Length)); // Two entries fill the message.
    }

    /// <summary>The disk may still hold a tail that was replaced in memory and is being rewritten.</summary>
    [Fact]
    public void Fetched_entries_beyond_the_commit_or_of_another_term_are_not_sent()
    {
        var options = Options() with { CacheBytesMax = 4, LogBlockBits = 2 };
        var node = SettledLeader(options: options);
        for (var i = 0; i < 10; i++)
        {
            node.Step(new Persisted(node.Step(Propose("ab")).Write));
            node.Step(new Receive(Messages.Accept(2, 1, node.LastEntry.Index.Value)));
        }

        node.Step(new Applied(node.CommitIndex));
        node.Step(Propose("not committed"));
        Assert.Single(node.Step(new Receive(Messages.Reject(3, 1, 2, Id(1, 1)))).Fetches);

        var wrongTerm = Entries(1, 0, 0);
        Assert.DoesNotContain(node.Step(new Fetched(new NodeId(3), wrongTerm)).Send, message => message is AppendEntries);
        var tooFar = Entries(1, [.. Enumerable.Repeat(1UL, 12)]);
        var append = Sent<AppendEntries>(node.Step(new Fetched(new NodeId(3), tooFar)).Send, 3);
        Assert.Equal(10, append.Entries.Length);
    }

    [Fact]
    public void Fetched_entries_that_are_not_the_next_ones_are_not_sent()
    {
        var node = SettledLeader();
        var stale = new Fetched(new NodeId(3), Entries(0, 1));
        Assert.DoesNotContain(node.Step(stale).Send, message => message is AppendEntries);
    }

    [Fact]
    public void Repeated_inputs_of_a_former_term_change_nothing()
    {
        var node = SettledLeader();
        node.Step(new Receive(Messages.Heartbeat(2, 5)));
        node.Step(new Receive(Messages.Accept(3, 1, 1)));
        Assert.Equal((Role.Follower, 5UL), (node.Role, node.Term.Value));
        Assert.Empty(node.Peers);
    }
}
