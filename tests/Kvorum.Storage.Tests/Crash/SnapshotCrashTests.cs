using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>The power fails, or the disk is full, at any operation of publishing a snapshot or an identity.</summary>
public sealed class SnapshotCrashTests
{
    private const string Directory = "/data/snap";
    private static readonly Membership _membership = new([new NodeId(1), new NodeId(2)], []);

    [Theory]
    [InlineData(Survival.None)]
    [InlineData(Survival.All)]
    [InlineData(Survival.Prefix)]
    [InlineData(Survival.Subset)]
    public void A_power_failure_at_any_operation_leaves_the_older_or_the_newer_snapshot_whole(Survival survival)
    {
        var total = 0;
        for (var operation = 1; total == 0; operation++)
        {
            var disk = WithOneSnapshot(out var older);
            disk.PowerFailsAt = disk.Operations + operation;
            SnapshotDescriptor? newer = null;
            try
            {
                var store = new SnapshotStore(disk, Directory, Logs.Group);
                newer = Write(store, 200);
                store.DeleteOld();
                total = operation;
            }
            catch (PowerFailureException)
            {
            }

            var again = new SnapshotStore(
                disk.AfterCrash(survival, new Random(operation)), Directory, Logs.Group);
            Assert.Empty(again.Damaged);
            Assert.Equal(newer?.LastIncluded ?? again.Newest!.LastIncluded, again.Newest!.LastIncluded);
            Assert.True(newer is not null || again.Newest == older || again.Newest.LastIncluded == Logs.Id(1, 200));
        }

        Assert.InRange(total, 8, 100);
    }

    [Theory]
    [InlineData(Survival.None)]
    [InlineData(Survival.Prefix)]
    [InlineData(Survival.Subset)]
    public void A_received_snapshot_is_published_whole_or_received_again(Survival survival)
    {
        var sender = new CrashDisk();
        var source = new SnapshotStore(sender, Directory, Logs.Group);
        var sent = Write(source, 200);
        var raw = source.ReadRaw(sent, 0, int.MaxValue);
        for (var operation = 1; operation < 30; operation++)
        {
            var disk = WithOneSnapshot(out var older);
            disk.PowerFailsAt = disk.Operations + operation;
            var isPublished = false;
            try
            {
                var store = new SnapshotStore(disk, Directory, Logs.Group);
                Transfer(store, sent, raw);
                isPublished = store.TryPublishReceived(sent);
                Assert.True(isPublished);
            }
            catch (PowerFailureException)
            {
            }

            var again = new SnapshotStore(disk.AfterCrash(survival, new Random(operation)), Directory, Logs.Group);
            Assert.Empty(again.Damaged);
            Assert.Contains(again.Newest, isPublished ? [sent] : new[] { older, sent });

            // What was received may be rotten now; at the second try at the latest it is whole.
            Transfer(again, sent, raw);
            if (!again.TryPublishReceived(sent))
            {
                Transfer(again, sent, raw);
                Assert.True(again.TryPublishReceived(sent));
            }

            Assert.Equal(sent, again.Newest);
        }
    }

    [Fact]
    public void A_full_disk_costs_only_the_snapshot_that_was_being_written()
    {
        var disk = WithOneSnapshot(out var older);
        disk.Quota = (long)older.Length + 100_000;
        var store = new SnapshotStore(disk, Directory, Logs.Group);
        Assert.Throws<IOException>(() => Write(store, 200, bytes: 300_000));
        Assert.Equal(older, store.Newest);
        Assert.Single(disk.Paths);

        disk.Quota = long.MaxValue;
        Assert.Equal(Write(store, 300), store.Newest);
    }

    [Fact]
    public void A_failed_sync_publishes_nothing()
    {
        var disk = WithOneSnapshot(out var older);
        var store = new SnapshotStore(disk, Directory, Logs.Group);
        disk.FailsSyncs = true;
        Assert.Throws<SyncFailedException>(() => Write(store, 200));
        Assert.Equal(older, store.Newest);
        Assert.Single(disk.Paths);
    }

    [Theory]
    [InlineData(Survival.None)]
    [InlineData(Survival.Prefix)]
    [InlineData(Survival.Subset)]
    public void An_identity_is_replaced_as_a_whole_at_any_power_failure(Survival survival)
    {
        for (var operation = 1; operation < 20; operation++)
        {
            var disk = new CrashDisk();
            OpenData(disk).Dispose();
            disk.PowerFailsAt = disk.Operations + operation;
            var isSaved = false;
            try
            {
                var directory = OpenData(disk);
                directory.Save(directory.Identity with { MayVote = false });
                isSaved = true;
            }
            catch (PowerFailureException)
            {
            }

            using var again = OpenData(disk.AfterCrash(survival, new Random(operation)));
            Assert.False(again.IsNew);
            Assert.True(!isSaved || !again.Identity.MayVote);
        }
    }

    [Fact]
    public void What_was_received_before_a_failed_sync_is_on_the_medium_when_it_is_published()
    {
        var source = new SnapshotStore(new CrashDisk(), Directory, Logs.Group);
        var sent = Write(source, 200);
        var raw = source.ReadRaw(sent, 0, int.MaxValue);
        var disk = WithOneSnapshot(out _);
        var store = new SnapshotStore(disk, Directory, Logs.Group);
        Transfer(store, sent, raw);
        disk.FailsSyncs = true;
        Assert.Throws<SyncFailedException>(() => store.TryPublishReceived(sent));
        disk.FailsSyncs = false;

        // Another process of the same machine: it reads what the kernel shows.
        store = new SnapshotStore(disk, Directory, Logs.Group);
        Transfer(store, sent, raw);
        Assert.True(store.TryPublishReceived(sent));
        var again = new SnapshotStore(disk.AfterCrash(Survival.None, new Random(1)), Directory, Logs.Group);
        Assert.Empty(again.Damaged);
        Assert.Equal(sent, again.Newest);
    }

    private static DataDirectory OpenData(CrashDisk disk) =>
        DataDirectory.Open(disk, "/data", clusterId: 7, new NodeId(3), newIncarnation: 5, "pid 1");

    private static CrashDisk WithOneSnapshot(out SnapshotDescriptor older)
    {
        var disk = new CrashDisk();
        older = Write(new SnapshotStore(disk, Directory, Logs.Group), 100);
        return disk;
    }

    private static SnapshotDescriptor Write(SnapshotStore store, ulong index, int bytes = 150_000)
    {
        var body = new byte[bytes];
        new Random((int)index).NextBytes(body);
        using var writer = store.Create(Logs.Id(1, index), _membership);
        writer.Write(body);
        return writer.Publish();
    }

    private static void Transfer(SnapshotStore store, SnapshotDescriptor snapshot, byte[] raw)
    {
        var offset = store.ReceivedLength(snapshot);
        while (offset < snapshot.Length)
        {
            var count = (int)Math.Min(40_000, snapshot.Length - offset);
            offset = store.Receive(snapshot, offset, raw.AsSpan((int)offset, count));
        }
    }
}
