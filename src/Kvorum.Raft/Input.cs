namespace Kvorum.Raft;

/// <summary>What a replica is told. One input, one <see cref="RaftNode.Step"/>, one set of effects.</summary>
public abstract record Input;

/// <summary>One step of logical time passed (10 ms by default).</summary>
public sealed record Tick : Input
{
    public static Tick Instance { get; } = new();
}

/// <summary>A message came from a peer.</summary>
public sealed record Receive(Message Message) : Input
{
    /// <summary>
    /// False: the log's disk has no room, so a leader refuses commands that another node forwards. It must be told, for
    /// a later copy of the message must not be taken after its sender was told that nothing was proposed.
    /// </summary>
    public bool HasRoom { get; init; } = true;
}

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
/// <param name="Before">As in <see cref="FetchEntries"/>.</param>
public sealed record Fetched(NodeId Peer, ReadOnlyMemory<LogEntry> Entries, EntryId Before = default) : Input;

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
/// node itself, which then neither votes nor campaigns.
/// </summary>
/// <param name="MayVote">Decides while the membership names no incarnation of the peer.</param>
/// <param name="Incarnation">
/// The peer's present directory; where the membership names one, only that one counts. 0: not known.
/// </param>
/// <param name="IsVoid">
/// This very directory lost what it had acknowledged: it does not count even where the membership names it.
/// </param>
public sealed record Standing(NodeId Peer, bool MayVote, ulong Incarnation = 0, bool IsVoid = false) : Input;

/// <summary>
/// Hand leadership over (thesis §3.10); answered by <see cref="Effects.Admin"/> now or, when the leader is asked,
/// later.
/// </summary>
/// <param name="To">A voter; null for the most advanced one.</param>
/// <param name="RequestId">Names the answer; 0: a replica that does not lead asks nobody.</param>
public sealed record TransferLeadership(NodeId? To = null, ulong RequestId = 0) : Input;

/// <summary>
/// Change the membership; answered by <see cref="Effects.Admin"/> now or, when the leader is asked, later. Accepted
/// means appended, not committed.
/// </summary>
/// <param name="IsDryRun">Only whether the leader would do it.</param>
/// <param name="RequestId">Names the answer; rises, never 0.</param>
public sealed record ChangeMembers(MembershipChange Change, bool IsDryRun, ulong RequestId) : Input;
