using Kvorum.Raft;
using static Kvorum.Simulator.Tests.RuleBench;

namespace Kvorum.Simulator.Tests;

/// <summary>R1 to R6 and R9: each fires on what must never be, and is silent on what only looks like it.</summary>
public class LogRuleTests
{
    [Fact]
    public void Two_leaders_in_one_term_break_R1()
    {
        var bench = new RuleBench().Step(1, Role.Leader, 1).Step(2, Role.Leader, 1);
        Assert.StartsWith("R1: Node 2 leads term 1, which node 1 led already", bench.Broken[0]);
        Assert.StartsWith("R1: Node 2 leads term 1 with 1 votes of 3", bench.Broken[1]);
    }

    [Fact]
    public void Leaders_of_different_terms_at_the_same_time_are_legal()
    {
        var bench = new RuleBench().Step(1, Role.Leader, 1).Step(2, Role.Leader, 2);
        Assert.Empty(bench.Broken);
    }

    [Fact]
    public void A_leader_that_leads_its_term_again_after_a_restart_breaks_R1()
    {
        var bench = new RuleBench().Step(1, Role.Leader, 1).Restart(1, 1).Step(1, Role.Leader, 1);
        Assert.StartsWith("R1: Node 1 leads term 1 again", Assert.Single(bench.Broken));
    }

    [Fact]
    public void A_vote_for_an_older_log_breaks_R3()
    {
        var request = new RequestVote(new GroupId(1), new(2), new(1), new(5), Entry(2, 9).Id, false, null, false);
        Assert.Null(VotesForNewerLogs.CheckVote(1, request, Entry(2, 9).Id));
        Assert.Null(VotesForNewerLogs.CheckVote(1, request, Entry(1, 12).Id)); // Longer, but of an older term.
        Assert.NotNull(VotesForNewerLogs.CheckVote(1, request, Entry(2, 10).Id));
        Assert.NotNull(VotesForNewerLogs.CheckVote(1, request, Entry(3, 1).Id));
    }

    [Fact]
    public void A_leader_that_commits_an_earlier_term_by_counting_breaks_R3_and_with_an_entry_of_its_own_it_does_not()
    {
        var early = new RuleBench()
            .Step(1, append: [Entry(1, 1)]).Step(2, append: [Entry(1, 1)])
            .Step(1, Role.Leader, 2).Step(1, commit: 1);
        Assert.StartsWith("R3: Node 1 leads term 2 and commits up to index 1 by counting", Assert.Single(early.Broken));

        var rightly = new RuleBench()
            .Step(1, append: [Entry(1, 1)]).Step(2, append: [Entry(1, 1), Entry(2, 2)])
            .Step(1, Role.Leader, 2, append: [Entry(2, 2)]).Step(1, commit: 2);
        Assert.Empty(rightly.Broken);
    }

    [Fact]
    public void A_read_below_what_was_committed_when_it_was_asked_for_breaks_K1()
    {
        var reads = new FreshReads();
        reads.Asked(1, 7, new LogIndex(5));
        reads.Asked(1, 8, new LogIndex(5));
        reads.Asked(1, 9, new LogIndex(5));
        Assert.NotNull(reads.Answered(1, new ReadOutcome(7, true, new LogIndex(4))));
        Assert.Null(reads.Answered(1, new ReadOutcome(8, true, new LogIndex(5))));
        Assert.Null(reads.Answered(1, new ReadOutcome(9, false, LogIndex.Zero))); // Refused: it asks again.
    }

    [Fact]
    public void The_same_entry_with_another_content_breaks_R2()
    {
        var bench = new RuleBench().Step(1, append: [Entry(1, 1, "a")]).Step(2, append: [Entry(1, 1, "b")]);
        Assert.StartsWith("R2: Node 2 has entry 1/1 with another content", Assert.Single(bench.Broken));
    }

    [Fact]
    public void The_same_entry_after_another_prefix_breaks_R2()
    {
        var bench = new RuleBench()
            .Step(1, append: [Entry(1, 1), Entry(3, 2)])
            .Step(2, append: [Entry(2, 1), Entry(3, 2)]);
        Assert.StartsWith("R2: Node 2 has entry 3/2", Assert.Single(bench.Broken));
    }

    [Fact]
    public void Different_uncommitted_entries_at_an_index_are_legal()
    {
        var bench = new RuleBench().Step(1, append: [Entry(1, 1)]).Step(2, append: [Entry(2, 1)]);
        Assert.Empty(bench.Broken);
    }

    [Fact]
    public void A_leader_without_an_entry_committed_in_an_earlier_term_breaks_R3()
    {
        var bench = Committed().Step(3, Role.Leader, 2);
        Assert.StartsWith("R3: Node 3 leads term 2 without the entry at index 1", Assert.Single(bench.Broken));
    }

    [Fact]
    public void An_old_leader_may_lack_what_was_committed_in_a_later_term()
    {
        // Node 3 won term 1 and heard of it late: by then term 2 had committed. It may lead term 1, to no effect.
        var bench = new RuleBench()
            .Step(1, Role.Leader, 2, append: [Entry(2, 1)])
            .Step(2, term: 2, append: [Entry(2, 1)])
            .Step(1, commit: 1)
            .Step(3, Role.Leader, 1);
        Assert.Empty(bench.Broken);
    }

    [Fact]
    public void A_commit_that_the_leader_of_a_later_term_lacks_breaks_R3()
    {
        var bench = new RuleBench()
            .Step(1, Role.Leader, 1, append: [Entry(1, 1)])
            .Step(2, term: 1, append: [Entry(1, 1)])
            .Step(3, Role.Leader, 2)
            .Step(1, commit: 1);
        Assert.StartsWith("R3: Node 3 leads term 2", Assert.Single(bench.Broken));
    }

    [Fact]
    public void Another_entry_committed_at_an_index_breaks_R4()
    {
        var bench = Committed().Step(3, term: 2, append: [Entry(2, 1)]).Step(3, commit: 1);
        Assert.Contains(bench.Broken, text => text.StartsWith(
            "R4: Node 3 committed an entry of term 2 at index 1, where an entry of term 1", StringComparison.Ordinal));
    }

    [Fact]
    public void A_commit_index_or_term_that_falls_breaks_R5_but_not_over_a_restart()
    {
        Assert.StartsWith("R5: Node 1 moved its commit", Assert.Single(Committed().Step(1, commit: 0).Broken));
        Assert.StartsWith(
            "R5: Node 1 went back from term 1", Committed().Step(1, Role.Follower, 0).Broken[0]);
        Assert.Empty(Committed().Restart(1, 1, Entry(1, 1)).Broken);
    }

    [Fact]
    public void A_leader_that_replaces_its_own_entries_breaks_R5()
    {
        var bench = new RuleBench()
            .Step(1, Role.Leader, 1, append: [Entry(1, 1), Entry(1, 2)])
            .Step(1, append: [Entry(1, 2)]);
        Assert.Contains(bench.Broken, text => text.StartsWith("R5: Node 1 leads term 1", StringComparison.Ordinal));
    }

    [Fact]
    public void A_match_index_that_falls_breaks_R5_unless_the_peer_lost_its_memory()
    {
        Assert.NotNull(NeverBack.CheckMatch(1, 2, new LogIndex(5), new LogIndex(4), new LogIndex(9), mayForget: true));
        Assert.NotNull(NeverBack.CheckMatch(1, 2, new LogIndex(5), LogIndex.Zero, new LogIndex(9), mayForget: false));
        Assert.NotNull(NeverBack.CheckMatch(1, 2, new LogIndex(5), new LogIndex(5), new LogIndex(5), mayForget: false));
        Assert.Null(NeverBack.CheckMatch(1, 2, new LogIndex(5), LogIndex.Zero, new LogIndex(1), mayForget: true));
    }

    [Fact]
    public void A_commit_that_is_not_synced_on_a_quorum_breaks_R6()
    {
        var bench = new RuleBench()
            .Step(1, Role.Leader, 1, isSynced: false, append: [Entry(1, 1)])
            .Step(2, term: 1, append: [Entry(1, 1)])
            .Step(1, commit: 1, isSynced: false);
        Assert.StartsWith("R6: Node 1 committed index 1, which is synced on 1 of the 3", Assert.Single(bench.Broken));
    }

    [Fact]
    public void A_leader_whose_own_disk_is_behind_may_commit_what_the_others_synced()
    {
        var bench = new RuleBench()
            .Step(1, Role.Leader, 1, isSynced: false, append: [Entry(1, 1)])
            .Step(2, term: 1, append: [Entry(1, 1)])
            .Step(3, term: 1, append: [Entry(1, 1)])
            .Step(1, commit: 1, isSynced: false);
        Assert.Empty(bench.Broken);
    }

    [Fact]
    public void A_synced_entry_that_a_start_does_not_find_breaks_R6_unless_the_disk_was_damaged()
    {
        var broken = Assert.Single(Committed().Restart(1, 1).Broken);
        Assert.StartsWith("R6: Node 1 had synced its log up to index 1", broken);
        Assert.Empty(Committed().Damage(1, FaultKind.LostWrite).Restart(1, 1).Broken);
    }

    [Fact]
    public void Damage_of_one_place_takes_no_more_than_the_newest_write()
    {
        var bench = Committed().Step(1, append: Entry(1, 2));
        Assert.Empty(bench.Damage(1, FaultKind.StaleWrite).Restart(1, 1, Entry(1, 1)).Broken);

        bench = Committed().Step(1, append: Entry(1, 2)).Step(1, append: Entry(1, 3));
        var broken = Assert.Single(bench.Damage(1, FaultKind.StaleWrite).Restart(1, 1, Entry(1, 1)).Broken);
        Assert.StartsWith("R6: Node 1 had synced its log up to index 2", broken);
    }

    [Fact]
    public void A_tail_that_was_being_replaced_when_the_power_failed_may_be_either()
    {
        var bench = new RuleBench().Step(1, append: [Entry(1, 1), Entry(1, 2)]);
        bench.Step(1, term: 2, isSynced: false, append: [Entry(2, 2)]).Restart(1, 2, Entry(1, 1), Entry(2, 2));
        Assert.Empty(bench.Broken);
    }

    [Fact]
    public void A_start_may_drop_a_synced_log_that_contradicts_a_received_snapshot_but_not_one_that_agrees_with_it()
    {
        var contradicts = Committed().Step(3, term: 0, append: [Entry(0, 1), Entry(0, 2)]);
        Assert.Empty(contradicts.Restart(3, 1, Entry(1, 1).Id).Broken);

        var agrees = Committed().Step(3, term: 1, append: [Entry(1, 1), Entry(1, 2)]);
        var broken = Assert.Single(agrees.Restart(3, 1, Entry(1, 1).Id).Broken);
        Assert.StartsWith("R6: Node 3 had synced its log up to index 2", broken);
    }

    [Fact]
    public void A_replaced_entry_below_the_commit_index_breaks_R9()
    {
        var bench = Committed().Step(1, Role.Follower, 2, append: [Entry(2, 1)]);
        Assert.Contains(bench.Broken, text => text.StartsWith("R9: Node 1 replaces its log", StringComparison.Ordinal));
    }

    [Fact]
    public void A_log_that_agrees_with_a_snapshot_and_is_dropped_for_it_breaks_R9()
    {
        var bench = new RuleBench().Step(1, append: [Entry(1, 1), Entry(1, 2)]).Reset(1, Entry(1, 1).Id);
        Assert.Contains(bench.Broken, text => text.StartsWith("R9: Node 1 drops the log", StringComparison.Ordinal));
    }

    [Fact]
    public void A_log_with_another_tail_gives_way_to_a_snapshot()
    {
        var bench = Committed().Step(3, append: [Entry(0, 1), Entry(0, 2)]).Reset(3, Entry(1, 1).Id);
        Assert.DoesNotContain(bench.Broken, text => text.StartsWith("R9", StringComparison.Ordinal));
    }

    /// <summary>Node 1 leads term 1 and committed index 1 with node 2.</summary>
    private static RuleBench Committed() => new RuleBench()
        .Step(1, Role.Leader, 1, append: [Entry(1, 1)])
        .Step(2, term: 1, append: [Entry(1, 1)])
        .Step(1, commit: 1);
}
