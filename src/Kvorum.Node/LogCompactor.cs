using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Decides when to take a Raft snapshot: when the log since the last one is larger than a minimum and than the last
/// snapshot itself, so that writing snapshots never costs more than writing the log.
/// </summary>
internal sealed class LogCompactor(long logBytesMin, long lastSnapshotBytes, long logBytes)
{
    private readonly Lock _lock = new();
    private long _logBytes = logBytes;
    private long _lastSnapshotBytes = lastSnapshotBytes;
    private bool _isTaking;
    private TaskCompletionSource? _next;
    private Exception? _stopped;

    /// <summary>Counts what was appended. True: take a snapshot now.</summary>
    public bool OnAppended(IReadOnlyList<LogEntry> entries)
    {
        long bytes = 0;
        for (var i = 0; i < entries.Count; i++)
        {
            bytes += EntryCodec.Size(entries[i]);
        }

        lock (_lock)
        {
            _logBytes += bytes;
            if (_isTaking || _logBytes < Math.Max(logBytesMin, _lastSnapshotBytes))
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

    /// <summary>The snapshot could not be written (no space): try again after another stretch of log.</summary>
    public void OnFailed(Exception error)
    {
        lock (_lock)
        {
            _isTaking = false;
            _logBytes = 0;
            _next?.TrySetException(error);
            _next = null;
        }
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
