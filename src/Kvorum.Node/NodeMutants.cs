namespace Kvorum.Node;

/// <summary>
/// Seeded bugs of this project, one of which a build made with -p:Mutants=true can switch on, so that the simulator can
/// prove it finds them. In an ordinary build each is the constant false, and the compiler leaves nothing of it.
/// </summary>
/// <remarks>The numbers are those of docs/simulator.md, "Mutants". They stay, whatever is added.</remarks>
#if MUTANTS
internal static class NodeMutants
{
    /// <summary>28: installs a snapshot while entries before it are still being applied (openraft).</summary>
    internal static bool InstallDuringApply => Raft.RaftMutants.Active == 28;

    /// <summary>35: lets a node vote whose directory was replaced.</summary>
    internal static bool AmnesiacVotes => Raft.RaftMutants.Active == 35;

    /// <summary>39: proposes again, after a change of leader, what the lost leader did not answer for.</summary>
    internal static bool DuplicateAfterLeaderChange => Raft.RaftMutants.Active == 39;

    /// <summary>43: tells a watcher again what it was told, when it falls behind (etcd #15271).</summary>
    internal static bool WatchRepeats => Raft.RaftMutants.Active == 43;

    /// <summary>44: says that a watcher has everything that was published, matched or not (etcd #15220).</summary>
    internal static bool ProgressAhead => Raft.RaftMutants.Active == 44;

    /// <summary>45: forgets what waited for a watcher whose queue was full (etcd #17529).</summary>
    internal static bool SlowWatcherLoses => Raft.RaftMutants.Active == 45;

    /// <summary>46: tells a watcher that begins in the future what comes before that (etcd #20221).</summary>
    internal static bool FutureWatchTellsOld => Raft.RaftMutants.Active == 46;

    /// <summary>57: proposes a transaction that straddles the end of a batch as two entries.</summary>
    internal static bool TransactionSplit => Raft.RaftMutants.Active == 57;

    /// <summary>58: answers linearizable reads from what this follower has applied (Xraft #39).</summary>
    internal static bool LocalReadAsLinearizable => Raft.RaftMutants.Active == 58;

    /// <summary>59: tells the caller that a timed-out write had no effect.</summary>
    internal static bool TimeoutCalledFailed => Raft.RaftMutants.Active == 59;
}
#else
internal static class NodeMutants
{
    internal const bool InstallDuringApply = false;
    internal const bool AmnesiacVotes = false;
    internal const bool DuplicateAfterLeaderChange = false;
    internal const bool WatchRepeats = false;
    internal const bool ProgressAhead = false;
    internal const bool SlowWatcherLoses = false;
    internal const bool FutureWatchTellsOld = false;
    internal const bool TransactionSplit = false;
    internal const bool LocalReadAsLinearizable = false;
    internal const bool TimeoutCalledFailed = false;
}
#endif
