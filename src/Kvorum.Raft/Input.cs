namespace Kvorum.Raft;

/// <summary>What a replica is told. One input, one <see cref="RaftNode.Step"/>, one set of effects.</summary>
public abstract record Input;

/// <summary>One step of logical time passed (10 ms by default).</summary>
public sealed record Tick : Input
{
    public static Tick Instance { get; } = new();
}

/// <summary>A message came from a peer.</summary>
public sealed record Receive(Message Message) : Input;

/// <summary>
/// Clients of this node wish these commands; answered by <see cref="Effects.Proposed"/> in the same step.
/// </summary>
/// <param name="Commands">Payloads, 1 or more, at most <see cref="RaftOptions.ProposalsMax"/>.</param>
/// <param name="RequestId">
/// Names the batch in <see cref="Effects.Forwarded"/> when a follower forwards it; rises, never 0.
/// </param>
public sealed record Propose(ReadOnlyMemory<ReadOnlyMemory<byte>> Commands, ulong RequestId) : Input;

/// <summary>Clients of this node wish to read; answered by <see cref="Effects.Reads"/> now or later.</summary>
/// <param name="RequestId">Names all reads that joined; rises, never 0, never reused by a retry.</param>
public sealed record ReadBarrier(ulong RequestId) : Input;

/// <summary>The write <paramref name="Id"/> and all before it are durable.</summary>
public sealed record Persisted(WriteId Id) : Input;

/// <summary>The state machine has applied every entry up to <paramref name="Index"/>.</summary>
public sealed record Applied(LogIndex Index) : Input;

/// <summary>A snapshot of this replica's own state is durable; the log before it is no longer needed.</summary>
public sealed record SnapshotTaken(SnapshotDescriptor Snapshot) : Input;

/// <summary>A snapshot from the leader is durable and has replaced the state machine's state.</summary>
public sealed record SnapshotInstalled(SnapshotDescriptor Snapshot) : Input;

/// <summary>The entries asked for by <see cref="Effects.Fetches"/> were read.</summary>
/// <param name="Peer">For whom.</param>
/// <param name="Entries">Consecutive entries from the asked index on; empty when they are no longer in the log.</param>
public sealed record Fetched(NodeId Peer, ReadOnlyMemory<LogEntry> Entries) : Input;

/// <summary>The chunk asked for by <see cref="Effects.ChunkReads"/> was read.</summary>
/// <param name="Data">Empty when the snapshot is gone; the leader then offers its newest one.</param>
public sealed record ChunkRead(NodeId Peer, SnapshotDescriptor Snapshot, ulong Offset, ReadOnlyMemory<byte> Data) : Input;

/// <summary>
/// A chunk asked to be stored by <see cref="Effects.ChunkWrites"/> was stored, or turned out useless.
/// </summary>
/// <param name="From">The leader that sent it.</param>
/// <param name="NextOffset">
/// The first byte not stored yet; smaller than expected when the transfer must go back.
/// </param>
public sealed record ChunkWritten(NodeId From, SnapshotDescriptor Snapshot, ulong NextOffset) : Input;

/// <summary>The connection to <paramref name="Peer"/> broke: a hint, never a fact (the peer may live).</summary>
public sealed record ConnectionLost(NodeId Peer) : Input;

/// <summary>There is a connection to <paramref name="Peer"/> again.</summary>
public sealed record ConnectionMade(NodeId Peer) : Input;

/// <summary>
/// Whether <paramref name="Peer"/> counts as a voter: false once its directory was replaced, because it may have voted
/// before and does not know. Its votes and acknowledgements are then ignored; it is still sent the log. May name this
/// node itself,
/// which then neither votes nor campaigns.
/// </summary>
public sealed record Standing(NodeId Peer, bool MayVote) : Input;

/// <summary>
/// Hand leadership to the most advanced peer (thesis §3.10); ignored when this replica does not lead.
/// </summary>
public sealed record TransferLeadership : Input;
