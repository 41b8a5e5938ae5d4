namespace Kvorum.Storage;

/// <summary>
/// Seeded bugs of this project, one of which a build made with -p:Mutants=true can switch on, so that the simulator can
/// prove it finds them. In an ordinary build each is the constant false, and the compiler leaves nothing of it.
/// </summary>
/// <remarks>The numbers are those of docs/simulator.md, "Mutants". They stay, whatever is added.</remarks>
#if MUTANTS
internal static class StorageMutants
{
    /// <summary>30: writes term and vote after the entries that need them (PySyncObj #197).</summary>
    internal static bool StateAheadOfLog => Raft.RaftMutants.Active == 30;

    /// <summary>31: publishes files by rename without syncing the directory.</summary>
    internal static bool RenameWithoutDirectorySync => Raft.RaftMutants.Active == 31;

    /// <summary>32: goes on after a failed sync.</summary>
    internal static bool FailedSyncRetried => Raft.RaftMutants.Active == 32;

    /// <summary>33: cuts the log at the first bad checksum, wherever it is.</summary>
    internal static bool TruncateAtDamage => Raft.RaftMutants.Active == 33;

    /// <summary>34: believes a whole record whatever index and file it belongs to.</summary>
    internal static bool ChecksumWithoutPlace => Raft.RaftMutants.Active == 34;

    /// <summary>37: writes a new segment over an old file without clearing it.</summary>
    internal static bool SegmentReusedUncleared => Raft.RaftMutants.Active == 37;

    /// <summary>
    /// 34 and 37: nothing in a record says to which segment it belongs. Without this, old records in a reused file are
    /// told from new ones whether the file was cleared or not.
    /// </summary>
    internal static bool RecordsAreNotTied => ChecksumWithoutPlace || SegmentReusedUncleared;
}
#else
internal static class StorageMutants
{
    internal const bool StateAheadOfLog = false;
    internal const bool RenameWithoutDirectorySync = false;
    internal const bool FailedSyncRetried = false;
    internal const bool TruncateAtDamage = false;
    internal const bool ChecksumWithoutPlace = false;
    internal const bool SegmentReusedUncleared = false;
    internal const bool RecordsAreNotTied = false;
}
#endif
