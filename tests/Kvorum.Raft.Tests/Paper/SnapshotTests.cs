using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>Paper §7, Figure 13: compaction, transfer in chunks, resume, installing.</summary>
public sealed class SnapshotTests
{
    private static readonly SnapshotDescriptor Five = Snapshot(term: 1, index: 5);

    [Fact]
    public void Taken_snapshot_cuts_the_log_but_for_the_trailing_entries()
    {
        var node = AppliedFollower(5, Options() with { TrailingEntries = 2 });
        node.Step(new SnapshotTaken(Five));
        Assert.Equal(Id(1, 3), node.LogStart);
        Assert.Equal(Id(1, 5), node.LastEntry);
    }

    [Fact]
    public void Log_shorter_than_the_trailing_entries_is_kept_whole()
    {
        var node = AppliedFollower(5, Options());
        node.Step(new SnapshotTaken(Five));
        Assert.Equal(EntryId.Start, node.LogStart);
    }

    [Fact]
    public void Follower_asks_its_host_for_the_place_and_reports_it()
    {
        var node = Follower();
        var effects = node.Step(new Receive(Messages.Install(2, 1, Five, 0, 0)));
        Assert.True(Assert.Single(effects.ChunkWrites) is { Data.Length: 0 });
        effects = node.Step(new ChunkWritten(new NodeId(2), Five, 40));
        Assert.True(Sent<InstallSnapshotReply>(effects.Send, 2) is { NextOffset: 40, Installed: false });
    }

    [Fact]
    public void Installed_snapshot_replaces_a_log_that_does_not_reach_it_and_is_reported_after_the_sync()
    {
        var node = Follower(log: [1, 1]);
        node.Step(new Receive(Messages.Install(2, 1, Five, 0, 100)));
        var effects = node.Step(new SnapshotInstalled(Five));

        Assert.Equal(Id(1, 5), effects.LogStart);
        Assert.NotEqual(WriteId.None, effects.Write);
        Assert.True(Sent<InstallSnapshotReply>(effects.SendAfterSync, 2) is { Installed: true });
        Assert.Equal((Id(1, 5), Id(1, 5), 5UL), (node.LogStart, node.LastEntry, node.CommitIndex.Value));

        // Replication goes on right after it.
        effects = node.Step(new Receive(Messages.Append(2, 1, Id(1, 5), 6, Entries(5, 1))));
        Assert.Equal([6UL], effects.Apply.Select(entry => entry.Index.Value));
    }

    [Fact]
    public void Snapshot_the_log_already_covers_is_not_installed_and_the_entries_after_it_stay()
    {
        var node = Follower(log: [1, 1, 1, 1, 1, 1, 1]);
        var effects = node.Step(new Receive(Messages.Install(2, 1, Five, 0, 100)));
        Assert.Empty(effects.ChunkWrites);
        Assert.True(Sent<InstallSnapshotReply>(effects.SendAfterSync, 2) is { Installed: true });
        Assert.Equal((Id(1, 7), 5UL), (node.LastEntry, node.CommitIndex.Value));
        Assert.Equal(5, effects.Apply.Count);
    }

    [Fact]
    public void Nothing_is_applied_and_no_campaign_begins_while_the_host_installs()
    {
        var node = Follower(log: [1, 1]);
        node.Step(new Receive(Messages.Install(2, 1, Five, 0, 100)));
        Assert.Empty(node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 2))).Apply);
        Assert.Empty(TickFor(node, 500));

        // The host found the checksum wrong: everything goes on as before.
        var effects = node.Step(new ChunkWritten(new NodeId(2), Five, 0));
        Assert.Equal(2, effects.Apply.Count);
        TickUntil(node, Role.PreCandidate);
    }

    [Fact]
    public void Question_that_finds_the_file_complete_installs_it_with_the_same_care_as_a_last_chunk()
    {
        var node = Follower(log: [1, 1]);
        node.Step(new Receive(Messages.Install(2, 1, Five, 0, 0)));
        Assert.Empty(node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 2))).Apply);
        Assert.Empty(TickFor(node, 500));
        node.Step(new SnapshotInstalled(Five));
        Assert.Equal((5UL, Id(1, 5)), (node.CommitIndex.Value, node.LastEntry));
    }

    [Fact]
    public void Answer_to_an_earlier_chunk_does_not_end_the_installation_a_later_one_began()
    {
        var node = Follower(log: [1, 1]);
        Assert.Single(node.Step(new Receive(Messages.Install(2, 1, Five, 0, 50))).ChunkWrites);
        Assert.Single(node.Step(new Receive(Messages.Install(2, 1, Five, 50, 50))).ChunkWrites);
        node.Step(new ChunkWritten(new NodeId(2), Five, 50));
        Assert.Empty(node.Step(new Receive(Messages.Heartbeat(2, 1, commit: 2))).Apply);
        Assert.Equal(2, node.Step(new ChunkWritten(new NodeId(2), Five, 0)).Apply.Count);
    }

    [Fact]
    public void Chunks_that_come_behind_the_last_one_do_not_install_it_again()
    {
        var node = Follower();
        node.Step(new Receive(Messages.Install(2, 1, Five, 50, 50)));
        node.Step(new Receive(Messages.Install(2, 1, Five, 50, 50)));
        node.Step(new SnapshotInstalled(Five));
        var effects = node.Step(new Receive(Messages.Append(2, 1, Id(1, 5), 6, Entries(5, 1))));
        Assert.Single(effects.Apply);
        effects = node.Step(new SnapshotInstalled(Five));
        Assert.Null(effects.LogStart);
        Assert.Equal((Id(1, 6), 6UL), (node.LastEntry, node.CommitIndex.Value));
    }

    [Fact]
    public void Host_is_given_a_window_of_chunks_and_no_more()
    {
        var node = Follower(options: Options() with { SnapshotChunksInflightMax = 3 });
        for (ulong i = 0; i < 3; i++)
        {
            Assert.Single(node.Step(new Receive(Messages.Install(2, 1, Five, 10 * i, 10))).ChunkWrites);
        }

        Assert.Empty(node.Step(new Receive(Messages.Install(2, 1, Five, 30, 10))).ChunkWrites);
        node.Step(new ChunkWritten(new NodeId(2), Five, 10));
        Assert.Single(node.Step(new Receive(Messages.Install(2, 1, Five, 30, 10))).ChunkWrites);
    }

    [Fact]
    public void New_leader_goes_on_when_the_host_has_stored_what_the_old_one_sent()
    {
        var node = Follower();
        node.Step(new Receive(Messages.Install(2, 1, Five, 0, 20)));
        node.Step(new Receive(Messages.Install(2, 1, Five, 20, 20)));
        Assert.Empty(node.Step(new Receive(Messages.Install(3, 2, Five, 0, 0))).ChunkWrites);
        Assert.Empty(node.Step(new ChunkWritten(new NodeId(2), Five, 20)).Send);
        Assert.Empty(node.Step(new ChunkWritten(new NodeId(2), Five, 40)).Send);
        Assert.Single(node.Step(new Receive(Messages.Install(3, 2, Five, 0, 0))).ChunkWrites);
        var effects = node.Step(new ChunkWritten(new NodeId(3), Five, 40));
        Assert.True(Sent<InstallSnapshotReply>(effects.Send, 3) is { NextOffset: 40, Installed: false });
    }

    [Fact]
    public void Leader_offers_its_snapshot_sends_chunks_from_where_the_peer_is_and_goes_on_after_it()
    {
        var node = LeaderWithSnapshot(out var snapshot);
        var offer = Sent<InstallSnapshot>(node.Step(new Receive(Messages.HeartbeatReply(3, 1))).Send, 3);
        Assert.True(offer.Data.IsEmpty);

        var effects = node.Step(new Receive(Messages.InstallReply(3, 1, snapshot.LastIncluded, 40)));
        Assert.Equal(40UL, Assert.Single(effects.ChunkReads).Offset);
        effects = node.Step(new ChunkRead(new NodeId(3), snapshot, 40, new byte[60]));
        Assert.True(Sent<InstallSnapshot>(effects.Send, 3) is { Offset: 40, Data.Length: 60 });

        node.Step(Propose("after"));
        effects = node.Step(new Receive(Messages.InstallReply(3, 1, snapshot.LastIncluded, 100, installed: true)));
        Assert.Equal(snapshot.LastIncluded, Sent<AppendEntries>(effects.Send, 3).Previous);
    }

    [Fact]
    public void Lost_chunk_is_asked_for_again_after_two_heartbeats()
    {
        var node = LeaderWithSnapshot(out var snapshot);
        node.Step(new Receive(Messages.HeartbeatReply(3, 1)));
        node.Step(new Receive(Messages.InstallReply(3, 1, snapshot.LastIncluded, 40)));
        node.Step(new ChunkRead(new NodeId(3), snapshot, 40, new byte[10]));
        Assert.Contains(TickFor(node, 20), message => message is InstallSnapshot { Data.IsEmpty: true });
    }

    [Fact]
    public void Stale_and_repeated_chunk_reads_are_not_sent()
    {
        var node = LeaderWithSnapshot(out var snapshot);
        node.Step(new Receive(Messages.HeartbeatReply(3, 1)));
        node.Step(new Receive(Messages.InstallReply(3, 1, snapshot.LastIncluded, 40)));
        Assert.Empty(node.Step(new ChunkRead(new NodeId(3), snapshot, 0, new byte[10])).Send);
        Assert.NotEmpty(node.Step(new ChunkRead(new NodeId(3), snapshot, 40, new byte[10])).Send);
        Assert.Empty(node.Step(new ChunkRead(new NodeId(3), snapshot, 40, new byte[10])).Send);
    }

    [Fact]
    public void Log_on_disk_that_a_snapshot_overtook_is_reset_by_the_first_step()
    {
        var node = new RaftNode(Options(), Recovered(3) with
        {
            HardState = new HardState(new Term(1), null),
            Entries = Entries(0, 1, 1),
            Snapshot = Five,
            Applied = new LogIndex(5),
        });
        var effects = node.Step(Tick.Instance);
        Assert.Equal(Id(1, 5), effects.LogStart);
        Assert.NotEqual(WriteId.None, effects.Write);
        Assert.Null(node.Step(Tick.Instance).LogStart);
    }

    private static RaftNode AppliedFollower(int count, RaftOptions options)
    {
        var node = Follower(log: [.. Enumerable.Repeat(1UL, count)], options: options);
        node.Step(new Receive(Messages.Heartbeat(2, 1, commit: (ulong)count)));
        node.Step(new Applied(new LogIndex((ulong)count)));
        return node;
    }

    /// <summary>A leader whose log starts at 4; peer 3 has not answered yet, peer 2 has everything.</summary>
    internal static RaftNode LeaderWithSnapshot(
        out SnapshotDescriptor snapshot, RaftOptions? options = null, ulong length = 100)
    {
        var node = Leader(options: (options ?? Options()) with { TrailingEntries = 0 });
        node.Step(Propose("b", "c", "d"));
        node.Step(new Persisted(new WriteId(3)));
        node.Step(new Receive(Messages.Accept(2, 1, 4)));
        node.Step(new Applied(new LogIndex(4)));
        for (var i = 0; i < 12; i++)
        {
            TickFor(node, 10); // Peer 3 falls silent, so nothing is kept for it.
            node.Step(new Receive(Messages.HeartbeatReply(2, 1)));
        }

        snapshot = Snapshot(term: 1, index: 4, length: length);
        node.Step(new SnapshotTaken(snapshot));
        Assert.Equal(Id(1, 4), node.LogStart);
        return node;
    }
}
