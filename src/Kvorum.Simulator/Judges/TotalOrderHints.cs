namespace Kvorum.Simulator;

/// <summary>
/// What reads tell about where unknown operations took effect. It only rules out what a replay would find impossible
/// later, so that the search rarely goes wrong; the replay decides.
/// </summary>
internal sealed class TotalOrderHints
{
    private readonly TotalOrder _order;
    private readonly WriterTable _writers;
    private readonly Dictionary<int, long> _revisionOf = [];
    private readonly Dictionary<long, int> _placeAt = [];
    private readonly List<Span>[] _unchanged;
    private readonly long[] _deadlines;
    private readonly long[] _claimed;
    private readonly KeyParts _parts;
    private readonly Dictionary<int, Span> _demands = [];
    private readonly Dictionary<int, Span> _windows = [];
    private readonly HashSet<(int Key, int List)> _walked = [];
    private readonly int[][] _valuesBefore;

    public TotalOrderHints(TotalOrder order)
    {
        _order = order;
        _writers = new WriterTable(order);
        _unchanged = new List<Span>[order.Compiled.KeyCount];
        _valuesBefore = new int[order.Compiled.KeyCount][];
        _deadlines = new long[order.Placed.Length];
        _claimed = [.. order.Placed.Where(place => order.Changes[place] == ChangeKind.Sure)
            .Select(place => order[place].Revision)];
        _parts = new KeyParts(order);
        if (order.Unknown.Length == 0)
        {
            return;
        }

        for (var key = 0; key < _unchanged.Length; key++)
        {
            _unchanged[key] = [];
        }

        foreach (var place in order.Placed)
        {
            Gather(place);
        }

        foreach (var place in order.Placed)
        {
            WalkLists(place);
        }

        foreach (var spans in _unchanged)
        {
            spans.Sort();
            for (var i = 1; i < spans.Count; i++)
            {
                spans[i] = spans[i] with { To = Math.Max(spans[i].To, spans[i - 1].To) };
            }
        }

        var earliest = long.MaxValue;
        for (var i = _deadlines.Length - 1; i >= 0; i--)
        {
            var operation = order[order.Placed[i]];
            earliest = operation.IsLocal ? earliest : Math.Min(earliest, operation.Returned);
            _deadlines[i] = earliest;
        }
    }

    /// <summary>
    /// Asks each key alone which unknown operations it needs. A key that no choice explains is a violation for sure.
    /// </summary>
    /// <param name="stepsMax">Events looked at per key; a key that needs more is left to the replay.</param>
    public Verdict? FindUnexplainedKey(int stepsMax)
    {
        if (_order.Unknown.Length == 0)
        {
            return null;
        }

        for (var key = 0; key < _unchanged.Length; key++)
        {
            var found = new List<(int Place, long After, long UpTo)>();
            var search = new KeyOrder(_order, _parts.Placed(key), _parts.Unknown(key), MayChangeBetween);
            if (search.TrySolve(UnclaimedUpTo, stepsMax, found) == false)
            {
                return _order.Violation("lost write", $"Key {_order.Compiled.KeyText(key)}: at "
                    + $"{_order.Show(search.Blocked)} it is {_order.Compiled.Values.Show(search.BlockedValue)} by the "
                    + $"order of revisions, and no operation with unknown outcome explains the answer.",
                    search.Blocked);
            }

            _valuesBefore[key] = search.ValuesBefore;
            foreach (var (place, after, upTo) in found)
            {
                var demand = _demands.GetValueOrDefault(place, new Span(after, upTo));
                _demands[place] = new Span(Math.Max(demand.From, after), Math.Min(demand.To, upTo));
            }
        }

        return null;
    }

    /// <summary>Matches the revisions nobody claims with unknown operations, before any replay.</summary>
    public GapMatching Match()
    {
        var gaps = new List<(long Revision, bool IsOptional)>();
        if (_order.Unknown.Length > 0)
        {
            var deletes = _order.Placed.Where(place => _order.Changes[place] == ChangeKind.Maybe)
                .Select(place => _order[place].Revision)
                .ToHashSet();
            var claimed = _claimed.ToHashSet();
            for (var revision = _order.EmptyRevision + 1; revision <= _order.LastRevision; revision++)
            {
                if (!claimed.Contains(revision))
                {
                    gaps.Add((revision, deletes.Contains(revision)));
                }
            }
        }

        return new GapMatching(gaps, _order.Unknown.Length, revision => Unknown(revision, NextAt(revision), key =>
        {
            var at = _parts.EventAt(key, revision);
            return at < _valuesBefore[key].Length ? _valuesBefore[key][at] : ValueTable.Absent;
        }));
    }

    /// <summary>
    /// The unknown operations that may have made a revision, likeliest first: those that reads or a key alone demand,
    /// then those nobody would have noticed, the latest invoked first, then the rest.
    /// </summary>
    /// <param name="next">The first placed operation at this revision or above.</param>
    /// <param name="valueOf">What is stored under a key just before it.</param>
    /// <param name="preferred">The best of those not demanded.</param>
    public List<int> Unknown(long revision, int next, Func<int, int> valueOf, int preferred = -1)
    {
        var deadline = next < _deadlines.Length ? _deadlines[next] : long.MaxValue;
        if (_placeAt.TryGetValue(revision, out var seen))
        {
            return _order[seen].Invoked <= deadline ? [seen] : [];
        }

        var demanded = new List<int>();
        var unnoticed = new List<int>();
        var rest = new List<int>();
        for (var i = _order.Unknown.Length - 1; i >= 0; i--)
        {
            var place = _order.Unknown[i];
            if (_order[place].Invoked > deadline || _revisionOf.ContainsKey(place) || !MayChangeAt(place, revision))
            {
                continue;
            }

            var isDemanded = _windows.TryGetValue(place, out var demand) || _demands.TryGetValue(place, out demand);
            var list = isDemanded && demand.From < revision && revision <= demand.To ? demanded
                : !isDemanded && _parts.GoesUnnoticed(place, revision, valueOf) ? unnoticed
                : rest;
            list.Add(place);
        }

        demanded.Sort((left, right) => DemandedUpTo(left).CompareTo(DemandedUpTo(right)));

        if (unnoticed.Remove(preferred) || rest.Remove(preferred))
        {
            unnoticed.Insert(0, preferred);
        }

        return [.. demanded, .. unnoticed, .. rest];

        long DemandedUpTo(int place) => (_windows.TryGetValue(place, out var span) ? span : _demands[place]).To;
    }

    private bool MayChangeBetween(int place, long after, long upTo)
    {
        if (_revisionOf.TryGetValue(place, out var revision))
        {
            return after < revision && revision <= upTo;
        }

        if (_windows.TryGetValue(place, out var window) && (upTo <= window.From || after >= window.To))
        {
            return false;
        }

        var next = NextAt(upTo);
        return next >= _deadlines.Length || _order[place].Invoked <= _deadlines[next];
    }

    /// <summary>The first placed operation at this revision or above.</summary>
    private int NextAt(long revision) =>
        LowerBound(_order.Placed.Length, at => _order[_order.Placed[at]].Revision >= revision);

    private long UnclaimedUpTo(long revision) =>
        revision - _order.EmptyRevision - LowerBound(_claimed.Length, at => _claimed[at] > revision);

    /// <summary>The first place from which on a rising condition holds.</summary>
    private static int LowerBound(int count, Func<int, bool> holds)
    {
        var low = 0;
        while (low < count)
        {
            var middle = (low + count) / 2;
            (low, count) = holds(middle) ? (low, middle) : (middle + 1, count);
        }

        return low;
    }

    private bool MayChangeAt(int place, long revision)
    {
        if (_windows.TryGetValue(place, out var window) && (revision <= window.From || revision > window.To))
        {
            return false;
        }

        foreach (var step in _order.Compiled.Steps(place))
        {
            if (step.Kind is StepKind.Write or StepKind.Append && IsUnchanged(step.Key, revision))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether a read shows that this revision did not change the key.</summary>
    private bool IsUnchanged(int key, long revision)
    {
        var spans = _unchanged[key];
        var low = 0;
        var high = spans.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = spans[middle].From < revision ? (middle + 1, high) : (low, middle);
        }

        return low > 0 && spans[low - 1].To >= revision;
    }

    private void Gather(int reader)
    {
        var operation = _order[reader];
        var steps = _order.Compiled.Steps(reader);
        for (var i = 0; i < steps.Length; i++)
        {
            var step = steps[i];
            if (!operation.Succeeded || step is not { Kind: StepKind.Read, IsSeen: true }
                || _writers.ReadsAt(reader, i) is not { } readAt)
            {
                continue;
            }

            if (step.SeenValue == ValueTable.Absent && !_writers.MayVanish(step.Key))
            {
                var vanished = _writers.LastChange(step.Key, readAt)?.Place;
                var from = vanished is { } place ? _order[place].Revision : _order.EmptyRevision;
                _unchanged[step.Key].Add(new Span(from, readAt));
            }
            else if (step.SeenValue != ValueTable.Absent && step.SeenRevision > 0)
            {
                _unchanged[step.Key].Add(new Span(step.SeenRevision, readAt));
                if (_writers.WriterOf(step.Key, step.SeenValue) is { } writer and >= 0
                    && _order.Changes[writer] == ChangeKind.None)
                {
                    _revisionOf[writer] = step.SeenRevision;
                    _placeAt[step.SeenRevision] = writer;
                }
            }
        }
    }

    private void WalkLists(int reader)
    {
        foreach (var step in _order.Compiled.Steps(reader))
        {
            if (_order[reader].Succeeded && step is { Kind: StepKind.Read, IsSeen: true })
            {
                WalkList(step.Key, step.SeenValue, _order[reader].Revision);
            }
        }
    }

    /// <summary>Items of unknown operations lie between the revisions of their neighbours in the list.</summary>
    private void WalkList(int key, int list, long readAt)
    {
        var values = _order.Compiled.Values;
        var upTo = readAt;
        var between = new List<int>();
        for (; values.Length(list) > 0 && (_walked.Add((key, list)) || between.Count > 0); list = values.Shorter(list))
        {
            if (_writers.WriterOf(key, list) is not { } writer || writer < 0)
            {
                return;
            }

            var revision = _order.Changes[writer] == ChangeKind.None
                ? _revisionOf.GetValueOrDefault(writer)
                : _order[writer].Revision;
            if (revision == 0)
            {
                between.Add(writer);
                Narrow(writer, _order.EmptyRevision, upTo);
                continue;
            }

            upTo = Math.Min(upTo, revision - 1);
            between.ForEach(place => Narrow(place, revision, long.MaxValue));
            between.Clear();
        }
    }

    private void Narrow(int place, long after, long upTo)
    {
        var window = _windows.GetValueOrDefault(place, new Span(after, upTo));
        _windows[place] = new Span(Math.Max(window.From, after), Math.Min(window.To, upTo));
    }

    /// <summary>A key was the same after <paramref name="From"/> up to and including <paramref name="To"/>.</summary>
    private readonly record struct Span(long From, long To) : IComparable<Span>
    {
        public int CompareTo(Span other) => From != other.From ? From.CompareTo(other.From) : To.CompareTo(other.To);
    }
}
