namespace Kvorum.Kv;

public enum SortOrder : byte
{
    None = 0,
    Ascend = 1,
    Descend = 2,
}

public enum SortTarget : byte
{
    Key = 0,
    Version = 1,
    CreateRevision = 2,
    ModRevision = 3,
    Value = 4,
}

/// <summary>A read of a key or a range (etcd v3 API, RangeRequest).</summary>
/// <param name="RangeEnd">
/// Empty: the one key. A single zero byte: every key from <paramref name="Key"/> on. Else the excluded end.
/// </param>
public sealed record RangeQuery(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> RangeEnd)
{
    /// <summary>The most rows one answer holds when the caller does not say.</summary>
    public const long LimitMax = 1_000_000;

    /// <summary>
    /// The most bytes of keys and values one answer holds, that of a whole transaction too: 64 MiB. Rows that do not
    /// fit are left out and <see cref="RangeResult.HasMore"/> says so.
    /// </summary>
    public const long AnswerBytesMax = 64 << 20;

    /// <summary>The revision to read at; 0 (or less, as in etcd) for the newest.</summary>
    public long AtRevision { get; init; }

    /// <summary>
    /// The most rows to answer; 0, less, or above <see cref="LimitMax"/> means <see cref="LimitMax"/>.
    /// </summary>
    public long Limit { get; init; } = LimitMax;

    /// <summary>
    /// None means ascending, and costs nothing when the target is the key. Rows that compare equal stand in key order.
    /// </summary>
    public SortOrder SortOrder { get; init; }

    public SortTarget SortTarget { get; init; }

    /// <summary>Leave the values empty.</summary>
    public bool KeysOnly { get; init; }

    /// <summary>Answer the count, no rows.</summary>
    public bool CountOnly { get; init; }

    /// <summary>Leave out rows last written before this revision.</summary>
    public long ModRevisionMin { get; init; }

    /// <summary>Leave out rows last written after this revision; 0 for no bound, as in etcd.</summary>
    public long ModRevisionMax { get; init; } = long.MaxValue;

    /// <summary>Leave out rows created before this revision.</summary>
    public long CreateRevisionMin { get; init; }

    /// <summary>Leave out rows created after this revision; 0 for no bound, as in etcd.</summary>
    public long CreateRevisionMax { get; init; } = long.MaxValue;

    /// <summary>Every key that starts with <paramref name="prefix"/>; an empty prefix means all keys.</summary>
    public static RangeQuery Prefix(ReadOnlyMemory<byte> prefix) =>
        new(prefix.IsEmpty ? new byte[] { 0 } : prefix, Ranges.EndOfPrefix(prefix.Span));

    /// <summary>Whether a key lies in a range written as a key and an end.</summary>
    public static bool Contains(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> rangeEnd, ReadOnlySpan<byte> candidate) =>
        Ranges.Contains(key, rangeEnd, candidate);

    /// <summary>Runs on a view, on any thread.</summary>
    public RangeResult Execute(IEngineView view)
    {
        var answerBytesLeft = AnswerBytesMax;
        return Execute(view, ref answerBytesLeft);
    }

    internal RangeResult Execute(IEngineView view, ref long answerBytesLeft)
    {
        var atRevision = AtRevision <= 0 ? view.Revision : AtRevision;
        if (atRevision > view.Revision)
        {
            return new RangeResult(CommandStatus.FutureRevision, view.Revision, view.CompactedRevision, [], 0, false);
        }

        if (atRevision < view.CompactedRevision)
        {
            return new RangeResult(CommandStatus.Compacted, view.Revision, view.CompactedRevision, [], 0, false);
        }

        var collector = new RangeCollector(this, answerBytesLeft);
        if (RangeEnd.IsEmpty)
        {
            if (view.TryGet(Key.Span, atRevision, out var row))
            {
                collector.Visit(row);
            }
        }
        else
        {
            view.Scan(Ranges.Of(Key.Span, RangeEnd.Span), atRevision, ref collector);
        }

        return collector.ToResult(view.Revision, view.CompactedRevision, ref answerBytesLeft);
    }

    /// <summary>Runs on the newest state, inside a transaction: what the operations before it wrote is seen.</summary>
    internal RangeResult Execute(KvTransaction kv)
    {
        var collector = new RangeCollector(this, kv.AnswerBytesLeft);
        if (RangeEnd.IsEmpty)
        {
            if (kv.TryGet(Key.Span, out var row))
            {
                collector.Visit(row);
            }
        }
        else
        {
            kv.Scan(Ranges.Of(Key.Span, RangeEnd.Span), ref collector);
        }

        return collector.ToResult(kv.Revision, kv.CompactedRevision, ref kv.AnswerBytesLeft);
    }
}

/// <summary>What a query found.</summary>
/// <param name="Status">Ok, Compacted or FutureRevision.</param>
/// <param name="Revision">The key space's revision at the view.</param>
/// <param name="CompactedRevision">The oldest revision readable; 0 when never compacted.</param>
/// <param name="Rows">The rows, at most the limit.</param>
/// <param name="Count">
/// All rows in the range, also those past the limit (after the min/max filters are not considered, as in etcd).
/// </param>
/// <param name="HasMore">The limit cut the answer.</param>
public sealed record RangeResult(
    CommandStatus Status,
    long Revision,
    long CompactedRevision,
    IReadOnlyList<KeyValue> Rows,
    long Count,
    bool HasMore);
