namespace Kvorum.Raft;

/// <summary>
/// Seeded bugs of this project, one of which a build made with -p:Mutants=true can switch on, so that the simulator can
/// prove it finds them. In an ordinary build each is the constant false, and the compiler leaves nothing of it.
/// </summary>
/// <remarks>The numbers are those of docs/simulator.md, "Mutants". They stay, whatever is added.</remarks>
#if MUTANTS
public static class RaftMutants
{
    /// <summary>The number of the mutant that is switched on in this process; 0 for none.</summary>
    public static int Active { get; set; }

    /// <summary>1: commits earlier terms' entries by counting (paper §5.4.2; LogCabin #44, PySyncObj #169).</summary>
    internal static bool CommitPriorTermByCounting => Active == 1;

    /// <summary>2: does not write its vote (PySyncObj #84).</summary>
    internal static bool VoteNotPersisted => Active == 2;

    /// <summary>3: starts in term 0 again (PySyncObj #202).</summary>
    internal static bool TermResetOnRestart => Active == 3;

    /// <summary>4: grants its vote whatever the candidate's log (paper §5.4.1).</summary>
    internal static bool VoteWithoutLogCheck => Active == 4;

    /// <summary>5: compares the length of logs before their last term (openraft).</summary>
    internal static bool LogLengthBeforeTerm => Active == 5;

    /// <summary>6: cuts its log after the entries of every AppendEntries (openraft).</summary>
    internal static bool TruncateOnAnyAppend => Active == 6;

    /// <summary>7: takes min(leader commit, own last index) as commit index (Scylla #9965).</summary>
    internal static bool FollowerCommitsOwnTail => Active == 7;

    /// <summary>8: counts a vote each time it arrives.</summary>
    internal static bool DuplicateVotesCount => Active == 8;

    /// <summary>9: counts vote replies of other terms (Xraft #33).</summary>
    internal static bool VoteOfAnotherTerm => Active == 9;

    /// <summary>10: takes the match index of a reply from an older term (PySyncObj #167).</summary>
    internal static bool OldReplyMovesMatch => Active == 10;

    /// <summary>11: sets the commit index down (PySyncObj #166).</summary>
    internal static bool CommitGoesBack => Active == 11;

    /// <summary>12: acknowledges entries before they are durable (NATS, PySyncObj #84).</summary>
    internal static bool AckBeforeSync => Active == 12;

    /// <summary>13: counts the leader's own entries before they are durable (etcd #14370).</summary>
    internal static bool LeaderCountsUnsynced => Active == 13;

    /// <summary>14: answers a read barrier without a round of heartbeats.</summary>
    internal static bool ReadWithoutRound => Active == 14;

    /// <summary>15: answers read barriers before the term's first entry is committed (thesis §6.4).</summary>
    internal static bool ReadBeforeOwnCommit => Active == 15;

    /// <summary>16: lets an old heartbeat reply confirm a newer read round (etcd #20418).</summary>
    internal static bool StaleRoundConfirms => Active == 16;

    /// <summary>17: answers reads from a lease that ignores drift and pauses.</summary>
    internal static bool LeaseRead => Active == 17;

    /// <summary>18: uses a membership when it is committed, not when it is appended (thesis §4.1).</summary>
    internal static bool MembershipAtCommit => Active == 18;

    /// <summary>19: changes the membership before the previous change, or its own term, has a commit.</summary>
    internal static bool OverlappingChanges => Active == 19;

    /// <summary>20: counts a joint membership as one set (openraft).</summary>
    internal static bool JointAsUnion => Active == 20;

    /// <summary>21: counts learners for commitment and votes.</summary>
    internal static bool LearnerCounts => Active == 21;

    /// <summary>22: lets a leader that is no voter count itself.</summary>
    internal static bool RemovedLeaderCounts => Active == 22;

    /// <summary>23: resets the election timer when it denies a vote, and not on AppendEntries.</summary>
    internal static bool TimerResetOnDenial => Active == 23;

    /// <summary>24: enters the term of a pre-vote, and leads without check-quorum.</summary>
    internal static bool PreVoteRaisesTerm => Active == 24;

    /// <summary>25: installs a snapshot older than its log (Camunda #6092).</summary>
    internal static bool OlderSnapshotInstalled => Active == 25;

    /// <summary>26: keeps a conflicting tail after installing a snapshot (hashicorp/raft #704).</summary>
    internal static bool TailKeptAfterInstall => Active == 26;

    /// <summary>27: keeps its membership after installing a snapshot (openraft #1808).</summary>
    internal static bool StaleMembershipAfterInstall => Active == 27;

    /// <summary>29: treats a previous entry below its log start as a conflict (openraft).</summary>
    internal static bool PurgedPreviousIsConflict => Active == 29;
}
#else
internal static class RaftMutants
{
    internal const bool CommitPriorTermByCounting = false;
    internal const bool VoteNotPersisted = false;
    internal const bool TermResetOnRestart = false;
    internal const bool VoteWithoutLogCheck = false;
    internal const bool LogLengthBeforeTerm = false;
    internal const bool TruncateOnAnyAppend = false;
    internal const bool FollowerCommitsOwnTail = false;
    internal const bool DuplicateVotesCount = false;
    internal const bool VoteOfAnotherTerm = false;
    internal const bool OldReplyMovesMatch = false;
    internal const bool CommitGoesBack = false;
    internal const bool AckBeforeSync = false;
    internal const bool LeaderCountsUnsynced = false;
    internal const bool ReadWithoutRound = false;
    internal const bool ReadBeforeOwnCommit = false;
    internal const bool StaleRoundConfirms = false;
    internal const bool LeaseRead = false;
    internal const bool MembershipAtCommit = false;
    internal const bool OverlappingChanges = false;
    internal const bool JointAsUnion = false;
    internal const bool LearnerCounts = false;
    internal const bool RemovedLeaderCounts = false;
    internal const bool TimerResetOnDenial = false;
    internal const bool PreVoteRaisesTerm = false;
    internal const bool OlderSnapshotInstalled = false;
    internal const bool TailKeptAfterInstall = false;
    internal const bool StaleMembershipAfterInstall = false;
    internal const bool PurgedPreviousIsConflict = false;
}
#endif
