namespace Kvorum.Node;

/// <summary>Which watchers an event concerns: by key for those of one key, by a tree of intervals for ranges.</summary>
internal sealed class WatcherIndex
{
    private readonly SortedDictionary<ReadOnlyMemory<byte>, List<Watcher>> _byKey = new(KeyOrder.Instance);
    private readonly List<Watcher> _ranges = [];
    private Watcher[] _sorted = [];
    private Watcher?[] _farthest = [];
    private bool _isStale;

    public int Count { get; private set; }

    public void Add(Watcher watcher)
    {
        Count++;
        if (!watcher.Options.RangeEnd.IsEmpty)
        {
            _ranges.Add(watcher);
            _isStale = true;
            return;
        }

        if (!_byKey.TryGetValue(watcher.Options.Key, out var same))
        {
            _byKey.Add(watcher.Options.Key, same = new List<Watcher>(1));
        }

        same.Add(watcher);
    }

    public void Remove(Watcher watcher)
    {
        Count--;
        if (!watcher.Options.RangeEnd.IsEmpty)
        {
            _ranges.Remove(watcher);
            _isStale = true;
            return;
        }

        var same = _byKey[watcher.Options.Key];
        same.Remove(watcher);
        if (same.Count == 0)
        {
            _byKey.Remove(watcher.Options.Key);
        }
    }

    /// <summary>Gathers all watchers.</summary>
    public void CopyTo(List<Watcher> all)
    {
        all.AddRange(_ranges);
        foreach (var same in _byKey.Values)
        {
            all.AddRange(same);
        }
    }

    /// <summary>Gathers the watchers whose key or range this key is.</summary>
    public void Find(ReadOnlyMemory<byte> key, List<Watcher> found)
    {
        if (_byKey.TryGetValue(key, out var same))
        {
            found.AddRange(same);
        }

        if (_isStale)
        {
            Build();
        }

        Find(0, _sorted.Length, key.Span, found);
    }

    private static bool IsUnbounded(Watcher watcher) => watcher.Options.RangeEnd.Span is [0];

    private static bool EndsAfter(Watcher watcher, ReadOnlySpan<byte> key) =>
        IsUnbounded(watcher) || key.SequenceCompareTo(watcher.Options.RangeEnd.Span) < 0;

    /// <summary>
    /// The ranges by start; the middle one of each stretch stands for it and knows the farthest end in it, so that a
    /// stretch that ends before a key is passed over.
    /// </summary>
    private void Build()
    {
        _sorted = [.. _ranges];
        Array.Sort(_sorted, static (a, b) => a.Options.Key.Span.SequenceCompareTo(b.Options.Key.Span));
        _farthest = new Watcher?[_sorted.Length];
        Build(0, _sorted.Length);
        _isStale = false;
    }

    private Watcher? Build(int from, int to)
    {
        if (from >= to)
        {
            return null;
        }

        var middle = (from + to) / 2;
        return _farthest[middle] = Farther(Farther(Build(from, middle), Build(middle + 1, to)), _sorted[middle]);
    }

    /// <summary>The one of two whose range ends later.</summary>
    private static Watcher? Farther(Watcher? a, Watcher? b)
    {
        if (a is null || b is null)
        {
            return a ?? b;
        }

        var endsLater = IsUnbounded(a)
            || (!IsUnbounded(b) && a.Options.RangeEnd.Span.SequenceCompareTo(b.Options.RangeEnd.Span) >= 0);
        return endsLater ? a : b;
    }

    private void Find(int from, int to, ReadOnlySpan<byte> key, List<Watcher> found)
    {
        if (from >= to)
        {
            return;
        }

        var middle = (from + to) / 2;
        if (_farthest[middle] is not { } farthest || !EndsAfter(farthest, key))
        {
            return;
        }

        Find(from, middle, key, found);
        var watcher = _sorted[middle];
        if (watcher.Options.Key.Span.SequenceCompareTo(key) <= 0)
        {
            if (EndsAfter(watcher, key))
            {
                found.Add(watcher);
            }

            Find(middle + 1, to, key, found);
        }
    }

    private sealed class KeyOrder : IComparer<ReadOnlyMemory<byte>>
    {
        public static readonly KeyOrder Instance = new();

        public int Compare(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceCompareTo(y.Span);
    }
}
