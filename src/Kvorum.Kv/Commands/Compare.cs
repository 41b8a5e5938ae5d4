namespace Kvorum.Kv;

/// <summary>What of a key is compared (etcd v3 API, Compare.CompareTarget; numbers are etcd's).</summary>
public enum CompareTarget : byte
{
    Version = 0,
    CreateRevision = 1,
    ModRevision = 2,
    Value = 3,
    Lease = 4,
}

/// <summary>How it is compared (etcd v3 API, Compare.CompareResult; numbers are etcd's).</summary>
public enum CompareOperator : byte
{
    Equal = 0,
    Greater = 1,
    Less = 2,
    NotEqual = 3,
}

/// <summary>
/// A condition on a key, or on every key of a range. A missing key has version, revisions and lease 0; comparing its
/// value is false.
/// </summary>
public sealed record Compare(ReadOnlyMemory<byte> Key, CompareTarget Target, CompareOperator Operator)
{
    /// <summary>The shortest encoding: bounds what a count in the input may make the decoder allocate.</summary>
    internal const int EncodedBytesMin = 2 + 2 + 2 + 4;

    public ReadOnlyMemory<byte> RangeEnd { get; init; }

    /// <summary>For every target but <see cref="CompareTarget.Value"/>.</summary>
    public long Number { get; init; }

    /// <summary>For <see cref="CompareTarget.Value"/>.</summary>
    public ReadOnlyMemory<byte> Value { get; init; }

    internal int EncodedBytes =>
        2 + 2 + 2 + Key.Length + RangeEnd.Length + (Target == CompareTarget.Value ? 4 + Value.Length : 8);

    internal void Write(ref ByteWriter output)
    {
        output.U8((byte)Target);
        output.U8((byte)Operator);
        output.U16(Key.Length);
        output.U16(RangeEnd.Length);
        output.Bytes(Key.Span);
        output.Bytes(RangeEnd.Span);
        if (Target == CompareTarget.Value)
        {
            output.Length(Value.Length);
            output.Bytes(Value.Span);
        }
        else
        {
            output.I64(Number);
        }
    }

    internal static Compare Read(ref ByteReader input)
    {
        var target = (CompareTarget)input.U8AtMost((byte)CompareTarget.Lease);
        var @operator = (CompareOperator)input.U8AtMost((byte)CompareOperator.NotEqual);
        var keyLength = input.U16();
        var endLength = input.U16();
        var compare = new Compare(input.Memory(keyLength), target, @operator) { RangeEnd = input.Memory(endLength) };
        return target == CompareTarget.Value
            ? compare with { Value = input.Memory(input.Length(KvLimits.ValueBytesMax)) }
            : compare with { Number = input.I64() };
    }

    /// <summary>Whether the condition holds on the state as it is now.</summary>
    internal bool Holds(KvTransaction kv)
    {
#if MUTANTS
        if (KvMutants.CompareOnStaleValue && RangeEnd.IsEmpty)
        {
            using var view = kv.OpenPublished();
            return view.TryGet(Key.Span, view.Revision, out var stale) ? HoldsFor(stale) : HoldsForNothing();
        }

#endif
        if (RangeEnd.IsEmpty)
        {
            return kv.TryGet(Key.Span, out var row) ? HoldsFor(row) : HoldsForNothing();
        }

        var visitor = new EveryRow(this);
        kv.Scan(Ranges.Of(Key.Span, RangeEnd.Span), ref visitor);
        return visitor.IsEmpty ? HoldsForNothing() : visitor.IsHolding;
    }

    private bool HoldsFor(in Row row)
    {
        var order = Target switch
        {
            CompareTarget.Version => row.Header.Version.CompareTo(Number),
            CompareTarget.CreateRevision => row.Header.CreateRevision.CompareTo(Number),
            CompareTarget.ModRevision => row.Header.Mod.Main.CompareTo(Number),
            CompareTarget.Lease => row.Header.Lease.CompareTo(Number),
            _ => row.Value.SequenceCompareTo(Value.Span),
        };
        return HoldsForOrder(order);
    }

    /// <summary>
    /// A missing key counts as zeros, but its value equals nothing and differs from nothing (etcd's rule).
    /// </summary>
    private bool HoldsForNothing() => Target != CompareTarget.Value && HoldsForOrder(0L.CompareTo(Number));

    private bool HoldsForOrder(int order) => Operator switch
    {
        CompareOperator.Equal => order == 0,
        CompareOperator.Greater => order > 0,
        CompareOperator.Less => order < 0,
        _ => order != 0,
    };

    private struct EveryRow(Compare compare) : IRowVisitor
    {
        public bool IsEmpty { get; private set; } = true;

        public bool IsHolding { get; private set; } = true;

        public bool Visit(in Row row)
        {
            if (row.Header.IsTombstone)
            {
                return true;
            }

            IsEmpty = false;
            IsHolding = compare.HoldsFor(row);
            return IsHolding;
        }
    }
}
