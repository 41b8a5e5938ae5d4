using System.Text.Unicode;

namespace Kvorum.Kv;

/// <summary>The rules a command must keep to be proposed. What breaks one never reaches the log.</summary>
public static class CommandValidation
{
    /// <summary>Checks a command against <see cref="KvLimits"/> and the rules of its kind.</summary>
    /// <returns>Null when it is in order, else what was expected and what was found.</returns>
    public static string? Check(Command command)
    {
        ArgumentNullException.ThrowIfNull(command);
        if (command.Session is { Sequence: 0 })
        {
            return "session sequence: expected 1 or more, found 0";
        }

        if (CheckBody(command) is { } broken)
        {
            return broken;
        }

        var size = CommandCodec.Size(command);
        return size <= KvLimits.CommandBytesMax
            ? null
            : $"command: expected at most {KvLimits.CommandBytesMax} bytes, found {size}";
    }

    /// <summary>Checks a query as <see cref="Check"/> does a command.</summary>
    public static string? CheckQuery(RangeQuery query)
    {
        ArgumentNullException.ThrowIfNull(query);
        if (CheckKey(query.Key) is { } broken)
        {
            return broken;
        }

        if (query.SortOrder > SortOrder.Descend)
        {
            return $"sort order: expected 0 to 2, found {(byte)query.SortOrder}";
        }

        if (query.SortTarget > SortTarget.Value)
        {
            return $"sort target: expected 0 to 4, found {(byte)query.SortTarget}";
        }

        return CheckRangeEnd(query.RangeEnd);
    }

    /// <summary>
    /// Whether a transaction puts a key twice, or into a range that it deletes (etcd v3 API, TxnRequest).
    /// </summary>
    public static bool HasDuplicateKey(Txn txn) => TxnKeys.HasDuplicate(txn);

    private static string? CheckBody(Command command) => command switch
    {
        Put { KeepsValue: true, Value.Length: > 0 } put =>
            $"value: expected none for a put that keeps the value, found {put.Value.Length} bytes",
        Put { KeepsLease: true, Lease: not 0 } put =>
            $"lease: expected none for a put that keeps the lease, found {put.Lease}",
        Put put => CheckKey(put.Key) ?? CheckSize("value", put.Value.Length),
        Append append => CheckKey(append.Key) ?? CheckItem(append.Item),
        DeleteRange deleteRange => CheckKey(deleteRange.Key) ?? CheckRangeEnd(deleteRange.RangeEnd),
        Txn txn => CheckTxn(txn),
        LeaseGrant { Id: 0 } => "lease: expected an id other than 0, found 0",
        LeaseGrant { TtlSeconds: < 1 or > LeaseGrant.TtlSecondsMax } grant =>
            $"time to live: expected 1 to {LeaseGrant.TtlSecondsMax} seconds, found {grant.TtlSeconds}",
        _ => null,
    };

    private static string? CheckKey(ReadOnlyMemory<byte> key) =>
        key.Length is > 0 and <= KvLimits.KeyBytesMax
            ? null
            : $"key: expected 1 to {KvLimits.KeyBytesMax} bytes, found {key.Length}";

    private static string? CheckRangeEnd(ReadOnlyMemory<byte> rangeEnd) =>
        rangeEnd.Length <= KvLimits.KeyBytesMax
            ? null
            : $"range end: expected at most {KvLimits.KeyBytesMax} bytes, found {rangeEnd.Length}";

    private static string? CheckSize(string what, int length) =>
        length <= KvLimits.ValueBytesMax
            ? null
            : $"{what}: expected at most {KvLimits.ValueBytesMax} bytes, found {length}";

    private static string? CheckItem(ReadOnlyMemory<byte> item) =>
        CheckSize("item", item.Length)
        ?? (Utf8.IsValid(item.Span) ? null : "item: expected UTF-8 text, found other bytes");

    private static string? CheckTxn(Txn txn)
    {
        var left = Txn.OperationsTotalMax;
        if (CheckTxn(txn, Txn.OperationsMax, depth: 1, ref left) is { } broken)
        {
            return broken;
        }

        return TxnKeys.HasDuplicate(txn)
            ? "transaction: expected each key to be put once, found a duplicate key"
            : null;
    }

    private static string? CheckTxn(Txn txn, int operationsMax, int depth, ref int left)
    {
        if (depth > Txn.DepthMax)
        {
            return $"transaction: expected at most {Txn.DepthMax} levels, found more";
        }

        var operations = Math.Max(txn.Compares.Count, Math.Max(txn.Then.Count, txn.Else.Count));
        if (operations > operationsMax)
        {
            return $"transaction: expected at most {operationsMax} operations at level {depth}, found {operations}";
        }

        left -= txn.Compares.Count + txn.Then.Count + txn.Else.Count;
        if (left < 0)
        {
            return $"transaction: expected at most {Txn.OperationsTotalMax} operations in all, found more";
        }

        foreach (var compare in txn.Compares)
        {
            if (CheckCompare(compare) is { } broken)
            {
                return broken;
            }
        }

        return CheckBranch(txn.Then, operationsMax - operations, depth, ref left)
            ?? CheckBranch(txn.Else, operationsMax - operations, depth, ref left);
    }

    private static string? CheckBranch(
        IReadOnlyList<TxnOperation> branch, int nestedOperationsMax, int depth, ref int left)
    {
        foreach (var operation in branch)
        {
            if (CheckOperation(operation, nestedOperationsMax, depth, ref left) is { } broken)
            {
                return broken;
            }
        }

        return null;
    }

    private static string? CheckOperation(TxnOperation operation, int nestedOperationsMax, int depth, ref int left)
    {
        if (operation.OperationCount != 1)
        {
            return $"operation of a transaction: expected exactly one part, found {operation.OperationCount}";
        }

        if (operation.Command is { Session: not null })
        {
            return "operation of a transaction: expected no session of its own, found one";
        }

        return operation switch
        {
            { Txn: { } nested } => CheckTxn(nested, nestedOperationsMax, depth + 1, ref left),
            { Range: { } range } => CheckQuery(range),
            _ => CheckBody(operation.Command!), // One part is set, and it is not a range.
        };
    }

    private static string? CheckCompare(Compare compare)
    {
        if (compare.Target > CompareTarget.Lease)
        {
            return $"compare target: expected 0 to 4, found {(byte)compare.Target}";
        }

        if (compare.Operator > CompareOperator.NotEqual)
        {
            return $"compare operator: expected 0 to 3, found {(byte)compare.Operator}";
        }

        return CheckKey(compare.Key)
            ?? CheckRangeEnd(compare.RangeEnd)
            ?? CheckSize("compared value", compare.Value.Length);
    }
}
