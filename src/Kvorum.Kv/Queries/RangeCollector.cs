namespace Kvorum.Kv;

/// <summary>
/// Gathers the rows of a range: counts all, filters, sorts, and keeps no more than the answer may hold.
/// </summary>
/// <remarks>
/// A sorted answer needs all rows before it can be cut. To hold no more than about twice the answer, the rows gathered
/// so far are sorted and cut whenever they pass that: what is cut then would be cut in the end too.
/// </remarks>
internal struct RangeCollector : IRowVisitor
{
    private readonly RangeQuery _query;
    private readonly bool _isSorted;
    private readonly int _limit;
    private readonly long _bytesMax;
    private readonly List<KeyValue> _rows;
    private long _bytes;
    private long _count;
    private bool _hasMore;

    /// <summary>The first row cut so far: what comes after it in order is cut too, however small it is.</summary>
    private KeyValue? _firstCut;

    public RangeCollector(RangeQuery query, long bytesMax)
    {
        _query = query;
        _isSorted = query.SortTarget != SortTarget.Key || query.SortOrder == SortOrder.Descend;
        _limit = (int)(query.Limit is <= 0 or > RangeQuery.LimitMax ? RangeQuery.LimitMax : query.Limit);
        _bytesMax = bytesMax;
        _rows = [];
    }

    public bool Visit(in Row row)
    {
        if (row.Header.IsTombstone)
        {
            return true;
        }

        _count++;
        if (_query.CountOnly || !Passes(row.Header))
        {
            return true;
        }

        if (!_isSorted && _hasMore)
        {
            return true; // Only counted: the count is that of the whole range.
        }

        var rowBytes = row.Key.Length + (_query.KeysOnly && !SortsByValue ? 0 : row.Value.Length);
        if (!_isSorted && (_rows.Count == _limit || _bytes + rowBytes > _bytesMax))
        {
            _hasMore = true;
            return true;
        }

        var copy = Copy(row);
        if (_firstCut is { } cut && Order(copy, cut) > 0)
        {
            return true;
        }

        _bytes += rowBytes;
        _rows.Add(copy);
        if (_isSorted && (_rows.Count > 2L * _limit || _bytes > 2 * _bytesMax))
        {
            SortAndCut();
        }

        return true;
    }

    public RangeResult ToResult(long revision, long compactedRevision, ref long answerBytesLeft)
    {
        if (_isSorted)
        {
            SortAndCut();
            if (_query.KeysOnly && SortsByValue)
            {
                DropValues();
            }
        }

        answerBytesLeft = Math.Max(0, answerBytesLeft - _bytes);
        return new RangeResult(CommandStatus.Ok, revision, compactedRevision, _rows, _count, _hasMore);
    }

    private readonly bool SortsByValue => _query.SortTarget == SortTarget.Value;

    private readonly bool Passes(in RowHeader header) =>
        header.Mod.Main >= _query.ModRevisionMin
        && (header.Mod.Main <= _query.ModRevisionMax || _query.ModRevisionMax <= 0)
        && header.CreateRevision >= _query.CreateRevisionMin
        && (header.CreateRevision <= _query.CreateRevisionMax || _query.CreateRevisionMax <= 0);

    private readonly KeyValue Copy(in Row row)
    {
        var value = _query.KeysOnly && !SortsByValue ? [] : row.Value.ToArray();
        return KeyValue.Of(row, value);
    }

    private void SortAndCut()
    {
        _rows.Sort(Order);
        var kept = 0;
        var bytes = 0L;
        while (kept < _rows.Count && kept < _limit)
        {
            var rowBytes = _rows[kept].Key.Length + _rows[kept].Value.Length;
            if (bytes + rowBytes > _bytesMax)
            {
                break;
            }

            bytes += rowBytes;
            kept++;
        }

        if (kept < _rows.Count)
        {
            _hasMore = true;
            _firstCut = _rows[kept];
        }

        _rows.RemoveRange(kept, _rows.Count - kept);
        _bytes = bytes;
    }

    private readonly void DropValues()
    {
        for (var i = 0; i < _rows.Count; i++)
        {
            _rows[i] = _rows[i] with { Value = [] };
        }
    }

    /// <summary>A total order, so that an unstable sort cannot make replicas differ.</summary>
    private readonly int Order(KeyValue left, KeyValue right)
    {
        var order = _query.SortTarget switch
        {
            SortTarget.Version => left.Version.CompareTo(right.Version),
            SortTarget.CreateRevision => left.CreateRevision.CompareTo(right.CreateRevision),
            SortTarget.ModRevision => left.ModRevision.CompareTo(right.ModRevision),
            SortTarget.Value => left.Value.AsSpan().SequenceCompareTo(right.Value),
            _ => left.Key.AsSpan().SequenceCompareTo(right.Key),
        };

        if (order != 0)
        {
            return _query.SortOrder == SortOrder.Descend ? -order : order;
        }

        return left.Key.AsSpan().SequenceCompareTo(right.Key);
    }
}
