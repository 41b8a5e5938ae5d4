using Kvorum.Raft;

namespace Kvorum.Node;

public sealed partial class KvorumNode
{
    /// <summary>The parts of a node that need its log; made when that is whole.</summary>
    private sealed class RunningReplica
    {
        public RunningReplica(KvorumNode node, long now, ulong metAs)
        {
            var (options, recovery, time) = (node._options, node._recovery, node._time);
            var state = recovery.State;
            Raft = new RaftNode(
                node._raftOptions with { Incarnation = recovery.Directory.Identity.Incarnation }, state);
            Compactor = new LogCompactor(
                options.SnapshotLogBytes, (long)(state.Snapshot?.Length ?? 0), state.Entries.Sum(Size), time);
            Writer = new LogWriter(
                NodeRecovery.Group, recovery.Wal, node._room, node._syncs, new Outbox(node._transport), time,
                node.Metrics, node.Post, node.PrepareSegment)
            {
                Observer = options.Observer,
            };
            Applier = new Applier(
                recovery.Machine, node._watches, node._watchWorker.Wake, state.Snapshot?.LastIncluded ?? EntryId.Start,
                state.Membership, recovery.Snapshots, node._pendingProposals, node._pendingReads,
                new Completions(node._executor, node._readable), time, node.Metrics, node.Post)
            {
                Observer = options.Observer,
            };
            Snapshots = new SnapshotWorker(
                NodeRecovery.Group, recovery, new SnapshotPace(time, options.SnapshotBytesPerSecond), node._room,
                node.Metrics, node.Post, node.Install, Compactor, time, node._logger);
            Replica = new Replica(Parts(node, now, metAs));
            Snapshots.RequestSnapshot = Replica.RequestSnapshot;
        }

        public RaftNode Raft { get; }

        public LogCompactor Compactor { get; }

        public LogWriter Writer { get; }

        public Applier Applier { get; }

        public SnapshotWorker Snapshots { get; }

        public Replica Replica { get; }

        private ReplicaParts Parts(KvorumNode node, long now, ulong metAs) => new()
        {
            Raft = Raft,
            Inbox = node._inbox,
            Outbox = new Outbox(node._transport),
            Writer = Writer,
            WriterWorker = node._writerWorker,
            Applier = Applier,
            ApplierWorker = node._applierWorker,
            Snapshots = Snapshots,
            SnapshotsWorker = node._snapshotWorker,
            Proposals = node._proposals,
            Reads = node._reads,
            Compactor = Compactor,
            Room = node._room,
            Syncs = node._syncs,
            Options = node._options,
            Ledger = node._ledger,
            Admin = node._admin,
            Transport = node._transport,
            Contacts =
            [
                .. node._options.Initial.Where(member => member.Node != node._options.Node)
                    .Select(member => member.ToRecord()),
            ],
            Clock = node._clock,
            Now = now,
            MetAs = metAs,
            Leases = node._leases,
            Sessions = new SessionClock((long)(node._options.SessionIdleMax.TotalSeconds * node._ticksPerSecond)),
            Recorder = node._recorder,
            Metrics = node.Metrics,
            Logger = node._logger,
            Observer = node._options.Observer,
        };
    }
}
