using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// The disk refuses: a failed sync ends the log's life, a full disk costs nothing that was acknowledged.
/// </summary>
public sealed class WalFailureTests
{
    private const string Directory = WalWorkload.Directory;
    private readonly CrashDisk _disk = new();

    [Fact]
    public void After_a_failed_sync_every_call_throws_the_first_error_and_no_sync_is_asked_again()
    {
        var wal = Wal.Open(_disk, Directory, Logs.Options());
        wal.Append(Logs.Group, Logs.Entries(1, 1, 2));
        wal.Sync();

        _disk.FailsSyncs = true;
        wal.Append(Logs.Group, Logs.Entries(1, 3, 2));
        var first = Assert.Throws<SyncFailedException>(wal.Sync);
        var (syncs, writes) = (_disk.Syncs, _disk.Writes);

        _disk.FailsSyncs = false; // As the kernel does: the next call would succeed.
        Action[] calls =
        [
            wal.Sync,
            () => wal.Append(Logs.Group, Logs.State(2)),
            () => wal.Append(Logs.Group, Logs.Entries(1, 3, 1)),
            () => wal.AppendReset(Logs.Group, Logs.Id(1, 9)),
            () => wal.CutBefore(Logs.Group, Logs.Id(1, 1)),
            () => wal.Read(Logs.Group, new LogIndex(1), 1),
            () => wal.TakeRecovered(Logs.Group),
            wal.PrepareNextSegment,
        ];
        Assert.All(calls, call => Assert.Same(first, Assert.Throws<SyncFailedException>(call)));
        wal.Dispose();
        Assert.Equal((syncs, writes), (_disk.Syncs, _disk.Writes));

        // Nothing was acknowledged; a power failure may take it.
        using var again = Wal.Open(_disk.AfterCrash(Survival.None, new Random(1)), Directory, Logs.Options());
        Logs.AssertSame(Logs.Entries(1, 1, 2), again.TakeRecovered(Logs.Group).Entries);
    }

    [Fact]
    public void A_failed_sync_of_the_next_segment_ends_the_log_too()
    {
        var wal = Wal.Open(_disk, Directory, Logs.Options());
        _disk.FailsSyncs = true;
        Assert.Throws<SyncFailedException>(wal.PrepareNextSegment);
        _disk.FailsSyncs = false;
        Assert.Throws<SyncFailedException>(() => wal.Append(Logs.Group, Logs.State(1)));
    }

    [Fact]
    public void A_disk_too_full_for_the_next_segment_leaves_the_log_usable_and_no_rest()
    {
        using var wal = Wal.Open(_disk, Directory, Logs.Options());
        _disk.Quota = 4096 + 2000;
        var refusal = Assert.Throws<IOException>(wal.PrepareNextSegment);
        Assert.Contains("No space left", refusal.Message, StringComparison.Ordinal);
        Assert.True(wal.NeedsNextSegment);
        Assert.Single(_disk.Paths);
        Assert.InRange(wal.BytesAvailable, 3000, 4000);
        wal.Append(Logs.Group, Logs.Entries(1, 1, 10));
        wal.Sync();

        _disk.Quota = long.MaxValue;
        wal.PrepareNextSegment();
        Assert.False(wal.NeedsNextSegment);
        Assert.Equal(2 * 4096, wal.BytesOnDisk);
    }

    [Fact]
    public void A_disk_that_runs_full_loses_nothing_acknowledged()
    {
        var model = new LogModel(1);
        _disk.Quota = 10_000;
        var wal = Wal.Open(_disk, Directory, Logs.Options());
        var refusal = Assert.Throws<IOException>(() =>
        {
            for (ulong index = 1; index < 1000; index++)
            {
                model.Append(Logs.Group, Logs.Entries(1, index, 1, payloadBytes: 100));
                wal.Append(Logs.Group, Logs.Entries(1, index, 1, payloadBytes: 100));
                wal.Sync();
                model.Acknowledge();
            }
        });
        Assert.Contains("No space left", refusal.Message, StringComparison.Ordinal);
        Assert.InRange(model.EndOf(Logs.Group).Value, 30UL, 80UL);

        var full = _disk.AfterCrash(Survival.Subset, new Random(3));
        full.Quota = 10_000;
        using var again = Wal.Open(full, Directory, Logs.Options());
        model.AssertPossible(again);
    }

    [Fact]
    public void A_log_without_room_writes_nothing_waits_and_goes_on_where_it_was()
    {
        var model = new LogModel(1);
        var wal = Wal.Open(_disk, Directory, Logs.Options());
        _disk.Quota = 10_000;
        var index = 1UL;
        for (var isFull = false; !isFull; index++)
        {
            var entries = Logs.Entries(1, index, 1, payloadBytes: 300);
            model.Append(Logs.Group, entries);
            wal.Append(Logs.Group, entries);
            isFull = !TrySync(wal, model);
        }

        // A batch over several segments, one of them larger than usual: all of it waits.
        var (writes, paths) = (_disk.Writes, CountSegments());
        var more = Logs.Entries(1, index, 60, payloadBytes: 300).Append(Logs.Large(1, index + 60, 9000)).ToArray();
        model.Append(Logs.Group, more);
        wal.Append(Logs.Group, more);
        Assert.False(TrySync(wal, model));
        _disk.Quota = 20_000;
        Assert.False(TrySync(wal, model));
        Assert.Equal(paths, CountSegments());
        Assert.True(_disk.Writes > writes); // Zeros only.
        Assert.NotEmpty(wal.Read(Logs.Group, new LogIndex(1), 100));
        using (var crashed = Wal.Open(_disk.Copy(), Directory, Logs.Options()))
        {
            model.AssertPossible(crashed);
        }

        _disk.Quota = long.MaxValue;
        Assert.True(TrySync(wal, model));
        wal.Dispose();
        Assert.DoesNotContain(_disk.Paths, path => path.EndsWith(".tmp", StringComparison.Ordinal));
        using var again = Wal.Open(_disk.AfterCrash(Survival.None, new Random(1)), Directory, Logs.Options());
        model.AssertLast(again);
    }

    [Fact]
    public void A_cut_without_room_for_its_checkpoint_deletes_nothing_until_there_is()
    {
        using var wal = Wal.Open(_disk, Directory, Logs.Options(segmentBytes: 1024));
        var index = 1UL;
        for (; wal.BytesAvailable > 100 || index < 20; index++)
        {
            wal.Append(Logs.Group, Logs.Entries(1, index, 1, payloadBytes: 60));
            wal.Sync();
        }

        _disk.Quota = wal.BytesOnDisk + 100;
        var before = wal.BytesOnDisk;
        var refusal = Assert.Throws<IOException>(() => wal.CutBefore(Logs.Group, Logs.Id(1, index - 1)));
        Assert.True(DiskErrors.IsFull(refusal));
        Assert.Equal(before, wal.BytesOnDisk);
        _disk.Quota = long.MaxValue;
        wal.CutBefore(Logs.Group, Logs.Id(1, index - 1));
        Assert.InRange(wal.BytesOnDisk, 1024, 2048);
        var crashed = _disk.AfterCrash(Survival.None, new Random(1));
        using var again = Wal.Open(crashed, Directory, Logs.Options(segmentBytes: 1024));
        Assert.Equal(Logs.Id(1, index - 1), again.TakeRecovered(Logs.Group).LogStart);
    }

    private int CountSegments() => _disk.Paths.Count(path => path.EndsWith(".wal", StringComparison.Ordinal));

    private static bool TrySync(Wal wal, LogModel model)
    {
        try
        {
            wal.Sync();
            model.Acknowledge();
            return true;
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            return false;
        }
    }

    [Fact]
    public void A_batch_of_many_appends_and_groups_is_one_write_and_one_sync()
    {
        using var wal = Wal.Open(_disk, Directory, Logs.Options(segmentBytes: 1024 * 1024));
        var (syncs, writes) = (_disk.Syncs, _disk.Writes);
        for (uint group = 1; group <= 20; group++)
        {
            wal.Append(new GroupId(group), Logs.State(1, vote: 2));
            wal.Append(new GroupId(group), Logs.Entries(1, 1, 50));
        }

        wal.Sync();
        Assert.Equal((syncs + 1, writes + 1), (_disk.Syncs, _disk.Writes));
        wal.Sync();
        Assert.Equal((syncs + 1, writes + 1), (_disk.Syncs, _disk.Writes));
    }

    [Fact]
    public void What_was_not_synced_is_not_read_and_not_kept_by_an_orderly_stop()
    {
        using (var wal = Wal.Open(_disk, Directory, Logs.Options()))
        {
            wal.Append(Logs.Group, Logs.Entries(1, 1, 2));
            Assert.Empty(wal.Read(Logs.Group, new LogIndex(1), 100));
            wal.Sync();
            wal.Append(Logs.Group, Logs.Entries(1, 3, 2));
        }

        using var again = Wal.Open(_disk, Directory, Logs.Options());
        Assert.Equal(2, again.TakeRecovered(Logs.Group).Entries.Count);
    }

    [Fact]
    public void Opening_and_closing_without_work_does_not_grow_the_log()
    {
        Wal.Open(_disk, Directory, Logs.Options()).Dispose();
        var before = _disk.Copy();
        for (var i = 0; i < 3; i++)
        {
            Wal.Open(_disk, Directory, Logs.Options()).Dispose();
        }

        Assert.Equal(before.Paths, _disk.Paths);
        Assert.All(before.Paths, path => Assert.Equal(before[path], _disk[path]));
    }

    [Fact]
    public void Entries_that_do_not_follow_the_log_are_refused()
    {
        using var wal = Wal.Open(_disk, Directory, Logs.Options());
        wal.Append(Logs.Group, Logs.Entries(1, 1, 2));
        Assert.Throws<ArgumentException>(() => wal.Append(Logs.Group, Logs.Entries(1, 4, 1)));
        Assert.Throws<InvariantException>(() => wal.Append(Logs.Group, [Logs.Entry(1, 3), Logs.Entry(1, 5)]));
        Assert.Throws<ArgumentException>(() => wal.CutBefore(Logs.Group, Logs.Id(1, 9)));
        wal.CutBefore(Logs.Group, Logs.Id(1, 1));
        Assert.Throws<ArgumentException>(() => wal.Append(Logs.Group, Logs.Entries(2, 1, 1)));
    }

    [Fact]
    public void More_than_the_limit_of_waiting_bytes_is_refused_and_what_waited_stays()
    {
        using var wal = Wal.Open(_disk, Directory, Logs.Options(segmentBytes: 1024 * 1024));
        var payload = new byte[60 * 1024 * 1024];
        ulong index = 1;
        for (; index * 60 * 1024 * 1024 < WalBatch.BytesMax; index++)
        {
            wal.Append(Logs.Group, [new LogEntry(Logs.Id(1, index), EntryKind.Command, payload)]);
        }

        Assert.Throws<InvalidOperationException>(
            () => wal.Append(Logs.Group, [new LogEntry(Logs.Id(1, index), EntryKind.Command, payload)]));
        Assert.Throws<ArgumentException>(() => wal.Append(
            Logs.Group, [new LogEntry(Logs.Id(1, index), EntryKind.Command, new byte[WalRecordHeader.LengthMax])]));
    }
}
