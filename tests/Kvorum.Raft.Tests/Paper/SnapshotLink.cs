using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>
/// A leader that sends a snapshot to node 3 over a link with a delay, tick by tick; node 2 answers at once. The hosts
/// read and store without delay; what is stored outlives a restart of node 3.
/// </summary>
internal sealed class SnapshotLink
{
    private readonly SortedDictionary<(int At, int Number), Message> _way = [];
    private readonly RaftOptions _options;
    private readonly RaftNode _leader;
    private RaftNode _follower;
    private int _number;

    public SnapshotLink(int window, int chunks, int chunkBytes = 256)
    {
        _options = Options() with { SnapshotChunkBytesMax = chunkBytes, SnapshotChunksInflightMax = window };
        _leader = SnapshotTests.LeaderWithSnapshot(out var snapshot, _options, (ulong)(chunks * chunkBytes));
        Snapshot = snapshot;
        _follower = NewFollower();
        Step(_leader, new ConnectionMade(new NodeId(3)));
    }

    public SnapshotDescriptor Snapshot { get; }

    /// <summary>
    /// After how many ticks each of the message's copies arrives; the number says which message it is.
    /// </summary>
    public Func<Message, int, int[]> Fate { get; set; } = (_, _) => [2];

    public int Now { get; private set; }

    /// <summary>Chunks that left, those sent again included.</summary>
    public List<ulong> Chunks { get; } = [];

    /// <summary>The first byte node 3's host does not have.</summary>
    public ulong Stored { get; private set; }

    public bool IsInstalled { get; private set; }

    /// <summary>Whether the leader goes on with entries.</summary>
    public bool IsOver => _leader.Peers.First(peer => peer.Node == new NodeId(3)).State != "snapshot";

    /// <summary>How many ticks it takes until node 3 has the snapshot and the leader knows it.</summary>
    public int Run(int ticksMax = 20_000)
    {
        while (!IsInstalled || !IsOver)
        {
            Tick();
            Assert.True(Now < ticksMax, $"Not there after {ticksMax} ticks: {Stored} of {Snapshot.Length} bytes.");
        }

        return Now;
    }

    public void Tick()
    {
        Now++;
        while (_way.Count > 0 && _way.Keys.First() is var first && first.At <= Now)
        {
            _way.Remove(first, out var message);
            var receiver = message!.To == new NodeId(3) ? _follower : _leader; // Just found there.
            Step(receiver, new Receive(message));
        }

        Step(_leader, Raft.Tick.Instance);
        Step(_follower, Raft.Tick.Instance);
    }

    public void RestartFollower()
    {
        _follower = NewFollower();
        Step(_leader, new ConnectionLost(new NodeId(3)));
        Step(_leader, new ConnectionMade(new NodeId(3)));
    }

    private static RaftNode NewFollower() => new(Options(3) with { ElectionTicks = 10_000 }, Recovered(3));

    private void Step(RaftNode node, Input input)
    {
        var effects = node.Step(input);
        List<Input> answers = [.. effects.ChunkReads.Select(Read), .. effects.ChunkWrites.Select(Write)];
        if (effects.Write != WriteId.None)
        {
            answers.Add(new Persisted(effects.Write));
        }

        foreach (var message in effects.Send.Concat(effects.SendAfterSync))
        {
            Send(message);
        }

        foreach (var answer in answers)
        {
            Step(node, answer);
        }
    }

    private void Send(Message message)
    {
        if (message.To == new NodeId(2))
        {
            if (message is Heartbeat)
            {
                _way.Add((Now + 1, ++_number), Messages.HeartbeatReply(2, message.Term.Value));
            }

            return;
        }

        var number = ++_number;
        if (message is InstallSnapshot { Data.IsEmpty: false } chunk)
        {
            Chunks.Add(chunk.Offset);
        }

        foreach (var delay in Fate(message, number))
        {
            _way.Add((Now + delay, ++_number), message);
        }
    }

    private ChunkRead Read(ReadChunk read)
    {
        var bytes = Math.Min((ulong)read.BytesMax, Snapshot.Length - read.Offset);
        return new ChunkRead(read.Peer, read.Snapshot, read.Offset, new byte[bytes]);
    }

    private Input Write(WriteChunk write)
    {
        if (write.Offset <= Stored)
        {
            Stored = Math.Max(Stored, write.Offset + (ulong)write.Data.Length);
        }

        if (Stored < Snapshot.Length)
        {
            return new ChunkWritten(write.From, write.Snapshot, Stored);
        }

        IsInstalled = true;
        return new SnapshotInstalled(write.Snapshot);
    }
}
