using Kvorum.Raft;

namespace Kvorum.Simulator.Tests;

/// <summary>K1 and R6 at their roots: who answers a reader, and what moves a match index.</summary>
public class ConfirmedReadTests
{
    private static readonly GroupId Group = new(1);
    private static readonly Term Five = new(5);
    private static readonly Membership Three = new([new NodeId(1), new NodeId(2), new NodeId(3)], []);

    private readonly ConfirmedReads _reads = new();

    [Fact]
    public void A_reader_is_answered_after_a_majority_answered_a_heartbeat_sent_since()
    {
        Assert.Null(Step(new ReadBarrier(7), Beat(1)));
        Assert.Null(Step(Reply(2, round: 1), Answer(7)));
    }

    [Fact]
    public void An_answer_to_an_earlier_round_proves_nothing()
    {
        Assert.Null(Step(Tick.Instance, Beat(1)));
        Assert.Null(Step(new ReadBarrier(7), Beat(2)));
        Assert.Contains("no majority", Step(Reply(2, round: 1), Answer(7))!);
        Assert.Null(Step(Reply(3, round: 2), Answer(7)));
    }

    [Fact]
    public void Neither_does_an_answer_of_an_earlier_term()
    {
        Assert.Null(Step(new ReadBarrier(7), Beat(1)));
        Assert.NotNull(Step(Reply(2, round: 1, term: 4), Answer(7)));
    }

    [Fact]
    public void Nobody_is_answered_without_asking_around()
    {
        Assert.NotNull(Step(new ReadBarrier(7), Answer(7)));
        var request = new ReadIndexRequest(Group, new NodeId(3), new NodeId(1), Five, 9);
        var reply = new ReadIndexReply(Group, new NodeId(1), new NodeId(3), Five, 9, true, new LogIndex(4));
        Assert.NotNull(Step(new Receive(request), effects => effects.AddSend(reply)));
    }

    [Fact]
    public void A_joint_membership_needs_a_majority_of_both_sets()
    {
        var joint = Three.WithoutVoter(new NodeId(3));
        Assert.True(joint.IsJoint);
        Assert.Null(Step(new ReadBarrier(7), Beat(1), joint));
        Assert.NotNull(Step(Reply(3, round: 1), Answer(7), joint));
        Assert.Null(Step(Reply(2, round: 1), Answer(7), joint));
    }

    [Fact]
    public void A_match_index_rises_only_by_what_the_peer_says_in_the_leaders_term()
    {
        Assert.Null(Claim(term: 5, from: 2));
        Assert.NotNull(Claim(term: 4, from: 2));
        Assert.NotNull(Claim(term: 5, from: 3));
        Assert.NotNull(NeverBack.CheckClaimTerm(1, 2, LogIndex.Zero, new LogIndex(9), Five, Tick.Instance));
    }

    private static string? Claim(ulong term, ulong from)
    {
        var reply = new AppendReply(
            Group, new NodeId(from), new NodeId(1), new Term(term), true, new LogIndex(9), EntryId.Start);
        return NeverBack.CheckClaimTerm(1, 2, LogIndex.Zero, new LogIndex(9), Five, new Receive(reply));
    }

    private static Receive Reply(ulong from, ulong round, ulong term = 5) =>
        new(new HeartbeatReply(Group, new NodeId(from), new NodeId(1), new Term(term), round));

    private static Action<Effects> Beat(ulong round) => effects => effects.AddSend(
        new Heartbeat(Group, new NodeId(1), new NodeId(2), Five, EntryId.Start, round));

    private static Action<Effects> Answer(ulong requestId) =>
        effects => effects.AddRead(new ReadOutcome(requestId, true, new LogIndex(4)));

    private string? Step(Input input, Action<Effects> fill, Membership? membership = null)
    {
        var effects = new Effects();
        fill(effects);
        return _reads.Check(1, 1, Five, membership ?? Three, null, input, effects);
    }
}
