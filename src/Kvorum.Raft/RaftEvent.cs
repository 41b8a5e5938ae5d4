namespace Kvorum.Raft;

/// <summary>A fact worth a log line or a counter. The core never logs by itself.</summary>
public abstract record RaftEvent;

/// <summary>The replica's role or term changed.</summary>
public sealed record RoleChanged(Role Role, Term Term, NodeId? Leader) : RaftEvent;

/// <summary>A leader became known, or was lost (null).</summary>
public sealed record LeaderChanged(NodeId? Leader, Term Term) : RaftEvent;

/// <summary>A campaign began.</summary>
/// <param name="Reason">"timeout", "connection lost" or "transfer".</param>
public sealed record CampaignStarted(Term Term, bool IsPreVote, string Reason) : RaftEvent;

/// <summary>A leader heard no majority for an election timeout and stepped down (check-quorum, thesis §6.2).</summary>
public sealed record QuorumLost(Term Term) : RaftEvent;

/// <summary>A follower dropped entries the leader does not have (paper §5.3).</summary>
public sealed record TailReplaced(LogIndex From, LogIndex OldLast) : RaftEvent;

/// <summary>
/// This replica's log ends before what it acknowledged to the leader: its disk lost durable entries. It votes no more.
/// </summary>
public sealed record TailLost(LogIndex Acknowledged, EntryId Last) : RaftEvent;

/// <summary>A peer said that its disk lost entries it had acknowledged: it must not count as a voter.</summary>
/// <param name="Incarnation">The directory that lost them; 0 when it is not known.</param>
public sealed record PeerTailLost(NodeId Peer, ulong Incarnation) : RaftEvent;

/// <summary>A snapshot transfer to or from a peer began, or ended.</summary>
public sealed record SnapshotTransfer(NodeId Peer, EntryId LastIncluded, bool IsSending, bool IsDone) : RaftEvent;

/// <summary>Another membership is in force, committed or not.</summary>
/// <param name="Index">Where in the log it stands.</param>
public sealed record MembershipChanged(LogIndex Index, Membership Membership) : RaftEvent;

/// <summary>A membership is known to be committed.</summary>
public sealed record MembershipCommitted(LogIndex Index, Membership Membership) : RaftEvent;

/// <summary>The leader says that this node was removed from the cluster.</summary>
public sealed record RemovedFromCluster : RaftEvent;
