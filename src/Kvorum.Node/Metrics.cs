namespace Kvorum.Node;

/// <summary>
/// A histogram of durations with fixed bounds, in the shape Prometheus expects. Any thread may read, one writes.
/// </summary>
public sealed class DurationHistogram
{
    private readonly long[] _counts = new long[BoundsMicroseconds.Length + 1];
    private long _sumMicroseconds;

    /// <summary>Upper bounds in microseconds; a last bucket without bound follows.</summary>
    public static ReadOnlySpan<long> BoundsMicroseconds =>
    [
        50, 100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 51_200, 102_400, 204_800, 409_600, 819_200, 1_638_400,
    ];

    /// <summary>Durations per bucket (not cumulative).</summary>
    public ReadOnlySpan<long> Counts => _counts;

    public long SumMicroseconds => Volatile.Read(ref _sumMicroseconds);

    internal void Record(long microseconds)
    {
        var bucket = 0;
        while (bucket < BoundsMicroseconds.Length && microseconds > BoundsMicroseconds[bucket])
        {
            bucket++;
        }

        Volatile.Write(ref _counts[bucket], _counts[bucket] + 1);
        Volatile.Write(ref _sumMicroseconds, _sumMicroseconds + microseconds);
    }
}

/// <summary>Counters and histograms of one node, for the metrics endpoint.</summary>
public sealed class NodeMetrics
{
    /// <summary>Duration of one write-and-sync of the log.</summary>
    public DurationHistogram Sync { get; } = new();

    /// <summary>Duration of applying one batch.</summary>
    public DurationHistogram Apply { get; } = new();

    public long ProposalsAccepted;
    public long ProposalsFailed;
    public long ReadsConfirmed;
    public long ReadsFailed;
    public long EntriesApplied;
    public long LeaderChanges;
    public long SnapshotsTaken;
    public long SnapshotsInstalled;
    public long FramesDropped;

    /// <summary>Watchers there are now.</summary>
    public long Watchers;
}
