using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// What a node finds in its directory: the log, the newest whole snapshot, and the state machine filled from it.
/// </summary>
internal sealed class NodeRecovery : IDisposable
{
    /// <summary>The one group there is today.</summary>
    public static readonly GroupId Group = new(1);

    private readonly NodeOptions _options;
    private readonly LogRepair _repair;
    private Wal? _wal;
    private RecoveredState? _state;

    private NodeRecovery(
        NodeOptions options, IDisk disk, DataDirectory directory, LogRepair repair, SnapshotStore snapshots,
        KvMachine machine)
    {
        _options = options;
        _repair = repair;
        Disk = disk;
        Directory = directory;
        Snapshots = snapshots;
        Machine = machine;
    }

    public IDisk Disk { get; }

    public DataDirectory Directory { get; }

    /// <summary>Misuse while the log is mended.</summary>
    public Wal Wal => _wal ?? throw new InvalidOperationException("The log is being mended.");

    public SnapshotStore Snapshots { get; }

    /// <summary>As the newest whole snapshot left it; also while the log is mended.</summary>
    public KvMachine Machine { get; }

    /// <summary>Misuse while the log is mended.</summary>
    public RecoveredState State => _state ?? throw new InvalidOperationException("The log is being mended.");

    /// <summary>
    /// What is left of a log that must be mended before the replica can begin; null once it is whole.
    /// </summary>
    public BrokenLog? Broken => _wal is null ? _repair.Broken : null;

    /// <summary>What was found damaged, so that this node starts without a vote; null when all was whole.</summary>
    public string? Damage => _repair.Reason;

    /// <summary>
    /// Whom this node must have met before it votes: the initial voters while its log is empty, else nobody.
    /// </summary>
    public IReadOnlyList<ulong> Awaited { get; private set; } = [];

    /// <summary>The term and the last index that the disk held at the start.</summary>
    public (ulong Term, ulong LastIndex) Found
    {
        get
        {
            var covered = Snapshots.Newest?.LastIncluded.Index ?? LogIndex.Zero;
            var (term, last) = Broken is { } broken
                ? (broken.HardState.Term, broken.LastIndex)
                : (State.HardState.Term, State.LogStart.Index.Plus((ulong)State.Entries.Count));
            return (term.Value, LogIndex.Max(last, covered).Value);
        }
    }

    public static NodeRecovery Open(NodeOptions options, IDisk disk, ulong newIncarnation, ILogger logger)
    {
        var node = new NodeId(options.Node);
        var directory = DataDirectory.Open(
            disk, options.DataPath, options.ClusterId, node, newIncarnation, options.OwnerNote);
        Wal? wal = null;
        try
        {
            var snapshots = new SnapshotStore(disk, directory.SnapshotPath, Group);
            foreach (var damaged in snapshots.Damaged)
            {
                Log.SnapshotDamaged(logger, damaged);
            }

            var repair = new LogRepair(options, disk, directory, snapshots, newIncarnation, logger);
            wal = repair.Open(out var log);
            var machine = new KvMachine(options.OpenEngine(), new KvOptions());
            var recovery = new NodeRecovery(options, disk, directory, repair, snapshots, machine) { _wal = wal };
            if (snapshots.Newest is { } snapshot)
            {
                using var body = snapshots.OpenBody(snapshot);
                machine.Restore(body.Read);
            }

            if (wal is not null)
            {
                recovery.Recover(directory.Identity, wal, log);
            }

            return recovery;
        }
        catch
        {
            wal?.Dispose();
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Begins to put the log together again; only while it is broken.</summary>
    public LogMender Mend() =>
        _repair.Mender(Broken ?? throw new InvalidOperationException("The log is not broken."));

    /// <summary>The mended log takes the damaged one's place. May be tried again when the disk was full.</summary>
    public void Adopt(MendedLog mended)
    {
        _wal = _repair.Adopt(mended, out var log);
        Recover(_repair.Identity, _wal, log);
    }

    /// <summary>The log cannot be mended: goes on with what is left of it, without a vote.</summary>
    public void GiveUp(Action<string> giveUpVote)
    {
        _wal = _repair.GiveUp(giveUpVote, out var log);
        Recover(_repair.Identity, _wal, log);
    }

    public void Dispose()
    {
        try
        {
            _wal?.Dispose();
        }
        finally
        {
            // Whatever the disk said, the next process must not find the directory in use.
            Machine.Engine.Dispose();
            Directory.Dispose();
        }
    }

    private void Recover(NodeIdentity identity, Wal wal, RecoveredLog log)
    {
        var snapshot = Snapshots.Newest;
        var logStart = log.LogStart;
        var entries = log.Entries;
        if (snapshot is not null && !Holds(log, snapshot.LastIncluded))
        {
            // The snapshot came from a leader and its installation stopped before the log was reset: finish it
            // (paper §7).
            logStart = snapshot.LastIncluded;
            entries = [];
            wal.AppendReset(Group, logStart);
            wal.Sync();
        }

        Awaited = AwaitedBy(_options, log, Snapshots);
        _state = new RecoveredState(
            log.HardState, logStart, snapshot, Machine.Applied, snapshot?.Membership ?? InitialOf(_options), entries,
            identity.MayVote && !PeerLedger.Unmet(identity, Awaited).Any(), NonVoters: [])
        {
            Standings = [.. identity.Peers.Where(peer => peer.Incarnation != 0).Select(PeerLedger.StandingOf)],
        };
    }

    private static IReadOnlyList<ulong> AwaitedBy(NodeOptions options, RecoveredLog log, SnapshotStore snapshots) =>
        log.Entries.Count == 0 && log.LogStart == EntryId.Start && snapshots.Newest is null && !options.IsJoining
            ? [.. options.Initial.Select(member => member.Node).Where(node => node != options.Node)]
            : [];

    /// <summary>Who is a member before the log says anything.</summary>
    private static Membership InitialOf(NodeOptions options) => options.IsJoining
        ? Membership.Empty
        : Membership.Initial(options.Initial.Select(member => member.ToRecord()));

    private static bool Holds(RecoveredLog log, EntryId id)
    {
        if (log.LogStart == id)
        {
            return true;
        }

        if (id.Index <= log.LogStart.Index || id.Index.CountSince(log.LogStart.Index) > (ulong)log.Entries.Count)
        {
            return false;
        }

        return log.Entries[(int)(id.Index.Value - log.LogStart.Index.Value - 1)].Id == id;
    }
}
