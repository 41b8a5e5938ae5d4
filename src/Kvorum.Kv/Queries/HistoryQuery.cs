namespace Kvorum.Kv;

/// <summary>One change of a key, as a watcher is told.</summary>
/// <param name="Row">The key as written; after a delete its key and the revision of the delete, nothing else.</param>
public sealed record KeyEvent(KeyValue Row, bool IsDelete)
{
    /// <summary>The revision at which it happened.</summary>
    public long Revision => Row.ModRevision;

    /// <summary>What it weighs, about: its key, its value and what is around them.</summary>
    public int Bytes => Row.Key.Length + Row.Value.Length + 128;

    /// <summary>A copy of a stored row.</summary>
    public static KeyEvent Of(in Row row) => row.Header.IsTombstone
        ? new KeyEvent(new KeyValue(row.Key.ToArray(), [], 0, row.Header.Mod.Main, 0, 0), IsDelete: true)
        : new KeyEvent(KeyValue.Of(row, row.Value.ToArray()), IsDelete: false);
}

/// <summary>Changes of a range since a revision, read from the store, oldest first.</summary>
/// <param name="RangeEnd">As in <see cref="RangeQuery"/>.</param>
/// <param name="FromRevision">The first revision wanted.</param>
public sealed record HistoryQuery(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> RangeEnd, long FromRevision)
{
    /// <summary>The most bytes of events read at once, 16 MiB; one revision is never cut, however large.</summary>
    public const int BytesMax = 16 << 20;

    /// <summary>Runs on a view, on any thread.</summary>
    /// <returns>
    /// The events in the order in which they happened, and the revision up to which they are complete; null when a
    /// part of what is wanted is compacted.
    /// </returns>
    public HistoryResult? Execute(IEngineView view, int bytesMax = BytesMax)
    {
        if (FromRevision < view.CompactedRevision)
        {
            return null;
        }

        var visitor = new Visitor(bytesMax);
        if (RangeEnd.IsEmpty)
        {
            view.ScanHistory(KeyRange.Between(Key.Span, [.. Key.Span, 0]), FromRevision, ref visitor);
        }
        else
        {
            view.ScanHistory(Ranges.Of(Key.Span, RangeEnd.Span), FromRevision, ref visitor);
        }

        return visitor.ToResult(view.Revision);
    }

    /// <summary>
    /// Rows come by key, events leave by revision. When there are more than fit, the newest revisions are thrown out,
    /// so that what is kept is complete from the start.
    /// </summary>
    private struct Visitor(int bytesMax) : IRowVisitor
    {
        private readonly List<(KeyEvent Event, int Sub)> _events = [];
        private long _bytes;
        private long _cutAbove = 2L * bytesMax;
        private long _cutFrom = long.MaxValue;

        public bool Visit(in Row row)
        {
            if (row.Header.Mod.Main >= _cutFrom)
            {
                return true;
            }

            var found = KeyEvent.Of(row);
            _events.Add((found, row.Header.Mod.Sub));
            _bytes += found.Bytes;
            if (_bytes > _cutAbove)
            {
                Cut();
            }

            return true;
        }

        public HistoryResult ToResult(long viewRevision)
        {
            Cut();
            var events = new KeyEvent[_events.Count];
            for (var i = 0; i < events.Length; i++)
            {
                events[i] = _events[i].Event;
            }

            return new HistoryResult(events, _cutFrom == long.MaxValue ? viewRevision : _cutFrom - 1);
        }

        private void Cut()
        {
            _events.Sort(static (a, b) => a.Event.Revision != b.Event.Revision
                ? a.Event.Revision.CompareTo(b.Event.Revision)
                : a.Sub.CompareTo(b.Sub));
            long bytes = 0;
            for (var i = 0; i < _events.Count; i++)
            {
                bytes += _events[i].Event.Bytes;
                if (bytes <= bytesMax || _events[i].Event.Revision == _events[0].Event.Revision)
                {
                    continue;
                }

                // The revision in which it becomes too much goes as a whole.
                _cutFrom = _events[i].Event.Revision;
                var from = i;
                while (_events[from - 1].Event.Revision == _cutFrom)
                {
                    bytes -= _events[from].Event.Bytes;
                    from--;
                }

                bytes -= _events[from].Event.Bytes;
                _events.RemoveRange(from, _events.Count - from);
                break;
            }

            // One revision may be larger than all that fits: it is not sorted again for each of its rows.
            _bytes = bytes;
            _cutAbove = Math.Max(2L * bytesMax, 2 * bytes);
        }
    }
}

/// <summary>What <see cref="HistoryQuery"/> found.</summary>
/// <param name="CompleteTo">No event up to this revision is missing.</param>
public sealed record HistoryResult(IReadOnlyList<KeyEvent> Events, long CompleteTo);
