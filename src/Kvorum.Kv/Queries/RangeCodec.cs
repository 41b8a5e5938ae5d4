namespace Kvorum.Kv;

/// <summary>A range query inside a transaction, to bytes and back (docs/formats.md, "Commands").</summary>
internal static class RangeCodec
{
    /// <summary>The kind byte of a range among a transaction's operations; no command has this number.</summary>
    public const byte OperationKind = 64;

    private const byte KeysOnly = 1;
    private const byte CountOnly = 2;
    private const byte FlagsMax = KeysOnly | CountOnly;

    /// <summary>Bytes after the kind byte's partner, the flags byte.</summary>
    public static int Size(RangeQuery query) => 1 + 1 + 2 + 2 + (6 * 8) + query.Key.Length + query.RangeEnd.Length;

    /// <summary>Writes the flags byte and the rest.</summary>
    public static void Write(RangeQuery query, ref ByteWriter output)
    {
        output.U8((byte)((query.KeysOnly ? KeysOnly : 0) | (query.CountOnly ? CountOnly : 0)));
        output.U8((byte)query.SortOrder);
        output.U8((byte)query.SortTarget);
        output.U16(query.Key.Length);
        output.U16(query.RangeEnd.Length);
        output.I64(query.AtRevision);
        output.I64(query.Limit);
        output.I64(query.ModRevisionMin);
        output.I64(query.ModRevisionMax);
        output.I64(query.CreateRevisionMin);
        output.I64(query.CreateRevisionMax);
        output.Bytes(query.Key.Span);
        output.Bytes(query.RangeEnd.Span);
    }

    public static RangeQuery Read(ref ByteReader input)
    {
        var flags = input.U8AtMost(FlagsMax);
        var order = (SortOrder)input.U8AtMost((byte)SortOrder.Descend);
        var target = (SortTarget)input.U8AtMost((byte)SortTarget.Value);
        var keyLength = input.U16();
        var endLength = input.U16();
        var atRevision = input.I64();
        var limit = input.I64();
        var modRevisionMin = input.I64();
        var modRevisionMax = input.I64();
        var createRevisionMin = input.I64();
        var createRevisionMax = input.I64();
        return new RangeQuery(input.Memory(keyLength), input.Memory(endLength))
        {
            KeysOnly = (flags & KeysOnly) != 0,
            CountOnly = (flags & CountOnly) != 0,
            SortOrder = order,
            SortTarget = target,
            AtRevision = atRevision,
            Limit = limit,
            ModRevisionMin = modRevisionMin,
            ModRevisionMax = modRevisionMax,
            CreateRevisionMin = createRevisionMin,
            CreateRevisionMax = createRevisionMax,
        };
    }
}
