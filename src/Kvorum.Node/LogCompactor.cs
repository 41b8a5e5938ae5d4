using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Decides when to take a Raft snapshot: when the log since the last one is larger than a minimum and than the last
/// snapshot itself, so that writing snapshots never costs more than writing the log.
/// </summary>
internal sealed class LogCompactor(long logBytesMin, long lastSnapshotBytes, long logBytes, TimeProvider time)
{
    /// <summary>How long to wait after a snapshot for which there was no room; doubled each time.</summary>
    private static readonly TimeSpan RetryMin = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan RetryMax = TimeSpan.FromMinutes(2);

    private readonly Lock _lock = new();
    private TimeSpan _retry = RetryMin;
    private long? _failedAt;
    private long _logBytes = logBytes;
    private long _lastSnapshotBytes = lastSnapshotBytes;
    private bool _isTaking;
    private TaskCompletionSource? _next;
    private Exception? _stopped;

    /// <summary>Counts what was appended. True: take a snapshot now.</summary>
    public bool OnAppended(IReadOnlyList<LogEntry> entries)
    {
        var bytes = BytesOf(entries);
        lock (_lock)
        {
            _logBytes += bytes;
            if (_isTaking || _failedAt is not null || _logBytes < Math.Max(logBytesMin, _lastSnapshotBytes))
            {
                return false;
            }

            _isTaking = true;
            return true;
        }
    }

    public void OnTaken(SnapshotDescriptor snapshot)
    {
        lock (_lock)
        {
            _isTaking = false;
            _failedAt = null;
            _retry = RetryMin;
            _logBytes = 0;
            _lastSnapshotBytes = (long)snapshot.Length;
            _next?.TrySetResult();
            _next = null;
        }
    }

    /// <summary>Completes when the next snapshot is durable.</summary>
    public Task WaitForNext()
    {
        lock (_lock)
        {
            if (_stopped is not null)
            {
                return Task.FromException(_stopped);
            }

            _next ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _next.Task;
        }
    }

    /// <summary>
    /// The snapshot could not be written (no space): <see cref="IsRetryDue"/> says when to try again.
    /// </summary>
    public void OnFailed(Exception error)
    {
        lock (_lock)
        {
            _isTaking = false;
            _failedAt = time.GetTimestamp();
            _next?.TrySetException(error);
            _next = null;
        }
    }

    /// <summary>True once, some time after a failure: take a snapshot now. It is what makes room in the log.</summary>
    public bool IsRetryDue()
    {
        lock (_lock)
        {
            if (_failedAt is not { } failedAt || time.GetElapsedTime(failedAt) < _retry)
            {
                return false;
            }

            _retry = _retry * 2 < RetryMax ? _retry * 2 : RetryMax;
            _failedAt = null;
            _isTaking = true;
            return true;
        }
    }

    /// <summary>What entries take in the log, in bytes.</summary>
    public static long BytesOf(IReadOnlyList<LogEntry> entries)
    {
        long bytes = 0;
        for (var i = 0; i < entries.Count; i++)
        {
            bytes += EntryCodec.Size(entries[i]);
        }

        return bytes;
    }

    /// <summary>The node has stopped: no snapshot will come.</summary>
    public void Stop(Exception reason)
    {
        lock (_lock)
        {
            _stopped ??= reason;
            _next?.TrySetException(_stopped);
            _next = null;
        }
    }
}
