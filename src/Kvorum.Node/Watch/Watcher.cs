using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>
/// What one watcher has been told and what waits for it. Its events come in order, each once, whole revisions at a
/// time, and none is left out, however slow it is: one that falls behind reads on from the store.
/// </summary>
public sealed class Watcher : IDisposable
{
    private readonly WatchHub _hub;
    private readonly Action<Watcher> _onReady;

    internal Watcher(WatchHub hub, WatchOptions options, Action<Watcher> onReady, long madeAtRevision)
    {
        _hub = hub;
        _onReady = onReady;
        Options = options;
        MadeAtRevision = madeAtRevision;
    }

    public WatchOptions Options { get; }

    /// <summary>
    /// The revision this node had applied when it began: one without a start is told what comes after it.
    /// </summary>
    public long MadeAtRevision { get; }

    /// <summary>Whoever made it may hang something on it.</summary>
    public object? Owner { get; set; }

    /// <summary>Every event below this revision was handed over, or is queued. Under the hub's lock.</summary>
    internal long Next { get; set; }

    /// <summary>Every event up to this revision was handed over when the watcher last read from the store.</summary>
    internal long Taken { get; set; }

    /// <summary>Its owner has been here before.</summary>
    internal bool HasTaken { get; set; }

    /// <summary>It is in the hub's index, and new events are put into its queue.</summary>
    internal bool IsSynced { get; set; }

    internal bool IsClosed { get; set; }

    internal Queue<KeyEvent>? Queued { get; set; }

    internal bool IsReady { get; private set; }

    /// <summary>
    /// Takes the next events, when there are some; after it the watcher is told again when there are more. One caller
    /// at a time, any thread.
    /// </summary>
    /// <param name="events">Receives them.</param>
    /// <returns>What there is to say beside them.</returns>
    public WatchProgress Take(List<KeyEvent> events) => _hub.Take(this, events);

    /// <summary>Every event up to this revision was taken, as of now. Any thread.</summary>
    public long CurrentRevision => _hub.CurrentRevision(this);

    /// <summary>Ends it: nothing more comes. Any thread.</summary>
    public void Dispose() => _hub.Remove(this);

    /// <summary>Does this event concern it? Its range is known to fit.</summary>
    internal bool Wants(KeyEvent happened) =>
        happened.Revision >= Next && !(happened.IsDelete ? Options.SkipsDeletes : Options.SkipsPuts);

    /// <summary>Tells its owner, once until it is taken from. Under the hub's lock.</summary>
    internal void Tell()
    {
        if (!IsReady && !IsClosed)
        {
            IsReady = true;
            _onReady(this);
        }
    }

    internal void BeginTake() => IsReady = false;
}

/// <summary>How far a watcher is.</summary>
/// <param name="Revision">Every event up to it has been handed over.</param>
/// <param name="IsCurrent">Nothing waits: it has what this node has applied.</param>
/// <param name="CompactedRevision">
/// Not 0: what it still needed is compacted up to here; the watcher has ended.
/// </param>
public readonly record struct WatchProgress(long Revision, bool IsCurrent, long CompactedRevision);
