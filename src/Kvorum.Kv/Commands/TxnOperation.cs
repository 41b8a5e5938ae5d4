namespace Kvorum.Kv;

/// <summary>
/// One operation of a transaction's branch: exactly one is set. Its command carries no session of its own.
/// </summary>
public sealed record TxnOperation
{
    /// <summary>The shortest encoding: bounds what a count in the input may make the decoder allocate.</summary>
    internal const int EncodedBytesMin = 2 + 4;

    public Put? Put { get; init; }

    public Append? Append { get; init; }

    public DeleteRange? DeleteRange { get; init; }

    public RangeQuery? Range { get; init; }

    public Txn? Txn { get; init; }

    internal int OperationCount =>
        (Put is null ? 0 : 1) + (Append is null ? 0 : 1) + (DeleteRange is null ? 0 : 1) + (Range is null ? 0 : 1)
        + (Txn is null ? 0 : 1);

    /// <summary>The command set; null for a range.</summary>
    internal Command? Command => (Command?)Put ?? (Command?)Append ?? (Command?)DeleteRange ?? Txn;

    /// <summary>The key this operation puts; false when it puts none.</summary>
    internal bool TryGetPutKey(out ReadOnlyMemory<byte> key)
    {
        key = Put is not null ? Put.Key : Append is not null ? Append.Key : default;
        return Put is not null || Append is not null;
    }

    internal int EncodedBytes => 2 + (Command is { } command ? command.BodySize : RangeCodec.Size(RangeOrThrow));

    internal void Write(ref ByteWriter output)
    {
        if (Command is { } command)
        {
            output.U8((byte)command.Kind);
            output.U8((byte)command.BodyFlags);
            command.WriteBody(ref output);
        }
        else
        {
            output.U8(RangeCodec.OperationKind);
            RangeCodec.Write(RangeOrThrow, ref output);
        }
    }

    internal static TxnOperation? Read(ref ByteReader input, int depth)
    {
        var kind = input.U8();
        if (kind == RangeCodec.OperationKind)
        {
            return new TxnOperation { Range = RangeCodec.Read(ref input) };
        }

        return CommandCodec.ReadBody((CommandKind)kind, (CommandFlags)input.U8(), ref input, depth) switch
        {
            Put put => new TxnOperation { Put = put },
            Append append => new TxnOperation { Append = append },
            DeleteRange deleteRange => new TxnOperation { DeleteRange = deleteRange },
            Txn txn => new TxnOperation { Txn = txn },
            _ => null,
        };
    }

    private RangeQuery RangeOrThrow =>
        Range ?? throw new ArgumentException("An operation of a transaction: expected one part to be set, found none.");
}
