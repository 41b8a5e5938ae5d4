using System.Buffers;
using System.Diagnostics;
using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Tidy.Assemblies;

namespace Kvorum.Tidy;

/// <summary>
/// A switch over message, input or command types is not checked by the compiler: here every subtype goes through its
/// codec and its switch once.
/// </summary>
public sealed class CompletenessTests
{
    public static TheoryData<Type> Messages => [.. SubtypesOf(typeof(Message))];

    public static TheoryData<Type> Inputs => [.. SubtypesOf(typeof(Input))];

    public static TheoryData<Type> Commands => [.. SubtypesOf(typeof(Command))];

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_survives_its_codec(Type type)
    {
        var message = (Message)new Sample().Make(type);
        var bytes = new ArrayBufferWriter<byte>();
        MessageCodec.Encode(message, bytes);

        Assert.True(MessageCodec.TryDecode(bytes.WrittenMemory.ToArray(), out var decoded, out var error), error);
        Assert.Null(Sample.Difference(message, decoded, type.Name));
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_is_told_apart_from_every_shorter_run_of_its_bytes(Type type)
    {
        var bytes = new ArrayBufferWriter<byte>();
        MessageCodec.Encode((Message)new Sample().Make(type), bytes);
        var whole = bytes.WrittenMemory.ToArray();
        for (var length = 0; length < whole.Length; length++)
        {
            Assert.False(
                MessageCodec.TryDecode(whole.AsMemory(0, length), out _, out _),
                $"{length} of {whole.Length} bytes passed as a whole {type.Name}.");
        }
    }

    [Theory]
    [MemberData(nameof(Messages))]
    public void Every_message_has_its_case_in_every_role(Type type)
    {
        foreach (var node in NodesOfAllRoles())
        {
            var message = (Message)new Sample().Make(type);
            message = message with { Group = new GroupId(1), To = new NodeId(1), From = new NodeId(2) };
            MustKnow(node, new Receive(message), type);
        }
    }

    [Theory]
    [MemberData(nameof(Inputs))]
    public void Every_input_has_its_case_in_every_role(Type type)
    {
        foreach (var node in NodesOfAllRoles())
        {
            MustKnow(node, type == typeof(Receive) ? new Receive(AnyMessage()) : (Input)new Sample().Make(type), type);
        }
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_survives_its_codec(Type type)
    {
        var command = (Command)new Sample().Make(type);
        var bytes = new byte[CommandCodec.Size(command)];
        CommandCodec.Encode(command, bytes);

        Assert.True(CommandCodec.TryDecode(bytes, out var decoded));
        Assert.Null(Sample.Difference(command, decoded, type.Name));
    }

    [Fact]
    public void Every_kind_of_command_has_one_type_and_every_type_one_kind()
    {
        var kinds = SubtypesOf(typeof(Command)).Select(type => ((Command)new Sample().Make(type)).Kind).Order();

        Assert.Equal(Enum.GetValues<CommandKind>().Order(), kinds);
    }

    /// <summary>A nonsensical input may well break an invariant, and should; it may not be unknown.</summary>
    private static void MustKnow(RaftNode node, Input input, Type type)
    {
        try
        {
            node.Step(input);
        }
        catch (UnreachableException e)
        {
            Assert.Fail($"{type.Name} has no case in RaftNode as {node.Role}: {e.Message}");
        }
        catch (InvariantException)
        {
            // Expected of values drawn blindly.
        }
        catch (ArgumentException)
        {
            // Likewise.
        }
    }

    private static List<RaftNode> NodesOfAllRoles()
    {
        var leader = Node();
        Until(leader, node => node.Role == Role.PreCandidate, Tick.Instance);
        var candidate = Node();
        Until(candidate, node => node.Role == Role.PreCandidate, Tick.Instance);
        Grant(candidate, isPreVote: true);
        Grant(leader, isPreVote: true);
        Grant(leader, isPreVote: false);
        var preCandidate = Node();
        Until(preCandidate, node => node.Role == Role.PreCandidate, Tick.Instance);

        List<RaftNode> nodes = [Node(), preCandidate, candidate, leader];
        Assert.Equal([Role.Follower, Role.PreCandidate, Role.Candidate, Role.Leader], nodes.Select(node => node.Role));
        return nodes;
    }

    private static void Grant(RaftNode node, bool isPreVote)
    {
        var term = isPreVote ? node.Term.Next : node.Term;
        var effects = node.Step(
            new Receive(new VoteReply(new GroupId(1), new NodeId(2), new NodeId(1), term, isPreVote, Granted: true)));
        if (effects.Write != WriteId.None)
        {
            node.Step(new Persisted(effects.Write));
        }
    }

    private static void Until(RaftNode node, Func<RaftNode, bool> condition, Input input)
    {
        for (var i = 0; i < 1000 && !condition(node); i++)
        {
            node.Step(input);
        }

        Assert.True(condition(node), $"1,000 × {input.GetType().Name} did not bring the node there: {node.Role}.");
    }

    private static RaftNode Node() => new(
        new RaftOptions { Node = new NodeId(1), Group = new GroupId(1), Seed = 42 },
        new RecoveredState(
            HardState: default,
            LogStart: default,
            Snapshot: null,
            Applied: default,
            Membership: new Membership([new(1), new(2), new(3)], []),
            Entries: [],
            MayVote: true,
            NonVoters: []));

    private static Heartbeat AnyMessage() =>
        new(new GroupId(1), new NodeId(2), new NodeId(1), new Term(1), default, ReadRound: 0);

    private static IEnumerable<Type> SubtypesOf(Type type) =>
        type.Assembly.GetTypes()
            .Where(subtype => subtype.IsSubclassOf(type) && !subtype.IsAbstract)
            .OrderBy(subtype => subtype.Name, StringComparer.Ordinal);
}
