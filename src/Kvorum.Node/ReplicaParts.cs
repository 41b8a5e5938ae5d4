using Kvorum.Raft;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>What a replica works with; put together by <see cref="KvorumNode"/>.</summary>
internal sealed class ReplicaParts
{
    public required RaftNode Raft { get; init; }

    public required ReplicaInbox Inbox { get; init; }

    public required Outbox Outbox { get; init; }

    public required LogWriter Writer { get; init; }

    public required IWorker WriterWorker { get; init; }

    public required Applier Applier { get; init; }

    public required IWorker ApplierWorker { get; init; }

    public required SnapshotWorker Snapshots { get; init; }

    public required IWorker SnapshotsWorker { get; init; }

    public required ProposalDesk Proposals { get; init; }

    public required ReadDesk Reads { get; init; }

    public required LogCompactor Compactor { get; init; }

    public required LogRoom Room { get; init; }

    public required SyncClock Syncs { get; init; }

    public required NodeOptions Options { get; init; }

    public required PeerLedger Ledger { get; init; }

    public required AdminDesk Admin { get; init; }

    public required ITransport Transport { get; init; }

    /// <summary>Whom a joining node talks to before it knows a member.</summary>
    public required IReadOnlyList<MemberRecord> Contacts { get; init; }

    public required TickClock Clock { get; init; }

    /// <summary>Ticks before the replica began, while the log was mended.</summary>
    public required long Now { get; init; }

    /// <summary>The incarnation under which the peers met this node.</summary>
    public required ulong MetAs { get; init; }

    public required SessionClock Sessions { get; init; }

    public required LeaseClock Leases { get; init; }

    public required FlightRecorder Recorder { get; init; }

    public required NodeMetrics Metrics { get; init; }

    public required ILogger Logger { get; init; }

    public required ReplicaObserver? Observer { get; init; }
}
