using Kvorum.Raft;

namespace Kvorum.Simulator.Tests;

/// <summary>R6 over two sets of voters, and R8.</summary>
public class MembershipRuleTests
{
    [Fact]
    public void A_joint_membership_needs_a_majority_of_both_sets()
    {
        var joint = Joint([1, 2, 3], [3, 4, 5]);
        Assert.NotNull(SyncedOnQuorum.Check(1, new LogIndex(1), joint, node => node.Value <= 3));
        Assert.NotNull(SyncedOnQuorum.Check(1, new LogIndex(1), joint, node => node.Value >= 3));
        Assert.Null(SyncedOnQuorum.Check(1, new LogIndex(1), joint, node => node.Value is 2 or 3 or 4));
    }

    [Fact]
    public void Learners_do_not_count()
    {
        var membership = new Membership(Nodes(1, 2, 3), Nodes(4, 5));
        Assert.NotNull(SyncedOnQuorum.Check(1, new LogIndex(1), membership, node => node.Value is 1 or 4 or 5));
    }

    [Fact]
    public void A_change_before_the_last_one_is_committed_breaks_R8() =>
        Assert.Contains("is not committed", Check(before: 7, commit: 6, commitTerm: 2, [1, 2, 3], [1, 2, 3, 4])!);

    [Fact]
    public void A_change_before_a_commit_in_the_own_term_breaks_R8() =>
        Assert.Contains("own term", Check(before: 5, commit: 6, commitTerm: 1, [1, 2, 3], [1, 2, 3, 4])!);

    [Fact]
    public void A_change_of_two_voters_at_once_breaks_R8() =>
        Assert.Contains("need not meet", Check(before: 5, commit: 6, commitTerm: 2, [1, 2, 3], [1, 4, 5])!);

    [Fact]
    public void A_step_into_and_out_of_a_joint_membership_is_legal()
    {
        var old = new Membership(Nodes(1, 2, 3), []);
        var joint = Joint([1, 2, 3], [1, 4, 5]);
        var next = new Membership(Nodes(1, 4, 5), []);
        Assert.Null(MembershipSteps.Check(1, new(2), new(8), (LogIndex.Zero, old), joint, new(7), new(2)));
        Assert.Null(MembershipSteps.Check(1, new(2), new(9), (new(8), joint), next, new(8), new(2)));
    }

    private static string? Check(ulong before, ulong commit, ulong commitTerm, ulong[] from, ulong[] to) =>
        MembershipSteps.Check(
            1, new Term(2), new LogIndex(8), (new LogIndex(before), new Membership(Nodes(from), [])),
            new Membership(Nodes(to), []), new LogIndex(commit), new Term(commitTerm));

    private static Membership Joint(ulong[] from, ulong[] to) => new(Nodes(to), Nodes(from), [], [], [], []);

    private static IEnumerable<NodeId> Nodes(params ulong[] nodes) => nodes.Select(node => new NodeId(node));
}
