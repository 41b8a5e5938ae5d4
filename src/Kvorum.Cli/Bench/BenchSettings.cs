namespace Kvorum.Cli.Bench;

/// <summary>What the callers do.</summary>
internal enum LoadMode
{
    Write = 0,
    Read = 1,

    /// <summary>Every second call a write.</summary>
    Mixed = 2,
}

/// <summary>What 'kvorum bench' was asked for.</summary>
/// <param name="InFlight">Numbers of callers that wait at the same time; one measurement each.</param>
/// <param name="Seconds">Length of one measurement, after a warm-up.</param>
/// <param name="Keys">How many different keys the callers choose from.</param>
/// <param name="ViaAny">Callers are spread over all nodes; otherwise all go to the leader.</param>
internal sealed record BenchSettings(
    LoadMode Mode, IReadOnlyList<int> InFlight, TimeSpan Seconds, int Keys, int ValueBytes, bool ViaAny)
{
    public const int InFlightMax = 100_000;

    public const int SecondsMax = 3_600;

    public const int KeysMax = 50_000_000;

    public const int ValueBytesMax = 1_048_576;

    /// <summary>Until code is compiled and sockets have grown; not measured.</summary>
    public TimeSpan WarmUp { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a single call may take before it counts as failed.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromSeconds(10);
}
