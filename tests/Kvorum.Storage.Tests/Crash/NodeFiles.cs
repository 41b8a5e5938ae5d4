using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>A scripted life of one data directory, in the order in which a node does these things.</summary>
internal sealed class NodeFiles(CrashDisk disk)
{
    public const string Root = "/data";

    private static readonly Membership _membership = new([new NodeId(1), new NodeId(2), new NodeId(3)], []);
    private static readonly WalOptions _options = Logs.Options(segmentBytes: 1024);

    private readonly CrashDisk _disk = disk;

    public NodeFilesModel Model { get; } = new();

    /// <summary>Runs it and returns how many disk operations it took.</summary>
    public int Run()
    {
        using (var files = Open(incarnation: 11))
        {
            files.Append(term: 1, first: 1, count: 6);
            files.Vote(term: 2, vote: 3);
            files.Append(term: 2, first: 5, count: 8); // Replaces a tail.
            files.Prepare();
            files.Append(term: 2, first: 13, count: 20);
            files.TakeSnapshot(Logs.Id(2, 10));
            files.Cut(Logs.Id(2, 8));
            files.MeetPeer();
            files.Append(term: 2, first: 33, count: 12);
        }

        using (var files = Open(incarnation: 12))
        {
            files.Install(Logs.Id(5, 60));
            files.Append(term: 5, first: 61, count: 10);
            files.Vote(term: 6, vote: 1);
            files.TakeSnapshot(Logs.Id(5, 66));
            files.Cut(Logs.Id(5, 64));
            files.Prepare();
            files.Append(term: 6, first: 71, count: 30);
        }

        Repair(newIncarnation: 13);
        using (var files = Open(incarnation: 14))
        {
            files.Append(term: 7, first: Model.Last.Value + 1, count: 5);
        }

        return _disk.Operations;
    }

    private Session Open(ulong incarnation)
    {
        var directory = DataDirectory.Open(_disk, Root, 7, new NodeId(3), incarnation, "pid 1");
        Model.Incarnation(directory.Identity.Incarnation, isDurable: true);
        var snapshots = new SnapshotStore(_disk, directory.SnapshotPath, Logs.Group);
        var wal = Wal.Open(_disk, directory.WalPath, _options);
        directory.RememberLog();
        return new Session(_disk, Model, directory, snapshots, wal);
    }

    /// <summary>The log lost its last entries: the vote goes first, then the log is made anew.</summary>
    private void Repair(ulong newIncarnation)
    {
        using var directory = DataDirectory.Open(_disk, Root, 7, new NodeId(3), 99, "pid 1");
        var salvaged = Wal.Salvage(_disk, directory.WalPath, _options, Logs.Group);
        var kept = salvaged with { Entries = [.. salvaged.Entries.Take(salvaged.Entries.Count - 4)] };
        Model.BeginRepair(newIncarnation);
        directory.BeginRepair(newIncarnation);
        Model.GaveUpVote();
        using var wal = Wal.Rebuild(_disk, directory.WalPath, directory.DamagedWalPath, _options, Logs.Group, kept);
        Model.Repaired(kept);
        directory.ForgetDamage();
    }

    private sealed class Session(
        CrashDisk disk, NodeFilesModel model, DataDirectory directory, SnapshotStore snapshots, Wal wal) : IDisposable
    {
        public void Append(ulong term, ulong first, int count)
        {
            for (var i = 0; i < count; i += 3)
            {
                var entries = Logs.Entries(term, first + (ulong)i, Math.Min(3, count - i), payloadBytes: 24 + i);
                model.Append(entries);
                wal.Append(Logs.Group, entries);
                wal.Sync();
                model.Acknowledge();
            }
        }

        public void Vote(ulong term, ulong vote)
        {
            model.Vote(Logs.State(term, vote));
            wal.Append(Logs.Group, Logs.State(term, vote));
            wal.Sync();
            model.Acknowledge();
        }

        public void Prepare() => wal.PrepareNextSegment();

        public void TakeSnapshot(EntryId last)
        {
            using var writer = snapshots.Create(last, _membership);
            writer.Write(new byte[3000]);
            model.Snapshot(last);
            writer.Publish();
            model.SnapshotDurable();
            snapshots.DeleteOld();
        }

        public void Cut(EntryId kept)
        {
            model.Cut(kept);
            wal.CutBefore(Logs.Group, kept);
            model.Acknowledge();
        }

        /// <summary>A snapshot comes from a leader in pieces, is published, and the log starts anew after it.</summary>
        public void Install(EntryId last)
        {
            var sender = new SnapshotStore(new CrashDisk(), "/sender", Logs.Group);
            SnapshotDescriptor sent;
            using (var writer = sender.Create(last, _membership))
            {
                writer.Write(new byte[5000]);
                sent = writer.Publish();
            }

            for (ulong offset = 0; offset < sent.Length;)
            {
                offset = snapshots.Receive(sent, offset, sender.ReadRaw(sent, offset, 2000));
            }

            model.Snapshot(last);
            Assert.True(snapshots.TryPublishReceived(sent));
            model.SnapshotDurable();
            snapshots.DeleteOld();
            model.Reset(last);
            wal.AppendReset(Logs.Group, last);
            wal.Sync();
            model.Acknowledge();
        }

        public void MeetPeer()
        {
            model.PeerMet();
            directory.Save(directory.Identity with { Peers = [new PeerIdentity(new NodeId(1), 77, false)] });
            model.PeerDurable();
        }

        public void Dispose()
        {
            if (disk.IsDead)
            {
                return;
            }

            wal.Dispose();
            directory.Dispose();
        }
    }
}
