namespace Kvorum.Simulator;

/// <summary>A seeded bug: what a team once wrote by mistake.</summary>
/// <param name="Number">Its number in docs/simulator.md; it stays, whatever is added.</param>
/// <param name="Bug">"A node that …".</param>
/// <param name="Origin">Where it was found; empty for a classic.</param>
public sealed record Mutant(int Number, string Bug, string Origin)
{
    /// <summary>The last one about consensus itself.</summary>
    public const int RaftLast = 24;

    /// <summary>How many seeds it may survive: 2,000 when it is about consensus, else 20,000.</summary>
    public int SeedsMax => Number <= RaftLast ? 2_000 : 20_000;
}

/// <summary>The seeded bugs of a build made with -p:Mutants=true; an ordinary build has none of their code.</summary>
public static class MutantCatalog
{
    /// <summary>Whether this build has the seeded bugs in it.</summary>
#if MUTANTS
    public static bool IsBuiltIn => true;
#else
    public static bool IsBuiltIn => false;
#endif

    public static IReadOnlyList<Mutant> All { get; } =
    [
        new(1, "commits an entry of an earlier term by counting", "LogCabin #44, PySyncObj #169"),
        new(2, "does not write its vote", "PySyncObj #84"),
        new(3, "starts in term 0 again", "PySyncObj #202"),
        new(4, "grants its vote whatever the candidate's log", ""),
        new(5, "compares the length of logs before their last term", "openraft"),
        new(6, "cuts its log after the entries of every AppendEntries", "openraft"),
        new(7, "takes min(leader commit, own last index) as commit index", "Scylla #9965"),
        new(8, "counts a vote each time it arrives", ""),
        new(9, "counts vote replies of other terms", "Xraft #33"),
        new(10, "takes the match index of a reply from an older term", "PySyncObj #167"),
        new(11, "sets the commit index down", "PySyncObj #166"),
        new(12, "acknowledges entries before they are durable", "NATS, PySyncObj #84"),
        new(13, "counts the leader's own entries before they are durable", "etcd #14370"),
        new(14, "answers a read barrier without a round of heartbeats", ""),
        new(15, "answers read barriers before the term's first commit", "thesis §6.4"),
        new(16, "lets an old heartbeat reply confirm a newer read round", "etcd #20418"),
        new(17, "answers reads from a lease that ignores drift and pauses", ""),
        new(18, "uses a membership when committed, not when appended", "thesis §4.1"),
        new(19, "begins a membership change before the last one is committed", "single-server change bug, 2015"),
        new(20, "counts a joint membership as one set", "openraft"),
        new(21, "counts learners for commitment and votes", ""),
        new(22, "lets a leader that is no voter count itself", ""),
        new(23, "resets the election timer on a denied vote, not on entries", ""),
        new(24, "enters the term of a pre-vote, leads without check-quorum", ""),
        new(25, "installs a snapshot older than its log", "Camunda #6092"),
        new(26, "keeps a conflicting tail after installing a snapshot", "hashicorp/raft #704"),
        new(27, "keeps its membership after installing a snapshot", "openraft #1808"),
        new(28, "installs a snapshot while earlier entries are being applied", "openraft"),
        new(29, "treats a previous entry below its log start as a conflict", "openraft"),
        new(30, "writes term and vote after the entries that need them", "PySyncObj #197"),
        new(31, "publishes files by rename without syncing the directory", ""),
        new(32, "goes on after a failed sync", ""),
        new(33, "cuts the log at the first bad checksum, wherever it is", ""),
        new(34, "believes a record whatever index and file it belongs to", ""),
        new(35, "lets a node vote whose directory was replaced", ""),
        new(36, "leaves client sessions out of snapshots", "etcd #14571"),
        new(37, "writes a new segment over an old file without clearing it", ""),
        new(38, "drops the answers of sessions when it restores a snapshot", ""),
        new(39, "proposes a forwarded batch again when its leader is lost", ""),
        new(40, "lets a hash table's order decide what is done first", ""),
        new(41, "counts a revision for a change that failed", "etcd #13766"),
        new(43, "tells a watcher again what it was told", "etcd #15271"),
        new(44, "tells a watcher that it has what is still to come", "etcd #15220"),
        new(45, "loses what waited for a slow watcher", "etcd #17529"),
        new(46, "tells a watcher of the future what came before", "etcd #20221"),
        new(54, "includes the end key of a range", ""),
        new(55, "compares with the value before the last write", ""),
        new(56, "answers an append with the length before it", ""),
        new(57, "proposes one transaction as several entries", ""),
        new(58, "answers linearizable reads from a follower's own state", "Xraft #39"),
        new(59, "tells that a timed-out write had no effect", ""),
        new(60, "looks a state hash up under another index (a checker)", ""),
    ];

    /// <summary>Switches one seeded bug on in this process, or off with 0.</summary>
    /// <exception cref="NotSupportedException">An ordinary build, and a number other than 0.</exception>
    public static void SwitchOn(int number)
    {
#if MUTANTS
        Raft.RaftMutants.Active = number;
#else
        if (number != 0)
        {
            throw new NotSupportedException($"Mutant {number}: this build was made without -p:Mutants=true.");
        }
#endif
    }
}
