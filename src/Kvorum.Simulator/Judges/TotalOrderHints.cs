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

    public TotalOrderHints(TotalOrder order)
    {
        _order = order;
        _writers = new WriterTable(order);
        _unchanged = new List<Span>[order.Compiled.KeyCount];
        _deadlines = new long[order.Placed.Length];
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

    /// <summary>The unknown operations that may have made a revision, the latest invoked first.</summary>
    /// <param name="next">The first placed operation at this revision or above.</param>
    public IEnumerable<int> Unknown(long revision, int next, bool[] isUsed)
    {
        var deadline = next < _deadlines.Length ? _deadlines[next] : long.MaxValue;
        if (_placeAt.TryGetValue(revision, out var seen))
        {
            if (!isUsed[seen] && _order[seen].Invoked <= deadline)
            {
                yield return seen;
            }

            yield break;
        }

        for (var i = _order.Unknown.Length - 1; i >= 0; i--)
        {
            var place = _order.Unknown[i];
            if (!isUsed[place] && _order[place].Invoked <= deadline && !_revisionOf.ContainsKey(place)
                && MayChangeAt(place, revision))
            {
                yield return place;
            }
        }
    }

    private bool MayChangeAt(int place, long revision)
    {
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
        foreach (var step in _order.Compiled.Steps(reader))
        {
            if (!operation.Succeeded || step is not { Kind: StepKind.Read, IsSeen: true }
                || _writers.Changes(reader, step.Key))
            {
                continue;
            }

            if (step.SeenValue == ValueTable.Absent && !_writers.MayVanish(step.Key))
            {
                var vanished = _writers.LastChange(step.Key, operation.Revision)?.Place;
                var from = vanished is { } place ? _order[place].Revision : _order.EmptyRevision;
                _unchanged[step.Key].Add(new Span(from, operation.Revision));
            }
            else if (step.SeenValue != ValueTable.Absent && step.SeenRevision > 0)
            {
                _unchanged[step.Key].Add(new Span(step.SeenRevision, operation.Revision));
                if (_writers.WriterOf(step.Key, step.SeenValue) is { } writer and >= 0
                    && _order.Changes[writer] == ChangeKind.None)
                {
                    _revisionOf[writer] = step.SeenRevision;
                    _placeAt[step.SeenRevision] = writer;
                }
            }
        }
    }

    /// <summary>A key was the same after <paramref name="From"/> up to and including <paramref name="To"/>.</summary>
    private readonly record struct Span(long From, long To) : IComparable<Span>
    {
        public int CompareTo(Span other) => From != other.From ? From.CompareTo(other.From) : To.CompareTo(other.To);
    }
}
