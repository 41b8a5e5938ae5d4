namespace Kvorum.Raft;

/// <summary>The second byte of a message. Never reused.</summary>
internal enum MessageKind : byte
{
    RequestVote = 1,
    VoteReply = 2,
    AppendEntries = 3,
    AppendReply = 4,
    Heartbeat = 5,
    HeartbeatReply = 6,
    InstallSnapshot = 7,
    InstallSnapshotReply = 8,
    ForwardProposals = 9,
    ForwardReply = 10,
    ReadIndexRequest = 11,
    ReadIndexReply = 12,
    TimeoutNow = 13,
    MembershipNotice = 14,
    ChangeRequest = 15,
    TransferRequest = 16,
    AdminReply = 17,
    MendRequest = 18,
    MendReply = 19,
}
