namespace Kvorum.Server.Etcd;

/// <summary>Limits of a stream of watchers, with their units.</summary>
internal static class WatchStreamLimits
{
    /// <summary>Watchers of one stream; one more is refused.</summary>
    public const int WatchersMax = 100_000;

    /// <summary>Answers to requests that wait to be sent; above it no more requests are read.</summary>
    public const int AnswersMax = 1_024;

    /// <summary>The largest response with fragments, in bytes; one event is never cut.</summary>
    public const int FragmentBytesMax = 1_572_864;

    /// <summary>Bytes of events that are written before the caller must have taken them: 256 KiB.</summary>
    public const int UnflushedBytesMax = 256 * 1024;

    /// <summary>Requests and watchers served before what was written is sent.</summary>
    public const int WorkPerTurnMax = 1_024;
}
