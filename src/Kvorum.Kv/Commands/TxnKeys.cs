namespace Kvorum.Kv;

/// <summary>
/// The rule that a transaction puts no key twice, and no key into a range the same branch deletes (etcd v3 API,
/// TxnRequest). Branches of one nested transaction exclude each other, so they may share keys.
/// </summary>
/// <remarks>
/// As in etcd the order of operations does not matter on one level, and a delete inside a nested transaction is held
/// against what follows it only: a put in an earlier sibling is legal.
/// </remarks>
internal static class TxnKeys
{
    public static bool HasDuplicate(Txn txn) => !IsClean(txn.Then) || !IsClean(txn.Else);

    private static bool IsClean(IReadOnlyList<TxnOperation> branch)
    {
        if (branch.Count == 0 || (branch.Count == 1 && branch[0].Txn is null))
        {
            return true;
        }

        return TryCollect(branch, out _, out _);
    }

    private static bool TryCollect(
        IReadOnlyList<TxnOperation> branch, out SortedSet<ReadOnlyMemory<byte>> puts, out List<DeleteRange> deletes)
    {
        puts = new SortedSet<ReadOnlyMemory<byte>>(ByteOrder.Instance);
        deletes = [];
        foreach (var operation in branch)
        {
            if (operation.DeleteRange is { } deleteRange)
            {
                deletes.Add(deleteRange);
            }
        }

        foreach (var operation in branch)
        {
            if (operation.Txn is { } nested && !TryAddNested(nested, puts, deletes))
            {
                return false;
            }
        }

        foreach (var operation in branch)
        {
            if (operation.TryGetPutKey(out var key) && (IsDeleted(key, deletes) || !puts.Add(key)))
            {
                return false;
            }
        }

        return true;
    }

    private static bool TryAddNested(Txn nested, SortedSet<ReadOnlyMemory<byte>> puts, List<DeleteRange> deletes)
    {
        if (!TryCollect(nested.Then, out var putsThen, out var deletesThen)
            || !TryCollect(nested.Else, out var putsElse, out var deletesElse))
        {
            return false;
        }

        putsThen.UnionWith(putsElse);
        foreach (var key in putsThen)
        {
            if (IsDeleted(key, deletes) || !puts.Add(key))
            {
                return false;
            }
        }

        deletes.AddRange(deletesThen);
        deletes.AddRange(deletesElse);
        return true;
    }

    private static bool IsDeleted(ReadOnlyMemory<byte> key, List<DeleteRange> deletes)
    {
        foreach (var deleteRange in deletes)
        {
            if (Ranges.Contains(deleteRange.Key.Span, deleteRange.RangeEnd.Span, key.Span))
            {
                return true;
            }
        }

        return false;
    }

    private sealed class ByteOrder : IComparer<ReadOnlyMemory<byte>>
    {
        public static readonly ByteOrder Instance = new();

        public int Compare(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceCompareTo(y.Span);
    }
}
