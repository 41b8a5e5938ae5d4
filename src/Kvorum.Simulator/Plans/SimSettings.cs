namespace Kvorum.Simulator;

/// <summary>
/// What one simulated run is made of, drawn from the seed ("swarm": every dimension may be off, tiny or extreme), or
/// written in a scenario file. Times in virtual microseconds, rates per million.
/// </summary>
public sealed record SimSettings
{
    /// <summary>The most nodes that a run ever has, those that come and go included.</summary>
    internal const int PlacesMax = 12;

    /// <summary>The most voters, drawn, given or grown to.</summary>
    public const int VotersMax = 7;

    // The cluster.
    public int Voters { get; init; } = 3;

    public int Learners { get; init; }

    public int TickMicroseconds { get; init; } = 10_000;

    public int HeartbeatTicks { get; init; } = 10;

    public int ElectionTicks { get; init; } = 100;

    public int AppendEntriesMax { get; init; } = 1024;

    public int InflightMessagesMax { get; init; } = 256;

    public long WalSegmentBytes { get; init; } = 64 * 1024;

    public long SnapshotLogBytes { get; init; } = 32 * 1024;

    public int SnapshotChunkBytesMax { get; init; } = 4 * 1024;

    public int SnapshotChunksInflightMax { get; init; } = 8;

    public int TrailingEntries { get; init; } = 20;

    /// <summary>Client sessions unused for this long are forgotten, at least a second.</summary>
    public long SessionIdle { get; init; } = 3_600_000_000;

    // The work.
    public int Clients { get; init; } = 4;

    public int Keys { get; init; } = 8;

    public int OperationsPerSecond { get; init; } = 20;

    public long RequestTimeout { get; init; } = 2_000_000;

    public long SafetyPhase { get; init; } = 30_000_000;

    public long LivenessPhase { get; init; } = 20_000_000;

    public long ConvergencePhase { get; init; } = 20_000_000;

    // The network, per message.
    public int DropPerMillion { get; init; }

    public int DuplicatePerMillion { get; init; }

    /// <summary>Copies that arrive seconds to minutes later, across restarts of both ends.</summary>
    public int LateDuplicatePerMillion { get; init; }

    public int ReorderPerMillion { get; init; }

    public int DelayMin { get; init; } = 100;

    public int DelayMean { get; init; } = 500;

    /// <summary>Messages whose delay is 10 to 1,000 times the mean.</summary>
    public int HeavyTailPerMillion { get; init; }

    // The disks.
    public int SyncMean { get; init; } = 300;

    /// <summary>Syncs that take 10 to 1,000 times the mean.</summary>
    public int SlowSyncPerMillion { get; init; }

    /// <summary>How long the state machine's worker is kept from each turn; 0 for not at all.</summary>
    public int ApplyDelayMean { get; init; }

    /// <summary>What a crash leaves of unsynced writes: 0 nothing, 1 all, 2 a prefix, 3 any subset, torn.</summary>
    public int CrashKeeps { get; init; } = 3;

    // The clocks: node i's rate is 1 + drift, alternating in sign; jumps are faults.
    public int ClockDriftPerMillion { get; init; }

    /// <summary>Clients that watch keys, on connections that end again and again.</summary>
    public int Watchers { get; init; }

    // The planned faults: at most so many per simulated minute, 0 for off. See FaultKind.
    public IReadOnlyList<FaultRate> Faults { get; init; } = [];

    /// <summary>
    /// The plan destroys more copies than the cluster can survive, once; what is expected is a safe halt.
    /// </summary>
    public bool IsBeyondTolerance { get; init; }

    /// <summary>When not 0, this mutant was active (builds with -p:Mutants=true only).</summary>
    public int Mutant { get; init; }
}

/// <summary>How often a kind of fault is planned, per simulated minute, and how long it lasts.</summary>
public readonly record struct FaultRate(FaultKind Kind, int PerMinute, long DurationMean);
