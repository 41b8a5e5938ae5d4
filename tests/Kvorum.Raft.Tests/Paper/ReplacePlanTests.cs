namespace Kvorum.Raft.Tests;

/// <summary>Who may take a voter's place.</summary>
public sealed class ReplacePlanTests
{
    private const string Url = "http://127.0.0.1:2410";

    private static readonly NodeId Old = new(3);

    [Fact]
    public void Learner_that_stays_one_gets_in_line_and_keeps_its_record()
    {
        var plan = Replace(With(Learner(joins: false)), Learner(joins: false) with { Name = "other", ClientUrls = [] });
        Assert.Null(plan.Refusal);
        Assert.Equal(Learner(joins: true) with { Replaces = Old }, plan.Next!.Find(new NodeId(4)));
        Assert.False(plan.Next.IsJoint);
        Assert.Equal([1UL, 2UL, 4UL], plan.After!.Voters.ToArray().Select(node => node.Value));
        Assert.True(plan.After.WasRemoved(Old));
    }

    [Fact]
    public void Learner_that_joins_takes_the_place_instead_of_a_seat_of_its_own()
    {
        var plan = Replace(With(Learner(joins: true)), Learner(joins: true));
        Assert.Equal(Old, plan.Next!.Find(new NodeId(4))!.Replaces);
        Assert.Equal(3, plan.After!.Voters.Length);
    }

    [Fact]
    public void Learner_in_line_for_another_place_is_refused()
    {
        var now = With(Learner(joins: true) with { Replaces = new NodeId(2) });
        Assert.Equal(
            "node n4 (4) is to take the place of 2, not of 3: remove it first, or choose another one.",
            Replace(now, Learner(joins: true)).Refusal);
    }

    [Fact]
    public void Learner_of_another_address_is_refused()
    {
        var plan = Replace(With(Learner(joins: true)), Learner(joins: true) with { PeerUrl = "http://127.0.0.1:1" });
        Assert.Equal(
            $"node n4 (4) is a member already, with the peer URL {Url}, not http://127.0.0.1:1.", plan.Refusal);
    }

    [Fact]
    public void Voter_is_refused()
    {
        var now = With(Learner(joins: true)).WithPromoted(new NodeId(4), 0).LeaveJoint();
        Assert.Equal("node n4 (4) is a member already.", Replace(now, Learner(joins: true)).Refusal);
    }

    private static MemberRecord Learner(bool joins) =>
        new(new NodeId(4), 0, joins, null, "n4", Url, ["http://127.0.0.1:2409"]);

    private static Membership With(MemberRecord learner) =>
        new Membership([new NodeId(1), new NodeId(2), Old], []).WithLearner(learner);

    private static MembershipPlan Replace(Membership now, MemberRecord by) =>
        new MembershipChange(MembershipChangeKind.Replace, Old, by).Plan(now, [], new NodeId(1), LogIndex.Zero);
}
