namespace Kvorum.Simulator;

/// <summary>What can go wrong by plan. Stable numbers: they are in scenario files' replay lines.</summary>
public enum FaultKind : byte
{
    // Network (reliability: N5 to N12). Nodes is the group cut off, or the two ends of a link.
    Partition = 1,
    OneWay = 2,
    Bridge = 3,
    MajoritiesRing = 4,
    Flap = 5,
    SlowLink = 6,
    HalfOpen = 7,
    CorruptFrame = 8,
    ClientCut = 9,

    // Process (P1 to P10).
    Crash = 20,
    CrashAtDiskOperation = 21,
    CrashAfterSend = 22,
    Pause = 23,
    RestartLoop = 24,
    PowerLoss = 25,
    GracefulStop = 26,

    // Disk (D1 to D18).
    SlowDisk = 40,
    SyncError = 41,
    ReadError = 42,
    DiskFull = 43,
    BitRot = 44,
    MisdirectedWrite = 45,
    LostWrite = 46,
    WipedDirectory = 47,
    OldBackup = 48,
    TornTail = 49,
    StaleWrite = 50,

    // Beyond tolerance (D13 on a majority, D16): in runs that say so only. Nodes is whose copies are destroyed.
    WipedMajority = 51,
    RottenCopies = 52,

    // Clocks (C1 to C3).
    ClockDrift = 60,
    ClockJump = 61,

    // Membership and leadership (M1 to M8).
    AddMember = 80,
    RemoveMember = 81,
    ReplaceMember = 82,
    TransferLeadership = 83,
    TakeSnapshot = 84,
    OldLeaderReturns = 85,
    UpdateMember = 86,
}

/// <summary>One planned fault. A plan is a list of these, so that any of them can be taken out.</summary>
/// <param name="Number">Its key for further draws; it stays when others are removed.</param>
/// <param name="At">Virtual time in microseconds.</param>
/// <param name="Duration">How long it lasts; 0 for faults of a moment.</param>
/// <param name="Nodes">Whom it hits, by place in the cluster from 1; meaning depends on the kind.</param>
/// <param name="Amount">Kind's own number: disk operations until the crash, bytes, parts per million.</param>
public sealed record Fault(int Number, FaultKind Kind, long At, long Duration, IReadOnlyList<int> Nodes, long Amount);

/// <summary>One planned request of a client.</summary>
/// <param name="Number">Its key for further draws.</param>
/// <param name="At">When it is sent; later when the client's previous one is still under way.</param>
/// <param name="Steps">What it does; <see cref="Step.Seen"/> is null.</param>
/// <param name="IsLocal">A read without a barrier.</param>
/// <param name="HasSession">A write with a session stamp; without one no retry after "unknown".</param>
public sealed record PlannedOperation(
    int Number, int Client, long At, IReadOnlyList<Step> Steps, bool IsLocal, bool HasSession);

/// <summary>
/// Everything a run does, explicitly: made from a seed, from a scenario file, or by the shrinker. Same plan, same trace
/// hash, in every process and build configuration.
/// </summary>
public sealed record SimPlan(
    ulong Seed, SimSettings Settings, IReadOnlyList<Fault> Faults, IReadOnlyList<PlannedOperation> Operations);
