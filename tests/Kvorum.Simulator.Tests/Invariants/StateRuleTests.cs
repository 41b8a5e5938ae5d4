using System.Buffers;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator.Tests;

/// <summary>R7, R10 to R13, K2, K3, V2 and Q1.</summary>
public class StateRuleTests
{
    private static readonly GroupId Group = new(1);
    private static readonly byte[] Key = "k"u8.ToArray();

    [Fact]
    public void Two_votes_in_one_term_break_R7_whatever_lies_between()
    {
        var votes = new VoteLedger();
        Assert.Null(votes.Sent(1, Vote(2, term: 3)));
        Assert.Null(votes.Sent(1, Vote(2, term: 3))); // The same vote again, after a lost reply.
        Assert.Null(votes.Sent(1, Vote(3, term: 4)));
        Assert.Contains("voted for node 2 before", votes.Sent(1, Vote(3, term: 3))!);
    }

    [Fact]
    public void A_candidate_has_voted_for_itself()
    {
        var votes = new VoteLedger();
        votes.Sent(1, new RequestVote(Group, new(1), new(2), new(3), EntryId.Start, false, null, false));
        Assert.NotNull(votes.Sent(1, Vote(2, term: 3)));
        Assert.Null(votes.Sent(2, new RequestVote(Group, new(2), new(1), new(3), EntryId.Start, true, null, false)));
        Assert.Null(votes.Sent(2, Vote(1, term: 3))); // A pre-vote promised nothing.
    }

    [Fact]
    public void An_acknowledged_write_that_nobody_applied_breaks_R10()
    {
        var state = new StateLedger();
        Assert.NotNull(state.Acknowledged(Write(revision: 2)));
        state.Applied(1, Entry(1, Put()), new CommandResult(CommandStatus.Ok, 2));
        Assert.Null(state.Acknowledged(Write(revision: 2)));
        Assert.NotNull(state.CheckKept(1, revision: 1));
        Assert.Null(state.CheckKept(1, revision: 2));
    }

    [Fact]
    public void Another_result_or_hash_on_another_node_breaks_R11()
    {
        var state = new StateLedger();
        Assert.Null(state.Applied(1, Entry(1, Put()), new CommandResult(CommandStatus.Ok, 2)));
        Assert.Equal("R11", state.Applied(2, Entry(1, Put()), new CommandResult(CommandStatus.Ok, 3))!.Value.Rule);
        Assert.Null(state.Hashed(1, new LogIndex(1), 7));
        Assert.Null(state.Hashed(2, new LogIndex(1), 7));
        Assert.NotNull(state.Hashed(3, new LogIndex(1), 8));
    }

    [Fact]
    public void A_state_that_a_replay_does_not_give_breaks_R12()
    {
        var state = new StateLedger();
        var machine = new KvMachine(MemoryEngine.Create(), new KvOptions());
        state.Applied(1, Entry(1, Put()), machine.Apply(Entry(1, Put())));
        machine.Publish();
        Assert.True(state.IsAt(new LogIndex(1)));
        Assert.Null(state.CompareContent(1, machine));

        var other = new KvMachine(MemoryEngine.Create(), new KvOptions());
        other.Apply(Entry(1, Put() with { Session = new SessionStamp(1, 1) }));
        other.Publish();
        Assert.NotNull(state.CompareContent(2, other));
    }

    [Fact]
    public void A_frame_that_encodes_to_other_bytes_breaks_R13()
    {
        var bytes = new ArrayBufferWriter<byte>();
        MessageCodec.Encode(Vote(2, term: 3), bytes);
        Assert.Null(new FrameRoundTrip().Sent(1, Vote(2, term: 3), bytes.WrittenSpan));
        Assert.NotNull(new FrameRoundTrip().Sent(1, Vote(2, term: 4), bytes.WrittenSpan));
    }

    [Fact]
    public void A_revision_that_is_skipped_or_used_twice_breaks_K2()
    {
        Assert.NotNull(new RevisionSteps().Applied(new(1), Put(), new CommandResult(CommandStatus.Ok, 3), false));
        Assert.NotNull(new RevisionSteps().Applied(new(1), Put(), new CommandResult(CommandStatus.Ok, 1), false));
        Assert.NotNull(new RevisionSteps().Applied(
            new(1), new Append(Key, Key), new CommandResult(CommandStatus.NotAList, 2), false));
        Assert.Null(new RevisionSteps().Applied(
            new(1), new DeleteRange(Key, default), new CommandResult(CommandStatus.Ok, 1), false));
        Assert.Null(new RevisionSteps().Applied(new(1), Put(), new CommandResult(CommandStatus.Ok, 2), false));
    }

    [Fact]
    public void A_copy_that_takes_effect_again_breaks_K3_and_one_that_is_answered_alike_does_not()
    {
        var sessions = new SessionEffects();
        var put = Put() with { Session = new SessionStamp(7, 1) };
        Assert.False(sessions.Applied(new(1), put, new CommandResult(CommandStatus.Ok, 2), out var wrong));
        Assert.True(sessions.Applied(new(2), put, new CommandResult(CommandStatus.Ok, 2), out wrong));
        Assert.Null(wrong);
        sessions.Applied(new(3), put, new CommandResult(CommandStatus.Ok, 3), out wrong);
        Assert.Contains("took effect twice", wrong);
    }

    [Fact]
    public void A_session_that_the_log_expired_may_begin_again()
    {
        var sessions = new SessionEffects();
        var put = Put() with { Session = new SessionStamp(7, 1) };
        sessions.Applied(new(1), put, new CommandResult(CommandStatus.Ok, 2), out _);
        sessions.Applied(new(2), new ExpireSessions(2), new CommandResult(CommandStatus.Ok, 2, 1), out _);
        Assert.False(sessions.Applied(new(3), put, new CommandResult(CommandStatus.Ok, 3), out var wrong));
        Assert.Null(wrong);
    }

    [Fact]
    public void Elections_without_end_break_V2_and_those_before_settling_do_not()
    {
        var quiet = new QuietAfterSettling();
        quiet.Begin(settledAt: 100);
        Assert.All(Enumerable.Range(0, 50), term => Assert.Null(quiet.Elected(1, (ulong)term, now: 99)));
        Assert.Null(quiet.Elected(1, 60, now: 101));
        Assert.Null(quiet.Elected(2, 61, now: 102));
        Assert.NotNull(quiet.Elected(1, 62, now: 103));
    }

    [Fact]
    public void More_than_the_limit_in_a_message_breaks_Q1()
    {
        var limits = new QueueLimits(new SimSettings { AppendEntriesMax = 1 });
        var one = new AppendEntries(Group, new(1), new(2), new(1), EntryId.Start, default, new[] { Entry(1, Put()) });
        Assert.Null(limits.CheckSent(1, one));
        Assert.NotNull(limits.CheckSent(1, one with { Entries = new[] { Entry(1, Put()), Entry(2, Put()) } }));
    }

    private static Put Put() => new(Key, Key);

    private static VoteReply Vote(ulong to, ulong term) =>
        new(Group, new NodeId(1), new NodeId(to), new Term(term), IsPreVote: false, Granted: true);

    private static LogEntry Entry(ulong index, Command command)
    {
        var bytes = new byte[CommandCodec.Size(command)];
        CommandCodec.Encode(command, bytes);
        return new LogEntry(new EntryId(new Term(1), new LogIndex(index)), EntryKind.Command, bytes);
    }

    private static Operation Write(long revision) => new(
        0, 1, 0, 1, OperationOutcome.Done, revision, true, false, true, [new Step(StepKind.Write, "k", "v", null)]);
}
