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
/// The queue is bounded by what asks: the core has one fetch and a window of chunks per peer under way, the compactor
/// one snapshot, the log one segment. Nothing damaged is handed on, and running out of room costs only the attempt.
/// </remarks>
internal sealed class SnapshotWorker(
    GroupId group, NodeRecovery files, SnapshotPace pace, LogRoom room, NodeMetrics metrics, Action<Input> post,
    Action<SnapshotDescriptor> install, LogCompactor compactor, TimeProvider time, ILogger logger)
{
    /// <summary>How long to wait before asking a full disk for room again.</summary>
    private static readonly TimeSpan RoomRetry = TimeSpan.FromSeconds(2);

    /// <summary>A transfer of which nothing was asked for this long keeps no file.</summary>
    private static readonly TimeSpan TransferIdleMax = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Named as sender of a chunk that could not be stored: nobody is answered, the leader asks again.
    /// </summary>
    private static NodeId Nobody => default;

    private readonly Lock _lock = new();
    private readonly Queue<Action> _jobs = new();
    private readonly List<ReadChunk> _deferred = [];
    private volatile bool _hasDeferred;
    private bool _isSegmentQueued;
    private long? _segmentFailedAt;
    private long? _receiveFailedAt;
    private SnapshotDescriptor? _sending;
    private long _sentAt;

    /// <summary>Whether chunks wait for the pace to allow them.</summary>
    public bool HasDeferred => _hasDeferred;

    /// <summary>Asks for a snapshot of the state as it is, in place of one that turned out damaged.</summary>
    public Action RequestSnapshot { get; set; } = static () => { };

    public void Fetch(FetchEntries fetch) => Add(() =>
    {
        IReadOnlyList<LogEntry> entries;
        try
        {
            entries = files.Wal.Read(group, fetch.From, fetch.BytesMax);
        }
        catch (WalCorruptException e)
        {
            // Never served, and remembered: what is damaged could look like a torn tail at the next start.
            files.Directory.RememberDamage();
            throw new IOException($"{e.Message} The next start repairs the log.", e);
        }

        post(new Fetched(fetch.Peer, entries as LogEntry[] ?? [.. entries], fetch.Before));
    });

    public void Read(ReadChunk read) => Add(() =>
    {
        if (_deferred.Contains(read))
        {
            return; // Asked again because it took long; it keeps its place.
        }

        // Chunks are asked for in order: whoever goes back, or to another snapshot, asks for what follows again.
        _deferred.RemoveAll(other =>
            other.Peer == read.Peer && (other.Snapshot != read.Snapshot || other.Offset >= read.Offset));
        _deferred.Add(read);
        _hasDeferred = true;
    });

    public void Write(WriteChunk write) => Add(() => Store(write));

    public void PrepareSegment()
    {
        lock (_lock)
        {
            if (_isSegmentQueued || IsTooSoon(_segmentFailedAt))
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
            catch (IOException e) when (DiskErrors.IsFull(e))
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
                    break;
                }
            }

            job();
        }

        while (_deferred.Count > 0 && pace.IsFree)
        {
            var read = _deferred[0];
            _deferred.RemoveAt(0);
            Send(read);
        }

        _hasDeferred = _deferred.Count > 0;
    }

    private void Send(ReadChunk read)
    {
        byte[] data;
        try
        {
            data = files.Snapshots.ReadRaw(read.Snapshot, read.Offset, read.BytesMax);
        }
        catch (SnapshotCorruptException e)
        {
            // An empty chunk makes the leader offer its newest snapshot, which is soon another one.
            Log.SnapshotDamaged(logger, e.Message);
            files.Snapshots.SetAside(read.Snapshot);
            RequestSnapshot();
            data = [];
        }

        pace.Spend(data.Length);
        (_sending, _sentAt) = (read.Snapshot, time.GetTimestamp());
        post(new ChunkRead(read.Peer, read.Snapshot, read.Offset, data));
    }

    private void MakeSegment()
    {
        long? failedAt = null;
        try
        {
            files.Wal.PrepareNextSegment();
            room.OnRoom();
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            // The segment in use still has room; before it ends, writes are refused.
            if (!room.IsFull)
            {
                Log.NoSegment(logger, e.Message);
            }

            room.OnFull();
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
        using (var writer = files.Snapshots.Create(lastIncluded, membership))
        {
            capture.WriteTo(writer.Write);
            descriptor = writer.Publish();
        }

        DeleteOld();
        metrics.SnapshotsTaken++;
        Log.SnapshotTaken(logger, lastIncluded.ToString(), descriptor.Length);
        post(new SnapshotTaken(descriptor));
        compactor.OnTaken(descriptor);
    }

    private void Store(WriteChunk write)
    {
        if (IsTooSoon(_receiveFailedAt))
        {
            post(new ChunkWritten(Nobody, write.Snapshot, 0));
            return;
        }

        try
        {
            _receiveFailedAt = null;
            Receive(write);
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            Log.SnapshotNotReceived(logger, write.Snapshot.LastIncluded.ToString(), e.Message);
            files.Snapshots.DropReceived();
            _receiveFailedAt = time.GetTimestamp();
            post(new ChunkWritten(Nobody, write.Snapshot, 0));
        }
    }

    private void Receive(WriteChunk write)
    {
        var next = write.Data.Length > 0
            ? files.Snapshots.Receive(write.Snapshot, write.Offset, write.Data.Span)
            : files.Snapshots.ReceivedLength(write.Snapshot);
        if (next < write.Snapshot.Length)
        {
            post(new ChunkWritten(write.From, write.Snapshot, next));
        }
        else if (files.Snapshots.TryPublishReceived(write.Snapshot))
        {
            DeleteOld();
            install(write.Snapshot);
        }
        else
        {
            post(new ChunkWritten(write.From, write.Snapshot, 0));
        }
    }

    /// <summary>A file that a peer is being sent stays, so that its transfer can end: one at most.</summary>
    private void DeleteOld() =>
        files.Snapshots.DeleteOld(time.GetElapsedTime(_sentAt) < TransferIdleMax ? _sending : null);

    private bool IsTooSoon(long? failedAt) => failedAt is { } at && time.GetElapsedTime(at) < RoomRetry;

    private void Add(Action job)
    {
        lock (_lock)
        {
            _jobs.Enqueue(job);
        }
    }
}
