using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>The newest events, in order, as many as the limits allow. Not thread-safe.</summary>
internal sealed class EventRing(int eventsMax, long bytesMax)
{
    private readonly Queue<KeyEvent> _events = new();
    private long _bytes;

    /// <summary>Every event from this revision on is here.</summary>
    public long FirstRevision { get; private set; } = 1;

    public IEnumerable<KeyEvent> Events => _events;

    public void Add(KeyEvent happened)
    {
        _events.Enqueue(happened);
        _bytes += happened.Bytes;
        while (_events.Count > eventsMax || (_bytes > bytesMax && _events.Count > 1))
        {
            var oldest = _events.Dequeue();
            _bytes -= oldest.Bytes;
            FirstRevision = oldest.Revision + 1; // The rest of its revision is of no use any more.
        }
    }

    /// <summary>Forgets everything; the next event is of <paramref name="revision"/> or later.</summary>
    public void Reset(long revision)
    {
        _events.Clear();
        _bytes = 0;
        FirstRevision = revision;
    }
}
