namespace Kvorum.Raft;

/// <summary>What one replica tells another. One-way: a reply is a message of its own.</summary>
/// <param name="Group">The group both replicas belong to.</param>
/// <param name="From">The sender.</param>
/// <param name="To">The receiver.</param>
/// <param name="Term">The sender's term, or the term it would campaign in for a pre-vote.</param>
public abstract record Message(GroupId Group, NodeId From, NodeId To, Term Term)
{
    /// <summary>Whether <see cref="Term"/> is one nobody has entered yet (pre-votes, thesis §9.6).</summary>
    public virtual bool IsFromTheFuture => false;
}

/// <summary>
/// Candidate → voter: give me your vote (paper Fig. 2, §5.2); with <paramref name="IsPreVote"/>: would you (thesis
/// §9.6).
/// </summary>
/// <param name="LastEntry">The candidate's last log entry (paper §5.4.1).</param>
/// <param name="IsPreVote">A question without consequences: nobody changes term or vote for it.</param>
/// <param name="LostLeader">
/// Pre-vote only: the leader whose connection the candidate saw break; a voter that lost its own connection to the same
/// leader may grant although its election timeout has not passed. Null for an ordinary timeout.
/// </param>
/// <param name="IsTransfer">
/// A leader asked for this campaign (thesis §3.10): do not refuse it because a leader is heard.
/// </param>
/// <param name="Incarnation">The directory by which the candidate's membership names it; 0 for none.</param>
/// <param name="Candidate">
/// Who the candidate is and where: a voter that was away when it joined could not answer it otherwise. Null for none.
/// </param>
public sealed record RequestVote(
    GroupId Group, NodeId From, NodeId To, Term Term, EntryId LastEntry, bool IsPreVote, NodeId? LostLeader, bool IsTransfer,
    ulong Incarnation = 0, MemberRecord? Candidate = null)
    : Message(Group, From, To, Term)
{
    public override bool IsFromTheFuture => IsPreVote;
}

/// <summary>
/// Voter → candidate (paper Fig. 2). A granted pre-vote carries the asked term, a refusal the voter's own.
/// </summary>
public sealed record VoteReply(GroupId Group, NodeId From, NodeId To, Term Term, bool IsPreVote, bool Granted)
    : Message(Group, From, To, Term)
{
    public override bool IsFromTheFuture => IsPreVote && Granted;
}

/// <summary>
/// Leader → follower: append <paramref name="Entries"/> right after <paramref name="Previous"/> (paper Fig. 2, §5.3).
/// </summary>
/// <param name="Previous">The entry just before <paramref name="Entries"/>; (0, 0) at the start of the log.</param>
/// <param name="Commit">The leader's commit index when it sent the message.</param>
/// <param name="Entries">One or more entries, indexes rising by one; empty only as a probe.</param>
public sealed record AppendEntries(
    GroupId Group, NodeId From, NodeId To, Term Term, EntryId Previous, LogIndex Commit, ReadOnlyMemory<LogEntry> Entries)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader (paper Fig. 2, §5.3).</summary>
/// <param name="Accepted">Whether the follower had <see cref="AppendEntries.Previous"/>.</param>
/// <param name="Match">
/// Accepted: the last index durable on the follower and known to equal the leader's log. Refused: the index of the
/// refused <see cref="AppendEntries.Previous"/>.
/// </param>
/// <param name="Hint">
/// Refused: where the leader should look next: the follower's last entry with an index at most Previous and a term at
/// most Previous's term (fast conflict back-up, paper §5.3 end).
/// </param>
/// <param name="HasLostTail">
/// Refused: the follower acknowledged up to <paramref name="Match"/> in this term, and its log, which ends at
/// <paramref name="Hint"/>, no longer has that: what it acknowledged is void.
/// </param>
/// <param name="Incarnation">With a lost tail: the directory that lost it; 0 where there are none.</param>
public sealed record AppendReply(
    GroupId Group,
    NodeId From,
    NodeId To,
    Term Term,
    bool Accepted,
    LogIndex Match,
    EntryId Hint,
    bool HasLostTail = false,
    ulong Incarnation = 0)
    : Message(Group, From, To, Term);

/// <summary>Leader → follower: I still lead (paper §5.2). Answered at once, never after a sync.</summary>
/// <param name="Commit">
/// At most what the leader knows to match on the follower. With its term, because a disk that lost its newest write may
/// hold another entry there; term 0 when the leader's log begins behind it.
/// </param>
/// <param name="ReadRound">The newest read round this heartbeat asks to confirm (thesis §6.4); 0 for none.</param>
public sealed record Heartbeat(GroupId Group, NodeId From, NodeId To, Term Term, EntryId Commit, ulong ReadRound)
    : Message(Group, From, To, Term);

/// <summary>
/// Follower → leader: heard in this term; confirms every read round up to <paramref name="ReadRound"/>.
/// </summary>
public sealed record HeartbeatReply(GroupId Group, NodeId From, NodeId To, Term Term, ulong ReadRound)
    : Message(Group, From, To, Term);

/// <summary>Leader → follower: a chunk of a Raft snapshot (paper Fig. 13, §7).</summary>
/// <param name="Snapshot">Which snapshot.</param>
/// <param name="Offset">Where <paramref name="Data"/> starts in the file, in bytes.</param>
/// <param name="Data">
/// Up to <see cref="RaftOptions.SnapshotChunkBytesMax"/> bytes; empty asks only "where do I go on?".
/// </param>
public sealed record InstallSnapshot(
    GroupId Group, NodeId From, NodeId To, Term Term, SnapshotDescriptor Snapshot, ulong Offset, ReadOnlyMemory<byte> Data)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader: the snapshot is stored up to <paramref name="NextOffset"/>, or installed.</summary>
/// <param name="LastIncluded">Which snapshot is meant.</param>
/// <param name="NextOffset">The first byte the follower does not have.</param>
/// <param name="Installed">The snapshot is durable and in force; replication goes on after it.</param>
public sealed record InstallSnapshotReply(
    GroupId Group, NodeId From, NodeId To, Term Term, EntryId LastIncluded, ulong NextOffset, bool Installed)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader: propose these commands for my clients.</summary>
/// <param name="RequestId">Chosen by the follower, unique while its process lives.</param>
/// <param name="Offset">Where in the batch <paramref name="Commands"/> begin: a large one travels in parts.</param>
/// <param name="Commands">Payloads of the entries to be.</param>
public sealed record ForwardProposals(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, int Offset, ReadOnlyMemory<ReadOnlyMemory<byte>> Commands)
    : Message(Group, From, To, Term);

/// <summary>
/// Leader → follower: the forwarded commands became entries from <paramref name="First"/> on, or none did.
/// </summary>
/// <param name="Offset">Which part of the batch: its first command.</param>
/// <param name="Count">How many commands the part has.</param>
/// <param name="Accepted">False: this node does not lead or is overloaded; nothing was proposed.</param>
public sealed record ForwardReply(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, int Offset, int Count, bool Accepted, EntryId First)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader: at which index may my readers read (thesis §6.4)?</summary>
public sealed record ReadIndexRequest(GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId)
    : Message(Group, From, To, Term);

/// <summary>
/// Leader → follower: leadership was confirmed after the request came; read once applied to <paramref name="Index"/>.
/// </summary>
/// <param name="Accepted">False: this node does not lead; ask again.</param>
public sealed record ReadIndexReply(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, bool Accepted, LogIndex Index)
    : Message(Group, From, To, Term);

/// <summary>Leader → follower: campaign at once, I hand over leadership (thesis §3.10).</summary>
public sealed record TimeoutNow(GroupId Group, NodeId From, NodeId To, Term Term) : Message(Group, From, To, Term);

/// <summary>
/// Leader → a node that does not answer, or was removed: who is a member and where. It changes no membership; the
/// receiver learns whom to answer, or that it was removed.
/// </summary>
/// <param name="Index">Where in the log <paramref name="Membership"/> stands; it is committed.</param>
public sealed record MembershipNotice(
    GroupId Group, NodeId From, NodeId To, Term Term, LogIndex Index, Membership Membership)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader: change the membership for my operator.</summary>
public sealed record ChangeRequest(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, bool IsDryRun, MembershipChange Change)
    : Message(Group, From, To, Term);

/// <summary>Follower → leader: hand leadership over for my operator.</summary>
/// <param name="Target">Null: the most advanced voter.</param>
public sealed record TransferRequest(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, NodeId? Target)
    : Message(Group, From, To, Term);

/// <summary>Leader → follower: what became of a <see cref="ChangeRequest"/> or <see cref="TransferRequest"/>.</summary>
/// <param name="Entry">Accepted change: its first entry, not committed yet.</param>
/// <param name="Reason">Refused or busy: why, for a person.</param>
public sealed record AdminReply(
    GroupId Group, NodeId From, NodeId To, Term Term, ulong RequestId, AdminResult Result, EntryId Entry, string Reason)
    : Message(Group, From, To, Term);

/// <summary>
/// A node whose log has a hole → peer: what comes before this entry in your log? Answered in any role and term.
/// </summary>
/// <param name="Before">An entry of the asking node's log: whoever has it has all before it alike (paper §5.3).</param>
/// <param name="First">The lowest index that is wanted.</param>
public sealed record MendRequest(
    GroupId Group, NodeId From, NodeId To, Term Term, EntryId Before, LogIndex First)
    : Message(Group, From, To, Term);

/// <summary>Peer → a node whose log has a hole.</summary>
/// <param name="Before">The entry that was asked about; with <see cref="MendResult.Found"/> the sender has it.</param>
/// <param name="Previous">Found: the entry just before <paramref name="Entries"/> in the sender's log.</param>
/// <param name="Entries">
/// Found: entries in front of <paramref name="Before"/>, from the lowest wanted one that the sender has; empty when
/// only <paramref name="Previous"/> is wanted.
/// </param>
public sealed record MendReply(
    GroupId Group, NodeId From, NodeId To, Term Term, MendResult Result, EntryId Before, EntryId Previous,
    ReadOnlyMemory<LogEntry> Entries)
    : Message(Group, From, To, Term);

/// <summary>What a peer has to say to a <see cref="MendRequest"/>. Stable numbers: they are on the wire.</summary>
public enum MendResult : byte
{
    /// <summary>Entries, and where they belong.</summary>
    Found = 1,

    /// <summary>The sender's log never had the entry, or not any more.</summary>
    Unknown = 2,

    /// <summary>The sender's log has the entry, or had it, and nothing before it.</summary>
    Gone = 3,
}
