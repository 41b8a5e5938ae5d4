using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>Paper §5.3 (proposals at the leader) and how followers send theirs on.</summary>
public sealed class ForwardingTests
{
    [Fact]
    public void Proposal_without_a_leader_is_refused_as_such()
    {
        Assert.Equal(ProposeResult.NoLeader, Started().Step(Propose("a")).Proposed!.Value.Result);
        Assert.Equal(ProposeResult.NoLeader, PreCandidate().Step(Propose("a")).Proposed!.Value.Result);
    }

    [Fact]
    public void Follower_sends_proposals_to_the_leader()
    {
        var effects = Follower().Step(Propose(7, "a", "b"));
        Assert.Equal(new ProposeOutcome(ProposeResult.Forwarded, EntryId.Start, new NodeId(2)), effects.Proposed);
        var forward = Sent<ForwardProposals>(effects.Send, 2);
        Assert.Equal((7UL, 0, 2), (forward.RequestId, forward.Offset, forward.Commands.Length));
    }

    [Fact]
    public void Follower_without_a_connection_to_the_leader_forwards_nothing()
    {
        var node = Follower();
        node.Step(new ConnectionLost(new NodeId(2)));
        var effects = node.Step(Propose("a"));
        Assert.Equal(ProposeResult.NoLeader, effects.Proposed!.Value.Result);
        Assert.Empty(effects.Send);
    }

    [Fact]
    public void Large_batch_is_forwarded_in_parts_that_name_their_place()
    {
        var big = new string('x', RaftNode.ForwardBytesMax / 2);
        var effects = Follower().Step(Propose(7, "a", big, big, "b", big + big + big, "c"));
        Assert.Equal(
            [(0, 2), (2, 2), (4, 1), (5, 1)],
            effects.Send.OfType<ForwardProposals>().Select(part => (part.Offset, part.Commands.Length)));
    }

    [Fact]
    public void Leader_answers_a_forwarded_batch_before_it_sends_the_entries()
    {
        var node = SettledLeader();
        var effects = node.Step(new Receive(Forward("a", "b")));

        var toFollower = effects.Send.Where(message => message.To.Value == 3).ToList();
        Assert.True(toFollower[0] is ForwardReply { Accepted: true, RequestId: 9, Count: 2 } reply && reply.First == Id(1, 2));
        Assert.IsType<AppendEntries>(toFollower[1]);
    }

    [Fact]
    public void Follower_whose_clients_wait_hears_of_the_commit_at_once()
    {
        var node = SettledLeader();
        node.Step(new Receive(Forward("a")));
        node.Step(new Persisted(new WriteId(3)));
        var effects = node.Step(new Receive(Messages.Accept(3, 1, 2)));
        Assert.Equal(2UL, Sent<Heartbeat>(effects.Send, 3).Commit.Index.Value);
        Assert.DoesNotContain(effects.Send, message => message.To.Value == 2); // Nobody waits there: the next tick is soon enough.
    }

    [Fact]
    public void Answer_that_is_forgotten_is_not_given_again()
    {
        var memory = new ForwardMemory();
        var peer = new NodeId(3);
        var reply = new TimeoutNow(Group, new NodeId(1), peer, new Term(1));
        for (var id = 1UL; id <= ForwardMemory.AnswersMax + 5; id++)
        {
            memory.Remember(peer, id, 0, reply);
        }

        Assert.Null(memory.Find(peer, 5, 0));
        Assert.True(memory.MayBeForgotten(peer, 5));
        Assert.NotNull(memory.Find(peer, 6, 0));
        Assert.False(memory.MayBeForgotten(peer, ForwardMemory.AnswersMax + 6));
        Assert.False(memory.MayBeForgotten(peer, 1UL << 60)); // Of another process.
        Assert.False(memory.MayBeForgotten(new NodeId(2), 1));
    }

    [Fact]
    public void Leader_takes_one_copy_of_a_forwarded_batch()
    {
        var node = SettledLeader();
        node.Step(new Receive(Forward("a")));
        var effects = node.Step(new Receive(Forward("a")));
        Assert.Empty(effects.Append);
        Assert.DoesNotContain(effects.Send, message => message is ForwardReply);
    }

    [Fact]
    public void Leader_without_room_refuses_a_batch_for_good_and_says_nothing_of_a_copy()
    {
        var node = SettledLeader();
        var full = new Receive(Forward("a")) { HasRoom = false };
        Assert.False(Sent<ForwardReply>(node.Step(full).Send, 3).Accepted);
        Assert.Empty(node.Step(new Receive(Forward("a"))).Append); // There is room again, and the sender was answered.

        var other = Forward("b") with { RequestId = 10 };
        Assert.Single(node.Step(new Receive(other)).Append);
        Assert.DoesNotContain(
            node.Step(new Receive(other) { HasRoom = false }).Send, message => message is ForwardReply);
    }

    [Fact]
    public void Leader_takes_no_batch_of_another_term()
    {
        var effects = SettledLeader().Step(new Receive(Forward("a") with { Term = Term.Zero }));
        Assert.Empty(effects.Append);
        Assert.DoesNotContain(effects.Send, message => message is ForwardReply);
    }

    [Fact]
    public void Former_leader_of_a_term_does_not_say_that_it_proposed_nothing_in_it()
    {
        var node = SettledLeader();
        node.Step(new Receive(Forward("a")));
        for (var i = 0; i < 200; i++)
        {
            node.Step(Tick.Instance); // It hears no quorum and steps down.
        }

        Assert.NotEqual(Role.Leader, node.Role);
        Assert.Equal(1UL, node.Term.Value);
        var effects = node.Step(new Receive(Forward("a")));
        Assert.DoesNotContain(effects.Send, message => message is ForwardReply);
    }

    [Fact]
    public void Reply_of_the_leader_becomes_an_outcome()
    {
        var effects = Follower().Step(new Receive(new ForwardReply(
            Group, new NodeId(2), new NodeId(1), new Term(1), 9, 2, 3, true, Id(1, 4))));
        Assert.Equal(new ForwardOutcome(9, true, Id(1, 4), 2, 3), Assert.Single(effects.Forwarded));
    }

    [Fact]
    public void Leader_refuses_proposals_beyond_its_limit_until_the_others_are_committed_durable_and_applied()
    {
        var node = SettledLeader(options: Options() with { UncommittedBytesMax = 10 });
        Assert.Equal(ProposeResult.Appended, node.Step(Propose("12345678")).Proposed!.Value.Result);
        Assert.Equal(ProposeResult.Refused, node.Step(Propose("901")).Proposed!.Value.Result);
        Assert.False(Sent<ForwardReply>(node.Step(new Receive(Forward("901"))).Send, 3).Accepted);

        node.Step(new Receive(Messages.Accept(2, 1, 2)));
        node.Step(new Receive(Messages.Accept(3, 1, 2)));
        Assert.Equal(2UL, node.CommitIndex.Value);
        node.Step(new Applied(new LogIndex(2)));

        // The others stored it, but this disk does not keep up: what waits for it must not grow without end.
        Assert.Equal(ProposeResult.Refused, node.Step(Propose("901")).Proposed!.Value.Result);
        node.Step(new Persisted(new WriteId(3)));
        Assert.Equal(ProposeResult.Appended, node.Step(Propose("901")).Proposed!.Value.Result);
    }

    [Fact]
    public void Batch_larger_than_the_limit_is_taken_when_nothing_waits()
    {
        var node = SettledLeader(options: Options() with { UncommittedBytesMax = 10 });
        Assert.Equal(ProposeResult.Appended, node.Step(Propose("123456789012")).Proposed!.Value.Result);
    }

    [Fact]
    public void Batch_with_too_many_commands_or_none_is_refused()
    {
        var node = SettledLeader(options: Options() with { ProposalsMax = 2 });
        Assert.Equal(ProposeResult.Refused, node.Step(Propose("a", "b", "c")).Proposed!.Value.Result);
        Assert.Equal(ProposeResult.Refused, node.Step(Propose()).Proposed!.Value.Result);
        Assert.Equal(1UL, node.LastEntry.Index.Value);
    }

    private static ForwardProposals Forward(params string[] commands) =>
        new(Group, new NodeId(3), new NodeId(1), new Term(1), 9, 0, Replicas.Propose(commands).Commands);
}
