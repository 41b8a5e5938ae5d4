using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>What a data directory must and may hold at any moment of <see cref="NodeFiles"/>.</summary>
internal sealed class NodeFilesModel
{
    private static readonly WalOptions _options = Logs.Options(segmentBytes: 1024);

    private readonly LogModel _log = new(Logs.Group.Value);
    private readonly List<EntryId> _snapshots = [EntryId.Start];
    private int _durableSnapshot;
    private ulong _incarnation;
    private ulong _nextIncarnation;
    private bool _isRepairing;
    private bool _isVoteGone;
    private bool _mayKnowPeer;
    private bool _mustKnowPeer;
    private int _asideAllowed;

    public LogIndex Last => _log.EndOf(Logs.Group);

    public void Append(LogEntry[] entries) => _log.Append(Logs.Group, entries);

    public void Vote(HardState state) => _log.Save(Logs.Group, state);

    public void Reset(EntryId start) => _log.Reset(Logs.Group, start);

    public void Cut(EntryId kept) => _log.Cut(Logs.Group, kept);

    public void Acknowledge() => _log.Acknowledge();

    public void Snapshot(EntryId last) => _snapshots.Add(last);

    public void SnapshotDurable() => _durableSnapshot = _snapshots.Count - 1;

    public void PeerMet() => _mayKnowPeer = true;

    public void PeerDurable() => _mustKnowPeer = true;

    public void Incarnation(ulong incarnation, bool isDurable) => _incarnation = isDurable ? incarnation : _incarnation;

    public void BeginRepair(ulong incarnation)
    {
        _isRepairing = true;
        _asideAllowed = 1;
        _nextIncarnation = incarnation;
    }

    public void GaveUpVote()
    {
        _incarnation = _nextIncarnation;
        _isVoteGone = true;
    }

    public void Repaired(SalvagedLog kept)
    {
        _isRepairing = false;
        _log.Save(Logs.Group, kept.HardState);
        _log.Reset(Logs.Group, kept.LogStart);
        _log.Append(Logs.Group, [.. kept.Entries]);
        _log.Acknowledge();
    }

    /// <summary>Opens everything a crash left: it is possible, and the log goes on.</summary>
    public void AssertPossible(CrashDisk image)
    {
        using var directory = DataDirectory.Open(image, NodeFiles.Root, 7, new NodeId(3), 50, "pid 2");
        AssertIdentity(directory);
        var snapshots = new SnapshotStore(image, directory.SnapshotPath, Logs.Group);
        Assert.Empty(snapshots.Damaged);
        var newest = snapshots.Newest?.LastIncluded ?? EntryId.Start;
        Assert.Contains(newest, _snapshots.Skip(_durableSnapshot));
        Assert.InRange(image.List(directory.DamagedWalPath).Count, 0, _asideAllowed * 20);
        if (_isRepairing && !directory.Identity.MayVote)
        {
            AssertRepairs(image, directory);
            return;
        }

        Assert.False(directory.HasLostLog);
        using (var wal = Wal.Open(image, directory.WalPath, _options))
        {
            var log = wal.TakeRecovered(Logs.Group);
            Assert.True(log.LogStart.Index <= newest.Index, "The snapshot reaches the log.");
        }

        using (var wal = Wal.Open(image, directory.WalPath, _options))
        {
            _log.AssertPossible(wal);
            GoOn(wal);
        }

        using (var wal = Wal.Open(image.AfterCrash(Survival.None, new Random(1)), directory.WalPath, _options))
        {
            Assert.Equal(Logs.State(99, vote: 1), wal.TakeRecovered(Logs.Group).HardState);
        }
    }

    private static void GoOn(Wal wal)
    {
        wal.Append(Logs.Group, Logs.State(99, vote: 1));
        wal.Sync();
    }

    private void AssertIdentity(DataDirectory directory)
    {
        var identity = directory.Identity;
        if (_incarnation == 0)
        {
            return; // Perhaps never made.
        }

        Assert.False(directory.IsNew);
        Assert.Contains(identity.Incarnation, _isRepairing ? [_incarnation, _nextIncarnation] : new[] { _incarnation });
        Assert.Equal(identity.Incarnation != _nextIncarnation, identity.MayVote);
        Assert.True(!_isVoteGone || !identity.MayVote);
        Assert.True(!_mustKnowPeer || identity.Peers.Count == 1);
        Assert.True(_mayKnowPeer || identity.Peers.Count == 0);
    }

    /// <summary>
    /// In the middle of a repair anything may be left of the log; the vote is gone, the directory knows that it owes a
    /// repair, and it can be done.
    /// </summary>
    private void AssertRepairs(CrashDisk image, DataDirectory directory)
    {
        Assert.True(directory.IsLogDamaged);
        var kept = Wal.Salvage(image, directory.WalPath, _options, Logs.Group);
        using var wal = Wal.Rebuild(
            image, directory.WalPath, directory.DamagedWalPath, _options, Logs.Group,
            kept.IsStartKnown ? kept : SalvagedLog.Nothing);
        GoOn(wal);
    }
}
