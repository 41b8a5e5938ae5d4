namespace Kvorum.Simulator;

/// <summary>The settings of a run by name, for scenario files and for the shrinker.</summary>
internal static class SettingsTable
{
    /// <summary>The setting that says which seeded bug was switched on: no property of the plan itself.</summary>
    public const string MutantName = "mutant";

    private const long MillionMax = 1_000_000;

    /// <summary>The nodes of a new cluster must meet before one of them is cut off, or they wait for it.</summary>
    private const long SafetyPhaseMin = 500_000;

    /// <summary>Within this a majority answers and replicas become equal.</summary>
    private const long PromiseMin = 20_000_000;

    private const long PhaseMax = 600_000_000;

    /// <summary>Far above it no leader comes to be.</summary>
    private const long DelayMax = 100_000;

    private static readonly Setting[] OfTheCluster =
    [
        new("voters", s => s.Voters, (s, v) => s with { Voters = (int)v }, Min: 1, Max: SimSettings.VotersMax),
        new(
            "learners", s => s.Learners,
            (s, v) => s with { Learners = (int)v }, Max: SimSettings.PlacesMax - SimSettings.VotersMax),
        new(
            "tick-us", s => s.TickMicroseconds,
            (s, v) => s with { TickMicroseconds = (int)v }, Min: 1_000, Max: 1_000_000),
        new(
            "heartbeat-ticks", s => s.HeartbeatTicks,
            (s, v) => s with { HeartbeatTicks = (int)v }, Min: 1, Max: 1_000),
        new(
            "election-ticks", s => s.ElectionTicks,
            (s, v) => s with { ElectionTicks = (int)v }, Min: 2, Max: 10_000),
        new("append-entries-max", s => s.AppendEntriesMax, (s, v) => s with { AppendEntriesMax = (int)v }, Min: 1),
        new(
            "inflight-messages-max", s => s.InflightMessagesMax,
            (s, v) => s with { InflightMessagesMax = (int)v }, Min: 1, Max: 4_096),
        new(
            "wal-segment-bytes", s => s.WalSegmentBytes,
            (s, v) => s with { WalSegmentBytes = v }, Min: 512, Max: 1024 * 1024 * 1024),
        new(
            "snapshot-log-bytes", s => s.SnapshotLogBytes,
            (s, v) => s with { SnapshotLogBytes = v }, Min: 1, Max: Setting.LongMax),
        new(
            "snapshot-chunk-bytes", s => s.SnapshotChunkBytesMax,
            (s, v) => s with { SnapshotChunkBytesMax = (int)v }, Min: 1, Max: 1024 * 1024),
        new(
            "snapshot-chunks-inflight", s => s.SnapshotChunksInflightMax,
            (s, v) => s with { SnapshotChunksInflightMax = (int)v }, Min: 1, Max: 64),
        new("trailing-entries", s => s.TrailingEntries, (s, v) => s with { TrailingEntries = (int)v }),
        new(
            "session-idle-us", s => s.SessionIdle,
            (s, v) => s with { SessionIdle = v }, Min: 1_000_000, Max: Setting.LongMax),
        new("clients", s => s.Clients, (s, v) => s with { Clients = (int)v }, Min: 1, Max: 64),
        new("keys", s => s.Keys, (s, v) => s with { Keys = (int)v }),
        new(
            "operations-per-second", s => s.OperationsPerSecond,
            (s, v) => s with { OperationsPerSecond = (int)v }, Min: 1),
        new(
            "request-timeout-us", s => s.RequestTimeout,
            (s, v) => s with { RequestTimeout = v }, Min: 1, Max: Setting.LongMax),
        new(
            "safety-phase-us", s => s.SafetyPhase,
            (s, v) => s with { SafetyPhase = v }, Min: SafetyPhaseMin, Max: PhaseMax),
        new(
            "liveness-phase-us", s => s.LivenessPhase,
            (s, v) => s with { LivenessPhase = v }, Min: PromiseMin, Max: PhaseMax),
        new(
            "convergence-phase-us", s => s.ConvergencePhase,
            (s, v) => s with { ConvergencePhase = v }, Min: PromiseMin, Max: PhaseMax),
    ];

    private static readonly Setting[] OfItsSurroundings =
    [
        new("drop-ppm", s => s.DropPerMillion, (s, v) => s with { DropPerMillion = (int)v }, Max: MillionMax),
        new(
            "duplicate-ppm", s => s.DuplicatePerMillion,
            (s, v) => s with { DuplicatePerMillion = (int)v }, Max: MillionMax),
        new(
            "late-copy-ppm", s => s.LateDuplicatePerMillion,
            (s, v) => s with { LateDuplicatePerMillion = (int)v }, Max: MillionMax),
        new("reorder-ppm", s => s.ReorderPerMillion, (s, v) => s with { ReorderPerMillion = (int)v }, Max: MillionMax),
        new("delay-min-us", s => s.DelayMin, (s, v) => s with { DelayMin = (int)v }, Max: DelayMax),
        new("delay-mean-us", s => s.DelayMean, (s, v) => s with { DelayMean = (int)v }, Max: DelayMax),
        new(
            "heavy-tail-ppm", s => s.HeavyTailPerMillion,
            (s, v) => s with { HeavyTailPerMillion = (int)v }, Max: MillionMax),
        new("sync-mean-us", s => s.SyncMean, (s, v) => s with { SyncMean = (int)v }, Max: DelayMax),
        new(
            "slow-sync-ppm", s => s.SlowSyncPerMillion,
            (s, v) => s with { SlowSyncPerMillion = (int)v }, Max: MillionMax),
        new(
            "apply-delay-mean-us", s => s.ApplyDelayMean,
            (s, v) => s with { ApplyDelayMean = (int)v }, Max: 1_000_000),
        new("crash-keeps", s => s.CrashKeeps, (s, v) => s with { CrashKeeps = (int)v }, Max: 3),
        new(
            "clock-drift-ppm", s => s.ClockDriftPerMillion,
            (s, v) => s with { ClockDriftPerMillion = (int)v }, Min: -MillionMax, Max: MillionMax),
        new("watchers", s => s.Watchers, (s, v) => s with { Watchers = (int)v }, Max: 16),
        new(
            "beyond-tolerance", s => s.IsBeyondTolerance ? 1 : 0,
            (s, v) => s with { IsBeyondTolerance = v != 0 }, Max: 1),
        new(MutantName, s => s.Mutant, (s, v) => s with { Mutant = (int)v }),
    ];

    /// <summary>All of them but the drawn fault rates, which a plan has as explicit faults.</summary>
    public static IReadOnlyList<Setting> All { get; } = [.. OfTheCluster, .. OfItsSurroundings];

    /// <summary>
    /// How long faults strike. The other phases are promises: shorter ones would break rule V1 by themselves.
    /// </summary>
    public static Setting SafetyPhase { get; } = All.First(setting => setting.Name == "safety-phase-us");

    private static readonly SimSettings Default = new();

    /// <summary>Those that differ from the default.</summary>
    public static IEnumerable<Setting> Changed(SimSettings settings) =>
        All.Where(setting => setting.Get(settings) != setting.Get(Default));

    public static SimSettings Reset(SimSettings settings, Setting setting) =>
        setting.With(settings, setting.Get(Default));

    public static Setting? Find(string name) => All.FirstOrDefault(setting => setting.Name == name);
}

/// <summary>One setting: its name in scenario files, how to read it, how to change it.</summary>
/// <param name="Min">The smallest value that a scenario file may have.</param>
/// <param name="Max">The largest.</param>
internal sealed record Setting(
    string Name, Func<SimSettings, long> Get, Func<SimSettings, long, SimSettings> With, long Min = 0,
    long Max = int.MaxValue)
{
    /// <summary>Of times and sizes: more than any run takes.</summary>
    public const long LongMax = 1_000_000_000_000;
}
