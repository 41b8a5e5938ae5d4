namespace Kvorum.Node;

/// <summary>
/// How much the log can still take. Without room for another segment, new entries are refused while the segment in use
/// still has a reserve for what cannot be refused: terms, votes, the entry that opens a term, checkpoints. Any thread.
/// </summary>
/// <param name="reserveBytes">What is kept of the segments at hand.</param>
internal sealed class LogRoom(long reserveBytes)
{
    private readonly Lock _lock = new();
    private long _available = long.MaxValue;
    private long _queued;
    private volatile bool _isFull;

    /// <summary>The most that is kept in reserve, in bytes.</summary>
    public const long ReserveBytesMax = 1024 * 1024;

    /// <summary>The last attempt to prepare a segment found the disk full.</summary>
    public bool IsFull => _isFull;

    public static LogRoom Of(NodeOptions options) => new(Math.Min(options.WalSegmentBytes / 4, ReserveBytesMax));

    /// <summary>Whether entries of this size may be taken on.</summary>
    public bool Admits(long bytes)
    {
        if (!_isFull)
        {
            return true;
        }

        lock (_lock)
        {
            return _available - _queued - bytes >= reserveBytes;
        }
    }

    /// <summary>Entries were taken on and wait to be written. Replica's thread.</summary>
    public void OnQueued(long bytes)
    {
        lock (_lock)
        {
            _queued += bytes;
        }
    }

    /// <summary>Entries were written; <paramref name="available"/> bytes are left. Log writer's thread.</summary>
    public void OnWritten(long bytes, long available)
    {
        lock (_lock)
        {
            _queued -= bytes;
            _available = available;
        }
    }

    public void OnFull() => _isFull = true;

    /// <summary>A segment is ready.</summary>
    public void OnRoom() => _isFull = false;
}
