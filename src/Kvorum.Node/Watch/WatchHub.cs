using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>
/// Hands what the state machine wrote to those who watch. The applier puts new events in, a worker of its own finds who
/// wants them, the watchers' owners take them.
/// </summary>
/// <remarks>
/// There is one list of recent events for all. A watcher that keeps up has a short queue into which the worker puts
/// references; one that is new, or whose queue was full, is not in the index and reads from the store until what it
/// lacks is among the recent events, where it joins without a gap. So a slow one costs the others nothing, and memory
/// does not grow with what it has missed. While nobody watches, no event is made.
/// </remarks>
internal sealed class WatchHub
{
    private readonly Lock _lock = new();
    private readonly EventRing _recent;
    private readonly WatcherIndex _index = new();
    private readonly IEngine _engine;
    private readonly ReadableEngine _readable;
    private readonly List<Watcher> _found = [];

    /// <summary>Watchers that have all there is, and wait until events are kept.</summary>
    private readonly List<Watcher> _waiting = [];

    private readonly List<KeyEvent> _staged = [];
    private List<KeyEvent> _published = [];
    private List<KeyEvent> _matching = [];
    private long _publishedRevision;
    private long _matchedRevision;
    private int _watchers;
    private bool _isKeeping;

    public WatchHub(IEngine engine, ReadableEngine readable, int recentEventsMax = WatchLimits.RecentEventsMax)
    {
        _recent = new EventRing(recentEventsMax, WatchLimits.RecentBytesMax);
        _engine = engine;
        _readable = readable;
    }

    /// <summary>Events that wait for one watcher before it has to read on from the store.</summary>
    public int QueuedEventsMax { get; init; } = WatchLimits.QueuedEventsMax;

    /// <summary>Wakes the applier, which begins to keep events when somebody watches.</summary>
    public Action WakeApplier { get; set; } = static () => { };

    /// <summary>Where the number of watchers is told.</summary>
    public NodeMetrics Metrics { get; init; } = new();

    /// <summary>Between two batches: is somebody interested in the next one? Applier thread.</summary>
    public bool BeginBatch(long revision)
    {
        lock (_lock)
        {
            if (_watchers > 0 && !_isKeeping)
            {
                _isKeeping = true;
                _publishedRevision = revision;
                _matchedRevision = revision;
                _recent.Reset(revision + 1);
                foreach (var watcher in _waiting)
                {
                    watcher.Tell();
                }

                _waiting.Clear();
            }
            else if (_watchers == 0 && _isKeeping)
            {
                _isKeeping = false;
                _published.Clear();
                _recent.Reset(revision + 1);
            }

            return _isKeeping;
        }
    }

    /// <summary>A row was written; nobody hears of it before it is published. Applier thread.</summary>
    public void Written(in Row row) => _staged.Add(KeyEvent.Of(row));

    /// <summary>All that was written is visible to readers now. Applier thread.</summary>
    public void Publish(long revision)
    {
        lock (_lock)
        {
            _published.AddRange(_staged);
            _publishedRevision = revision;
        }

        _staged.Clear();
    }

    /// <summary>
    /// The state was replaced by a snapshot's: what lies between is in the store only. Applier thread.
    /// </summary>
    public void Restored(long revision)
    {
        _staged.Clear();
        lock (_lock)
        {
            _found.Clear();
            _index.CopyTo(_found);
            foreach (var watcher in _found)
            {
                FallBehind(watcher);
            }

            _published.Clear();
            _publishedRevision = revision;
            _matchedRevision = revision;
            _recent.Reset(revision + 1);
        }
    }

    /// <summary>Gives the published events to those who want them. Worker thread.</summary>
    public void Turn()
    {
        lock (_lock)
        {
            (_matching, _published) = (_published, _matching);
            foreach (var happened in _matching)
            {
                _recent.Add(happened);
                _found.Clear();
                _index.Find(happened.Row.Key, _found);
                foreach (var watcher in _found)
                {
                    Give(watcher, happened);
                }
            }

            _matching.Clear();
            _matchedRevision = _publishedRevision;
        }
    }

    /// <summary>Begins a watcher; its owner hears when there is something for it.</summary>
    public Watcher Add(WatchOptions options, Action<Watcher> onReady)
    {
        var applied = _engine.Revision;
        var watcher = new Watcher(this, options, onReady, applied)
        {
            Next = options.StartRevision > 0 && !(NodeMutants.FutureWatchTellsOld && options.StartRevision > applied)
                ? options.StartRevision
                : applied + 1,
        };
        lock (_lock)
        {
            _watchers++;
            Volatile.Write(ref Metrics.Watchers, _watchers);
            watcher.Tell();
            if (_isKeeping)
            {
                return watcher;
            }
        }

        WakeApplier();
        return watcher;
    }

    public void Remove(Watcher watcher)
    {
        lock (_lock)
        {
            if (watcher.IsClosed)
            {
                return;
            }

            watcher.IsClosed = true;
            watcher.Queued = null;
            _waiting.Remove(watcher);
            if (watcher.IsSynced)
            {
                _index.Remove(watcher);
            }

            _watchers--;
            Volatile.Write(ref Metrics.Watchers, _watchers);
        }
    }

    public long CurrentRevision(Watcher watcher)
    {
        lock (_lock)
        {
            return watcher.Queued is { Count: > 0 } queued ? queued.Peek().Revision - 1
                : watcher.IsSynced ? Math.Max(_matchedRevision, watcher.Taken)
                : watcher.Taken;
        }
    }

    public WatchProgress Take(Watcher watcher, List<KeyEvent> events)
    {
        lock (_lock)
        {
            watcher.BeginTake();
            if (watcher.IsClosed)
            {
                return default;
            }

            // What it begins with may be among the recent events still; that it is compacted counts all the same.
            if (!watcher.HasTaken && watcher.Next < _engine.CompactedRevision)
            {
                return new WatchProgress(0, IsCurrent: false, _engine.CompactedRevision);
            }

            watcher.HasTaken = true;

            if (!watcher.IsSynced && _isKeeping && watcher.Next >= _recent.FirstRevision)
            {
                Join(watcher);
            }

            if (watcher.IsSynced)
            {
                return TakeQueued(watcher, events);
            }
        }

        return ReadHistory(watcher, events);
    }

    private WatchProgress TakeQueued(Watcher watcher, List<KeyEvent> events)
    {
        var bytes = 0;
        while (watcher.Queued is { Count: > 0 } queued)
        {
            var next = queued.Peek();
            if (bytes > 0 && bytes + next.Bytes > WatchLimits.BatchBytesMax && next.Revision != events[^1].Revision)
            {
                watcher.Tell();
                return new WatchProgress(next.Revision - 1, IsCurrent: false, 0);
            }

            events.Add(queued.Dequeue());
            bytes += next.Bytes;
        }

        watcher.Queued = null;
        return new WatchProgress(
            NodeMutants.ProgressAhead ? _publishedRevision : _matchedRevision, IsCurrent: true, 0);
    }

    /// <summary>
    /// All that the watcher lacks is among the recent events, or still to come: from now on it is given events.
    /// </summary>
    private void Join(Watcher watcher)
    {
        watcher.IsSynced = true;
        _index.Add(watcher);
        var (key, end) = (watcher.Options.Key, watcher.Options.RangeEnd);
        foreach (var happened in _recent.Events)
        {
            if (watcher.IsSynced && RangeQuery.Contains(key.Span, end.Span, happened.Row.Key))
            {
                Give(watcher, happened);
            }
        }
    }

    private WatchProgress ReadHistory(Watcher watcher, List<KeyEvent> events)
    {
        using var view = _readable.TryOpenView();
        if (view is null)
        {
            return default; // The node is stopping.
        }

        var query = new HistoryQuery(watcher.Options.Key, watcher.Options.RangeEnd, watcher.Next);
        if (query.Execute(view, WatchLimits.BatchBytesMax) is not { } found)
        {
            return new WatchProgress(0, IsCurrent: false, view.CompactedRevision);
        }

        foreach (var happened in found.Events)
        {
            if (watcher.Wants(happened))
            {
                events.Add(happened);
            }
        }

        lock (_lock)
        {
            watcher.Next = Math.Max(watcher.Next, found.CompleteTo + 1);
            watcher.Taken = found.CompleteTo;
            if (_isKeeping || found.CompleteTo < view.Revision)
            {
                watcher.Tell(); // There is more, or it joins the others.
            }
            else if (!watcher.IsClosed)
            {
                _waiting.Add(watcher);
            }
        }

        return new WatchProgress(found.CompleteTo, IsCurrent: false, 0);
    }

    private void Give(Watcher watcher, KeyEvent happened)
    {
        if (!watcher.Wants(happened))
        {
            return;
        }

        watcher.Queued ??= new Queue<KeyEvent>();
        if (watcher.Queued.Count >= QueuedEventsMax
            && watcher.Queued.Peek().Revision != happened.Revision)
        {
            FallBehind(watcher);
            return;
        }

        watcher.Queued.Enqueue(happened);
        watcher.Tell();
    }

    /// <summary>
    /// What waits for it is dropped: it reads that from the store, from the first revision it has not taken on.
    /// </summary>
    private void FallBehind(Watcher watcher)
    {
        var first = watcher.Queued is { Count: > 0 } queued ? queued.Peek().Revision : _matchedRevision + 1;
        first = NodeMutants.SlowWatcherLoses ? _matchedRevision + 1 : first;
        watcher.Next = NodeMutants.WatchRepeats ? first - 1 : Math.Max(watcher.Next, first);
        watcher.Queued = null;
        watcher.IsSynced = false;
        _index.Remove(watcher);
        watcher.Tell();
    }
}
