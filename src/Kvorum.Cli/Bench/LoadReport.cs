namespace Kvorum.Cli.Bench;

/// <summary>One measurement.</summary>
internal sealed record LoadReport
{
    public required LoadMode Mode { get; init; }

    public required int InFlight { get; init; }

    public required double Seconds { get; init; }

    /// <summary>Calls that ended well while measuring.</summary>
    public required long Calls { get; init; }

    /// <summary>Calls that failed, warm-up included, by kind of exception.</summary>
    public required IReadOnlyDictionary<string, long> Failures { get; init; }

    public required LatencyHistogram Latencies { get; init; }

    /// <summary>Of this whole process, all nodes in it and the callers.</summary>
    public required double CpuMicrosecondsPerCall { get; init; }

    public required TimeSpan CollectorPauseTotal { get; init; }

    public required TimeSpan CollectorPauseMax { get; init; }

    public required int Collections { get; init; }

    public required double AllocatedBytesPerCall { get; init; }

    /// <summary>Syncs of the logs of all nodes together; null over HTTP.</summary>
    public required long? Syncs { get; init; }

    public required TimeSpan? SyncTotal { get; init; }

    public double CallsPerSecond => Calls / Seconds;
}
