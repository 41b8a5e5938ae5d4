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
    private readonly Wal _wal;
    private readonly Outbox _outbox;
    private readonly TimeProvider _time;
    private readonly NodeMetrics _metrics;
    private readonly Action<Input> _post;
    private readonly Action _prepareSegment;
    private Work _next = new();
    private Work _current = new();

    public LogWriter(
        GroupId group, Wal wal, Outbox outbox, TimeProvider time, NodeMetrics metrics, Action<Input> post, Action prepareSegment)
    {
        _group = group;
        _wal = wal;
        _outbox = outbox;
        _time = time;
        _metrics = metrics;
        _post = post;
        _prepareSegment = prepareSegment;
    }

    /// <summary>Null in a live node.</summary>
    public ReplicaObserver? Observer { get; init; }

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

    /// <summary>Writes, syncs once, sends, reports. Returns when nothing waits.</summary>
    public void Turn()
    {
        while (true)
        {
            lock (_lock)
            {
                if (_next.IsEmpty)
                {
                    return;
                }

                (_current, _next) = (_next, _current);
            }

            Write(_current);
            _current.Clear();
        }
    }

    private void Write(Work work)
    {
        if (work.Parts.Count > 0)
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

            var start = _time.GetTimestamp();
            _wal.Sync();
            _metrics.Sync.Record((long)_time.GetElapsedTime(start).TotalMicroseconds);
            Observer?.Synced(work.Last);
        }

        _outbox.Send(work.Messages);
        if (work.Last != WriteId.None)
        {
            _post(new Persisted(work.Last));
        }

        if (work.Cut is { } kept)
        {
            _wal.CutBefore(_group, kept);
        }

        if (_wal.NeedsNextSegment)
        {
            _prepareSegment();
        }
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
        public EntryId? Cut;

        public bool IsEmpty => Parts.Count == 0 && Messages.Count == 0 && Last == WriteId.None && Cut is null;

        public void Clear()
        {
            Parts.Clear();
            Entries.Clear();
            Messages.Clear();
            Last = WriteId.None;
            Cut = null;
        }
    }
}
