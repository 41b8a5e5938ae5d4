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

    private NodeRecovery(IDisk disk, DataDirectory directory, Wal wal, SnapshotStore snapshots, KvMachine machine, RecoveredState state)
    {
        Disk = disk;
        Directory = directory;
        Wal = wal;
        Snapshots = snapshots;
        Machine = machine;
        State = state;
    }

    public IDisk Disk { get; }

    public DataDirectory Directory { get; }

    public Wal Wal { get; }

    public SnapshotStore Snapshots { get; }

    public KvMachine Machine { get; }

    public RecoveredState State { get; }

    /// <summary>What was found damaged, so that this node starts without a vote; null when all was whole.</summary>
    public string? Damage { get; private init; }

    /// <summary>
    /// Whom this node must have met before it votes: the initial voters while its log is empty, else nobody.
    /// </summary>
    public required IReadOnlyList<ulong> Awaited { get; init; }

    public static NodeRecovery Open(NodeOptions options, IDisk disk, ulong newIncarnation, ILogger logger)
    {
        var node = new NodeId(options.Node);
        var directory = DataDirectory.Open(disk, options.DataPath, options.ClusterId, node, newIncarnation, options.OwnerNote);
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
            var state = Recover(options, directory.Identity, wal, log, snapshots, machine);
            return new NodeRecovery(disk, directory, wal, snapshots, machine, state)
            {
                Damage = repair.Reason,
                Awaited = AwaitedBy(options, log, snapshots),
            };
        }
        catch
        {
            wal?.Dispose();
            directory.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        try
        {
            Wal.Dispose();
        }
        finally
        {
            // Whatever the disk said, the next process must not find the directory in use.
            Machine.Engine.Dispose();
            Directory.Dispose();
        }
    }

    private static RecoveredState Recover(
        NodeOptions options, NodeIdentity identity, Wal wal, RecoveredLog log, SnapshotStore snapshots,
        KvMachine machine)
    {
        var snapshot = snapshots.Newest;
        var logStart = log.LogStart;
        var entries = log.Entries;
        if (snapshot is not null)
        {
            using (var body = snapshots.OpenBody(snapshot))
            {
                machine.Restore(body.Read);
            }

            if (!Holds(log, snapshot.LastIncluded))
            {
                // The snapshot came from a leader and its installation stopped before the log was reset: finish it
                // (paper §7).
                logStart = snapshot.LastIncluded;
                entries = [];
                wal.AppendReset(Group, logStart);
                wal.Sync();
            }
        }

        return new RecoveredState(
            log.HardState, logStart, snapshot, machine.Applied, snapshot?.Membership ?? InitialOf(options), entries,
            identity.MayVote && !PeerLedger.Unmet(identity, AwaitedBy(options, log, snapshots)).Any(), NonVoters: [])
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
