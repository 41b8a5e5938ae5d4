using Kvorum.Raft;

namespace Kvorum.Benchmarks;

/// <summary>Three replicas that exchange messages through a queue; every write is durable at once.</summary>
internal sealed class Trio
{
    private const int TicksMax = 10_000;

    private static readonly GroupId Group = new(1);

    private readonly RaftNode[] _nodes = [Node(1), Node(2), Node(3)];
    private readonly Queue<Message> _messages = new();
    private ulong _requests;

    /// <summary>Elects the first node.</summary>
    public Trio()
    {
        for (var i = 0; i < TicksMax && Leader.Role != Role.Leader; i++)
        {
            Give(0, Tick.Instance);
            Deliver();
        }

        if (Leader.Role != Role.Leader)
        {
            throw new InvalidOperationException($"The first node is {Leader.Role} after {TicksMax} ticks.");
        }
    }

    public RaftNode Leader => _nodes[0];

    public long ReadsConfirmed { get; private set; }

    /// <summary>Proposes a batch, and returns when it is committed and every message about it was answered.</summary>
    public LogIndex Commit(ReadOnlyMemory<ReadOnlyMemory<byte>> commands)
    {
        var before = Leader.CommitIndex;
        Give(0, new Propose(commands, ++_requests));
        Deliver();
        return Leader.CommitIndex.CountSince(before) == (ulong)commands.Length
            ? Leader.CommitIndex
            : throw new InvalidOperationException(
                $"{commands.Length} proposals moved the commit index from {before} to {Leader.CommitIndex}.");
    }

    /// <summary>Confirms one read barrier by a majority.</summary>
    public long Read(int node)
    {
        var before = ReadsConfirmed;
        Give(node, new ReadBarrier(++_requests));
        Deliver();
        return ReadsConfirmed == before + 1
            ? ReadsConfirmed
            : throw new InvalidOperationException($"{ReadsConfirmed - before} reads confirmed instead of one.");
    }

    private static RaftNode Node(ulong id) => new(
        new RaftOptions { Node = new NodeId(id), Group = Group, Seed = id },
        new RecoveredState(
            HardState: default,
            LogStart: default,
            Snapshot: null,
            Applied: default,
            Membership: new Membership([new NodeId(1), new NodeId(2), new NodeId(3)], []),
            Entries: [],
            MayVote: true,
            NonVoters: []));

    private void Deliver()
    {
        while (_messages.TryDequeue(out var message))
        {
            Give((int)message.To.Value - 1, new Receive(message));
        }
    }

    private void Give(int node, Input input)
    {
        var effects = _nodes[node].Step(input);
        foreach (var message in effects.Send)
        {
            _messages.Enqueue(message);
        }

        // The disk of this world is done at once; what waited for it may leave.
        foreach (var message in effects.SendAfterSync)
        {
            _messages.Enqueue(message);
        }

        ReadsConfirmed += effects.Reads.Count(read => read.Accepted);
        var write = effects.Write;
        LogIndex? applied = effects.Apply.Count > 0 ? effects.Apply[^1].Index : null;
        if (write != WriteId.None)
        {
            Give(node, new Persisted(write));
        }

        if (applied is { } index)
        {
            Give(node, new Applied(index));
        }
    }
}
