namespace Kvorum.Node;

/// <summary>What a watcher wants to be told (etcd v3 API, WatchCreateRequest).</summary>
/// <param name="RangeEnd">
/// Empty: the one key. A single zero byte: every key from <paramref name="Key"/> on. Else the excluded end.
/// </param>
/// <param name="StartRevision">The first revision told; it may be in the future. 0 or less: from now on.</param>
public sealed record WatchOptions(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> RangeEnd, long StartRevision)
{
    public bool SkipsPuts { get; init; }

    public bool SkipsDeletes { get; init; }
}

/// <summary>Limits of watching, with their units.</summary>
public static class WatchLimits
{
    /// <summary>Events that the node keeps for watchers that keep up.</summary>
    public const int RecentEventsMax = 65_536;

    /// <summary>The same in bytes: 32 MiB.</summary>
    public const long RecentBytesMax = 32L << 20;

    /// <summary>
    /// Events that wait for one watcher; above it they are dropped, and the watcher reads them from the store.
    /// </summary>
    public const int QueuedEventsMax = 1_024;

    /// <summary>Bytes of events handed over at once; one revision is never cut.</summary>
    public const int BatchBytesMax = 1 << 20;
}
