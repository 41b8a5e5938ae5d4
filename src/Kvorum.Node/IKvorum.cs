using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>How fresh a read must be.</summary>
public enum Consistency
{
    /// <summary>Sees every write acknowledged before the read began, on any node (thesis §6.4).</summary>
    Linearizable = 0,

    /// <summary>What this node has applied; may be old, needs no quorum.</summary>
    Local = 1,
}

/// <summary>A node's in-process API: what the network front ends use and embedders inject. Thread-safe.</summary>
public interface IKvorum
{
    /// <summary>A consistent picture of this node, at most one tick old.</summary>
    NodeStatus Status { get; }

    /// <summary>The revision this node has applied, as of now: <see cref="Status"/> may be a tick behind.</summary>
    long Revision { get; }

    /// <summary>Proposes a command, on any node, and waits until it is committed and applied on this node.</summary>
    /// <param name="timeout">
    /// How long to wait; after it the outcome is unknown unless nothing had been proposed yet.
    /// </param>
    /// <param name="cancel">Stops waiting; it does not withdraw the command.</param>
    /// <exception cref="ArgumentException">
    /// A key is empty, or a key, value or the whole command passes <see cref="KvLimits"/>.
    /// </exception>
    /// <exception cref="NoLeaderException">No leader within the timeout; nothing was proposed.</exception>
    /// <exception cref="OverloadedException">The inbox is full; nothing was proposed.</exception>
    /// <exception cref="DiskFullException">The leader, this node, has no room; nothing was proposed.</exception>
    /// <exception cref="ProposalDroppedException">A change of leader dropped it; no effect.</exception>
    /// <exception cref="OutcomeUnknownException">Timed out, or the leader was lost, after proposing.</exception>
    /// <exception cref="NodeStoppedException">The node is stopping; nothing was proposed.</exception>
    Task<CommandResult> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancel);

    /// <summary>Runs a query on this node's state.</summary>
    /// <exception cref="ReadTimeoutException">Linearizable only: no quorum confirmed it in time.</exception>
    /// <exception cref="OverloadedException">The inbox is full.</exception>
    /// <exception cref="NodeStoppedException">The node is stopping.</exception>
    Task<RangeResult> ReadAsync(RangeQuery query, Consistency consistency, TimeSpan timeout, CancellationToken cancel);

    /// <summary>A checksum of what this node has applied. Reads every row, on the caller's thread.</summary>
    /// <exception cref="NodeStoppedException">The node is stopping.</exception>
    Task<HashResult> HashAsync(HashQuery query, CancellationToken cancel);

    /// <summary>
    /// Begins to watch what this node applies; the caller disposes the watcher. Nothing is confirmed by a quorum:
    /// what is told is committed, but a node that is cut off tells it late.
    /// </summary>
    /// <param name="onReady">
    /// Called when there is something to take, once until it is taken; on another thread, must not block nor call back.
    /// </param>
    Watcher Watch(WatchOptions options, Action<Watcher> onReady);

    /// <summary>
    /// What a key was just before a revision, on this node; null when it was not, or that is compacted.
    /// </summary>
    KeyValue? ReadBefore(ReadOnlyMemory<byte> key, long revision);

    /// <summary>A lease as of now; linearizable, asked on any node.</summary>
    /// <returns>Null when there is none of that id.</returns>
    /// <exception cref="ReadTimeoutException">No quorum confirmed it in time.</exception>
    /// <exception cref="OverloadedException">The inbox is full.</exception>
    /// <exception cref="NodeStoppedException">The node is stopping.</exception>
    Task<LeaseStatus?> FindLeaseAsync(long id, bool withKeys, TimeSpan timeout, CancellationToken cancel);

    /// <summary>The ids of all leases, rising; as <see cref="FindLeaseAsync"/>.</summary>
    Task<IReadOnlyList<long>> LeasesAsync(TimeSpan timeout, CancellationToken cancel);

    /// <summary>
    /// Changes the membership, asked on any node; completes when the change is committed (Add and Replace: when the
    /// new node is a learner; its promotion follows by itself).
    /// </summary>
    /// <param name="isDryRun">Only tells what would result and why it would be refused; nothing is proposed.</param>
    /// <exception cref="MemberChangeRefusedException">The change is not allowed now; nothing was proposed.</exception>
    /// <exception cref="NoLeaderException">No leader within the timeout; nothing was proposed.</exception>
    /// <exception cref="OutcomeUnknownException">Timed out, or the leader was lost, after proposing.</exception>
    /// <exception cref="NodeStoppedException">The node is stopping; nothing was proposed.</exception>
    Task<MemberChangePlan> ChangeMembersAsync(
        MemberChange change, bool isDryRun, TimeSpan timeout, CancellationToken cancel);

    /// <summary>
    /// Hands leadership over (thesis §3.10), asked on any node; completes when this node has heard of the new leader.
    /// </summary>
    /// <param name="to">A voter, or null for the most advanced one.</param>
    /// <exception cref="MemberChangeRefusedException">
    /// The target is no voter, does not answer, or leads already.
    /// </exception>
    /// <exception cref="NoLeaderException">No leader is known; nothing happened.</exception>
    /// <exception cref="OutcomeUnknownException">Nobody else led in time; the old leader may go on.</exception>
    /// <exception cref="NodeStoppedException">The node is stopping.</exception>
    Task TransferLeadershipAsync(ulong? to, TimeSpan timeout, CancellationToken cancel);
}

/// <summary>A lease as it stands.</summary>
/// <param name="TtlSeconds">As granted.</param>
/// <param name="SecondsLeft">Until it ends unless it is renewed, by this node's clock; at least 0.</param>
/// <param name="Keys">The keys on it, in their order; empty when not asked for.</param>
public sealed record LeaseStatus(long Id, long TtlSeconds, long SecondsLeft, IReadOnlyList<byte[]> Keys);

/// <summary>
/// What a node is at the moment. Numbers as in status.md's terms; log indexes and terms as plain numbers.
/// </summary>
public enum NodeRole
{
    Follower = 0,
    PreCandidate = 1,
    Candidate = 2,
    Leader = 3,
    Stopped = 4,
}

/// <summary>A consistent picture of a node.</summary>
public sealed record NodeStatus
{
    public required ulong ClusterId { get; init; }

    public required ulong Node { get; init; }

    public required string Name { get; init; }

    public required ulong Incarnation { get; init; }

    public required NodeRole Role { get; init; }

    public required ulong Term { get; init; }

    /// <summary>Null while none is known.</summary>
    public required ulong? Leader { get; init; }

    public required ulong CommitIndex { get; init; }

    public required ulong AppliedIndex { get; init; }

    public required ulong LastLogIndex { get; init; }

    public required ulong LastLogTerm { get; init; }

    /// <summary>The entry just before the first in the log.</summary>
    public required ulong LogStartIndex { get; init; }

    public required long Revision { get; init; }

    public required long CompactedRevision { get; init; }

    public required long KeyCount { get; init; }

    /// <summary>Bytes held by the storage engine.</summary>
    public required long EngineBytes { get; init; }

    /// <summary>Bytes of log segments on disk.</summary>
    public required long WalBytes { get; init; }

    public required int SessionCount { get; init; }

    /// <summary>
    /// Hash over all effects up to <see cref="StateHashIndex"/>: equal on every node at an equal index.
    /// </summary>
    public required ulong StateHash { get; init; }

    public required ulong StateHashIndex { get; init; }

    /// <summary>Leader: a majority answered within an election timeout. Others: a leader is heard.</summary>
    public required bool HasQuorum { get; init; }

    /// <summary>
    /// False when this node's directory is new, replaced another one or lost something: it does not vote.
    /// </summary>
    public required bool MayVote { get; init; }

    /// <summary>
    /// Why this node has no vote, null while it has one: what it lost, who knows it with another directory, or whom a
    /// new directory must meet first. May name files: for the node's owner, not for anybody who asks.
    /// </summary>
    public string? NoVoteReason { get; init; }

    /// <summary>
    /// The initial voters that this node, whose directory is new, has not met yet: it votes once it has met them all.
    /// </summary>
    public IReadOnlyList<ulong> AwaitedVoters { get; init; } = [];

    /// <summary>
    /// This node was removed from the cluster: it takes no more part, and its name must not be used again.
    /// </summary>
    public bool IsRemoved { get; init; }

    /// <summary>The voters are changing: decisions need a majority of the old and of the new ones.</summary>
    public bool IsJoint { get; init; }

    /// <summary>
    /// What was found damaged or missing in the data directory at the start, so that this node gave up its vote; null
    /// when all was whole. Names files: for the node's owner, not for anybody who asks.
    /// </summary>
    public string? Damage { get; init; }

    /// <summary>
    /// What is missing in the node's damaged log and of whom it is asked; null when the log is whole. Until then the
    /// node neither votes nor serves. Names no files.
    /// </summary>
    public string? Mending { get; init; }

    /// <summary>Why the node stopped by itself; null while it runs.</summary>
    public required string? StopReason { get; init; }

    public required IReadOnlyList<MemberStatus> Members { get; init; }
}

/// <summary>A member of the cluster as this node sees it.</summary>
/// <param name="IsConnected">There is a working connection (true for the node itself).</param>
/// <param name="MayVote">False when its directory was replaced.</param>
/// <param name="Match">Leader only: last index known to be durable there; else 0.</param>
/// <param name="Next">Leader only: next index to send; else 0.</param>
/// <param name="State">Leader only: "probe", "replicate" or "snapshot"; else empty.</param>
public readonly record struct MemberStatus(
    ulong Node, bool IsVoter, bool IsConnected, bool MayVote, ulong Match, ulong Next, string State)
{
    /// <summary>Where it is reached; null for a member of an initial cluster that has not told yet.</summary>
    public MemberAddress? Address { get; init; }

    /// <summary>It votes until the joint change under way is committed, and no longer then.</summary>
    public bool IsLeaving { get; init; }

    /// <summary>A learner that is promoted by itself once it is in sync.</summary>
    public bool IsJoining { get; init; }

    /// <summary>A learner's: the voter that goes when it is promoted; null for none.</summary>
    public ulong? Replaces { get; init; }
}
