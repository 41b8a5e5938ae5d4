namespace Kvorum.Kv;

/// <summary>
/// Seeded bugs of this project, one of which a build made with -p:Mutants=true can switch on, so that the simulator can
/// prove it finds them. In an ordinary build each is the constant false, and the compiler leaves nothing of it.
/// </summary>
/// <remarks>The numbers are those of docs/simulator.md, "Mutants". They stay, whatever is added.</remarks>
#if MUTANTS
internal static class KvMutants
{
    /// <summary>36: leaves client sessions out of snapshots (etcd #14571).</summary>
    internal static bool SnapshotWithoutSessions => Raft.RaftMutants.Active == 36;

    /// <summary>38: drops the answers of sessions when it restores a snapshot.</summary>
    internal static bool SessionsForgottenOnRestore => Raft.RaftMutants.Active == 38;

    /// <summary>40: lets the order of a hash table decide what a transaction does first.</summary>
    internal static bool NonDeterministicApply => Raft.RaftMutants.Active == 40;

    /// <summary>41: counts a revision for a change that failed, used twice after a restart (etcd #13766).</summary>
    internal static bool RevisionReused => Raft.RaftMutants.Active == 41;

    /// <summary>54: includes the end key of a range.</summary>
    internal static bool RangeEndOffByOne => Raft.RaftMutants.Active == 54;

    /// <summary>55: compares with the value before the last write (etcd).</summary>
    internal static bool CompareOnStaleValue => Raft.RaftMutants.Active == 55;

    /// <summary>56: answers an append with the length before it.</summary>
    internal static bool AppendWrongLength => Raft.RaftMutants.Active == 56;
}
#else
internal static class KvMutants
{
    internal const bool SnapshotWithoutSessions = false;
    internal const bool SessionsForgottenOnRestore = false;
    internal const bool NonDeterministicApply = false;
    internal const bool RevisionReused = false;
    internal const bool RangeEndOffByOne = false;
    internal const bool CompareOnStaleValue = false;
    internal const bool AppendWrongLength = false;
}
#endif
