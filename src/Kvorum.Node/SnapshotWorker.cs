using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// The slow file work beside the hot path: writing a Raft snapshot from a capture while writes go on, reading old
/// entries and chunks for peers that lag, storing chunks of an incoming snapshot, preparing log segments. One job at a
/// time, in order.
/// </summary>
/// <remarks>
/// The queue is bounded by what asks: the core has one fetch or chunk per peer under way, the compactor one snapshot,
/// the log one segment.
/// </remarks>
internal sealed class SnapshotWorker(
    GroupId group, DataDirectory directory, Wal wal, SnapshotStore store, NodeMetrics metrics, Action<Input> post, Action<SnapshotDescriptor> install,
    LogCompactor compactor, TimeProvider time, ILogger logger)
{
    /// <summary>How long to wait before another try to make a log segment on a full disk.</summary>
    private static readonly TimeSpan SegmentRetry = TimeSpan.FromSeconds(2);

    // Numbers of the operating system (errno) that mean "no room": no space on the device, quota exceeded.
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;

    private readonly Lock _lock = new();
    private readonly Queue<Action> _jobs = new();
    private bool _isSegmentQueued;
    private long _segmentFailedAt;

    public void Fetch(FetchEntries fetch) => Add(() =>
    {
        IReadOnlyList<LogEntry> entries;
        try
        {
            entries = wal.Read(group, fetch.From, fetch.BytesMax);
        }
        catch (WalCorruptException e)
        {
            // Never served, and remembered: what is damaged could look like a torn tail at the next start.
            directory.RememberDamage();
            throw new IOException($"{e.Message} The next start repairs the log.", e);
        }

        post(new Fetched(fetch.Peer, entries as LogEntry[] ?? [.. entries]));
    });

    public void Read(ReadChunk read) => Add(() =>
    {
        var data = store.ReadRaw(read.Snapshot, read.Offset, read.BytesMax);
        post(new ChunkRead(read.Peer, read.Snapshot, read.Offset, data));
    });

    public void Write(WriteChunk write) => Add(() => Store(write));

    public void PrepareSegment()
    {
        lock (_lock)
        {
            if (_isSegmentQueued || (_segmentFailedAt != 0 && time.GetElapsedTime(_segmentFailedAt) < SegmentRetry))
            {
                return;
            }

            _isSegmentQueued = true;
        }

        Add(MakeSegment);
    }

    /// <summary>Writes the capture as a durable snapshot and reports it.</summary>
    public void Take(KvCapture capture, EntryId lastIncluded, Membership membership) => Add(() =>
    {
        using (capture)
        {
            try
            {
                Write(capture, lastIncluded, membership);
            }
            catch (IOException e) when (e.HResult is NoSpace or QuotaExceeded)
            {
                // The previous snapshot and the whole log are still there: nothing is lost but room.
                Log.SnapshotFailed(logger, e.Message);
                compactor.OnFailed(e);
            }
        }
    });

    public void Turn()
    {
        while (true)
        {
            Action job;
            lock (_lock)
            {
                if (!_jobs.TryDequeue(out job!))
                {
                    return;
                }
            }

            job();
        }
    }

    private void MakeSegment()
    {
        long failedAt = 0;
        try
        {
            wal.PrepareNextSegment();
        }
        catch (IOException e) when (e.HResult is NoSpace or QuotaExceeded)
        {
            // The segment in use still has room; only when that ends too must the node stop.
            Log.NoSegment(logger, e.Message);
            failedAt = time.GetTimestamp();
        }

        lock (_lock)
        {
            _isSegmentQueued = false;
            _segmentFailedAt = failedAt;
        }
    }

    private void Write(KvCapture capture, EntryId lastIncluded, Membership membership)
    {
        SnapshotDescriptor descriptor;
        using (var writer = store.Create(lastIncluded, membership))
        {
            capture.WriteTo(writer.Write);
            descriptor = writer.Publish();
        }

        store.DeleteOld();
        metrics.SnapshotsTaken++;
        Log.SnapshotTaken(logger, lastIncluded.ToString(), descriptor.Length);
        post(new SnapshotTaken(descriptor));
        compactor.OnTaken(descriptor);
    }

    private void Store(WriteChunk write)
    {
        var next = write.Data.Length > 0
            ? store.Receive(write.Snapshot, write.Offset, write.Data.Span)
            : store.ReceivedLength(write.Snapshot);
        if (next < write.Snapshot.Length)
        {
            post(new ChunkWritten(write.From, write.Snapshot, next));
        }
        else if (store.TryPublishReceived(write.Snapshot))
        {
            store.DeleteOld();
            install(write.Snapshot);
        }
        else
        {
            post(new ChunkWritten(write.From, write.Snapshot, 0));
        }
    }

    private void Add(Action job)
    {
        lock (_lock)
        {
            _jobs.Enqueue(job);
        }
    }
}
