using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>What the rules look at of a replica after a step; small, so that a test can make one up.</summary>
internal readonly record struct ReplicaView(Role Role, Term Term, LogIndex Commit, EntryId LogStart, EntryId Last)
{
    public static ReplicaView Of(RaftNode raft) =>
        new(raft.Role, raft.Term, raft.CommitIndex, raft.LogStart, raft.LastEntry);
}
