using Kvorum.Raft;
using Kvorum.Storage;

namespace Kvorum.Node;

/// <summary>
/// Takes the replica's writes in order, makes all that wait durable with one sync, lets the messages out that had to
/// wait for it, and reports <see cref="Persisted"/>. A failed sync ends the node: nothing is retried, nothing
/// acknowledged.
/// </summary>
internal sealed class LogWriter
{
    private readonly Lock _lock = new();
    private readonly GroupId _group;
    /// <summary>How long to wait before asking a full disk for room again.</summary>
    private static readonly TimeSpan RoomRetry = TimeSpan.FromSeconds(2);

    private readonly Wal _wal;
    private readonly LogRoom _room;
    private readonly SyncClock _syncs;
    private readonly Outbox _outbox;
    private readonly TimeProvider _time;
    private readonly NodeMetrics _metrics;
    private readonly Action<Input> _post;
    private readonly Action _prepareSegment;
    private Work _next = new();
    private Work _current = new();
    private Stage _stage;
    private long _heldAt;
    private volatile bool _isHolding;

    public LogWriter(
        GroupId group, Wal wal, LogRoom room, SyncClock syncs, Outbox outbox, TimeProvider time, NodeMetrics metrics,
        Action<Input> post, Action prepareSegment)
    {
        _group = group;
        _wal = wal;
        _room = room;
        _syncs = syncs;
        _outbox = outbox;
        _time = time;
        _metrics = metrics;
        _post = post;
        _prepareSegment = prepareSegment;
    }

    /// <summary>Null in a live node.</summary>
    public ReplicaObserver? Observer { get; init; }

    /// <summary>Something waits for room on the disk: a turn from time to time tries again.</summary>
    public bool IsHolding => _isHolding;

    /// <summary>Copies what a step wants written and sent afterwards. Replica thread.</summary>
    public void Add(Effects effects)
    {
        lock (_lock)
        {
            var work = _next;
            if (effects.HardState is { } hardState)
            {
                work.Parts.Add(new Part(PartKind.HardState, hardState, default, 0, 0));
            }

            if (effects.LogStart is { } logStart)
            {
                work.Parts.Add(new Part(PartKind.Reset, default, logStart, 0, 0));
            }

            if (effects.Append.Count > 0)
            {
                work.Parts.Add(new Part(PartKind.Entries, default, default, work.Entries.Count, effects.Append.Count));
                work.Entries.AddRange(effects.Append);
                var bytes = LogCompactor.BytesOf(effects.Append);
                work.Bytes += bytes;
                _room.OnQueued(bytes);
            }

            work.Messages.AddRange(effects.SendAfterSync);
            if (effects.Write > work.Last)
            {
                work.Last = effects.Write;
            }
        }
    }

    /// <summary>The log up to <paramref name="kept"/> is covered by a durable snapshot. Replica thread.</summary>
    public void Cut(EntryId kept)
    {
        lock (_lock)
        {
            _next.Cut = kept;
        }
    }

    /// <summary>Writes, syncs once, sends, reports. Returns when nothing waits, or no room is left.</summary>
    public void Turn()
    {
        while (true)
        {
            if (!_isHolding)
            {
                lock (_lock)
                {
                    if (_next.IsEmpty)
                    {
                        return;
                    }

                    (_current, _next) = (_next, _current);
                }

                _stage = Stage.Append;
            }
            else if (_time.GetElapsedTime(_heldAt) < RoomRetry)
            {
                return;
            }

            if (!TryFinish(_current))
            {
                return;
            }

            _current.Clear();
        }
    }

    /// <summary>
    /// Does what is left to do. False: the disk is full. Nothing of this stage happened then, and the work is held:
    /// nobody hears that it is durable, and what comes later waits behind it.
    /// </summary>
    private bool TryFinish(Work work)
    {
        try
        {
            if (_stage is Stage.Append)
            {
                Append(work);
                _stage = Stage.Sync;
            }

            if (_stage is Stage.Sync)
            {
                Sync(work);
                _stage = Stage.Cut;
            }

            if (work.Cut is { } kept)
            {
                _wal.CutBefore(_group, kept);
            }

            _isHolding = false;
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            _room.OnFull();
            _heldAt = _time.GetTimestamp();
            _isHolding = true;
        }

        if (_wal.NeedsNextSegment)
        {
            _prepareSegment();
        }

        return !_isHolding;
    }

    private void Append(Work work)
    {
        var entries = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(work.Entries);
        foreach (var part in work.Parts)
        {
            switch (part.Kind)
            {
                case PartKind.HardState: _wal.Append(_group, part.HardState); break;
                case PartKind.Reset: _wal.AppendReset(_group, part.LogStart); break;
                case PartKind.Entries: _wal.Append(_group, entries.Slice(part.First, part.Count)); break;
                default: throw new System.Diagnostics.UnreachableException();
            }
        }
    }

    private void Sync(Work work)
    {
        if (work.Parts.Count > 0)
        {
            _syncs.Begin();
            try
            {
                _wal.Sync();
            }
            finally
            {
                _metrics.Sync.Record((long)_syncs.End().TotalMicroseconds);
            }

            _room.OnWritten(work.Bytes, _wal.BytesAvailable);
            Observer?.Synced(work.Last);
        }

        _outbox.Send(work.Messages);
        if (work.Last != WriteId.None)
        {
            _post(new Persisted(work.Last));
        }
    }

    private enum Stage
    {
        Append,
        Sync,
        Cut,
    }

    private enum PartKind
    {
        HardState,
        Reset,
        Entries,
    }

    private readonly record struct Part(PartKind Kind, HardState HardState, EntryId LogStart, int First, int Count);

    private sealed class Work
    {
        public readonly List<Part> Parts = [];
        public readonly List<LogEntry> Entries = [];
        public readonly List<Message> Messages = [];
        public WriteId Last;
        public long Bytes;
        public EntryId? Cut;

        public bool IsEmpty => Parts.Count == 0 && Messages.Count == 0 && Last == WriteId.None && Cut is null;

        public void Clear()
        {
            Parts.Clear();
            Entries.Clear();
            Messages.Clear();
            Last = WriteId.None;
            Bytes = 0;
            Cut = null;
        }
    }
}
