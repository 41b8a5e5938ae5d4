using Kvorum.Raft;
using Kvorum.Storage;
using Kvorum.Storage.Tests;

namespace Kvorum.Node.Tests;

/// <summary>A whole node that is sent a snapshot in chunks: what it has stored, it is not sent again.</summary>
public sealed class SnapshotResumeTests
{
    private const int ChunkBytes = 500;
    private static readonly GroupId _group = NodeRecovery.Group;
    private static readonly NodeId _me = new(LoneNode.Id);

    private readonly List<LogEntry> _log =
    [
        .. Enumerable.Range(1, 200).Select(i => CrashStory.Command(1, (ulong)i, $"key {i}", $"value {i}")),
    ];

    private readonly List<Message> _sent = [];
    private readonly SnapshotStore _sender;
    private readonly SnapshotDescriptor _snapshot;

    public SnapshotResumeTests()
    {
        _sender = CrashStory.SnapshotOf(_log);
        Assert.NotNull(_sender.Newest);
        _snapshot = _sender.Newest;
    }

    [Fact]
    public void Restarted_node_asks_for_what_it_has_not_stored_and_installs_the_whole()
    {
        var disk = new CrashDisk();
        var node = new LoneNode(disk, 11, null, _sent.Add);
        var half = _snapshot.Length / 2 / ChunkBytes * ChunkBytes;
        Send(node, leader: 1, term: 1, 0, half);
        Assert.Equal(half, NextOffset());
        node.Stop();

        node = new LoneNode(disk, 12, null, _sent.Add);
        Send(node, leader: 1, term: 1, half, half); // Only the question.
        Assert.Equal(half, NextOffset());
        Send(node, leader: 1, term: 1, half, _snapshot.Length);
        AssertInstalled(node);
    }

    [Fact]
    public void New_leader_with_the_same_snapshot_goes_on_where_the_old_one_stopped()
    {
        var node = new LoneNode(new CrashDisk(), 11, null, _sent.Add);
        Send(node, leader: 1, term: 1, 0, ChunkBytes * 4);
        Send(node, leader: 2, term: 2, 0, 0);
        Assert.Equal(ChunkBytes * 4UL, NextOffset());
        Send(node, leader: 2, term: 2, ChunkBytes * 4, _snapshot.Length);
        AssertInstalled(node);
    }

    [Fact]
    public void Missing_chunk_is_told_by_every_later_one_and_what_is_there_twice_does_no_harm()
    {
        var node = new LoneNode(new CrashDisk(), 11, null, _sent.Add);
        Send(node, leader: 1, term: 1, 0, ChunkBytes);
        Send(node, leader: 1, term: 1, ChunkBytes * 2, ChunkBytes * 4);
        Assert.Equal((ulong)ChunkBytes, NextOffset());
        Send(node, leader: 1, term: 1, 0, _snapshot.Length);
        AssertInstalled(node);
    }

    private ulong NextOffset() => _sent.OfType<InstallSnapshotReply>().Last().NextOffset;

    private void AssertInstalled(LoneNode node)
    {
        Assert.True(_sent.OfType<InstallSnapshotReply>().Last().Installed);
        node.Tick();
        Assert.Equal((ulong)_log.Count, node.Node.Status.StateHashIndex);
        Assert.Equal(CrashStory.Replay(_log).StateHash, node.Node.Status.StateHash);
        node.Stop();
    }

    /// <summary>A question, then the chunks from one place to another.</summary>
    private void Send(LoneNode node, ulong leader, ulong term, ulong from, ulong to)
    {
        node.Deliver(Chunk(leader, term, from, []));
        for (var offset = from; offset < to; offset += ChunkBytes)
        {
            node.Deliver(Chunk(leader, term, offset, _sender.ReadRaw(_snapshot, offset, ChunkBytes)));
        }
    }

    private InstallSnapshot Chunk(ulong leader, ulong term, ulong offset, byte[] data) =>
        new(_group, new NodeId(leader), _me, new Term(term), _snapshot, offset, data);
}
