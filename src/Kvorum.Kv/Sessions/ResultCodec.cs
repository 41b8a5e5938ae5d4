namespace Kvorum.Kv;

/// <summary>
/// Details of answers to bytes and back, for the session table and its snapshot (docs/formats.md, "Recorded answers").
/// </summary>
internal static class ResultCodec
{
    private const byte KeyValueTag = 1;
    private const byte KeyValuesTag = 2;
    private const byte TxnTag = 3;
    private const byte RangeTag = 4;
    private const byte CommandTag = 5;
    private const byte NothingTag = 6;

    /// <summary>
    /// The shortest encoding of a part: bounds what a count in the input may make the decoder allocate.
    /// </summary>
    private const int PartBytesMin = 1;

    private const int KeyValueBytesMin = 2 + 4 + (4 * 8);

    /// <summary>Null for no detail, and for one above <see cref="KvLimits.RecordedDetailBytesMax"/>.</summary>
    public static byte[]? Encode(object? detail, out bool isDropped)
    {
        isDropped = false;
        if (detail is null)
        {
            return null;
        }

        var size = Size(detail);
        if (size > KvLimits.RecordedDetailBytesMax)
        {
            isDropped = true;
            if (detail is not TxnResult txn)
            {
                return null;
            }

            detail = new TxnResult(txn.Succeeded, []);
            size = Size(detail);
        }

        var bytes = new byte[size];
        var output = new ByteWriter(bytes);
        Write(detail, ref output);
        return bytes;
    }

    /// <summary>
    /// Reads what <see cref="Encode"/> wrote; bytes of a snapshot were checked when they were loaded.
    /// </summary>
    public static object? Decode(byte[]? bytes)
    {
        if (bytes is null)
        {
            return null;
        }

        var input = new ByteReader(bytes);
        return Read(ref input, depth: 1);
    }

    public static bool IsWellFormed(byte[] bytes)
    {
        var input = new ByteReader(bytes);
        return Read(ref input, depth: 1) is not null && input.IsComplete;
    }

    private static long Size(object part) => part switch
    {
        KeyValue row => 1 + SizeOf(row),
        KeyValue[] rows => 1 + 4 + SizeOf(rows),
        RangeResult range => 1 + 1 + 1 + (3 * 8) + 4 + SizeOf(range.Rows),
        TxnResult txn => 1 + 1 + 4 + SizeOf(txn.Results),
        CommandResult result => 1 + 1 + 8 + 8 + (result.Detail is null ? 1 : Size(result.Detail)),
        _ => throw new ArgumentException($"A part of an answer: found {part.GetType().Name}."),
    };

    private static long SizeOf(KeyValue row) => KeyValueBytesMin + row.Key.Length + row.Value.Length;

    private static long SizeOf(IReadOnlyList<KeyValue> rows)
    {
        var size = 0L;
        for (var i = 0; i < rows.Count; i++)
        {
            size += SizeOf(rows[i]);
        }

        return size;
    }

    private static long SizeOf(IReadOnlyList<object> parts)
    {
        var size = 0L;
        for (var i = 0; i < parts.Count; i++)
        {
            size += Size(parts[i]);
        }

        return size;
    }

    private static void Write(object part, ref ByteWriter output)
    {
        switch (part)
        {
            case KeyValue row:
                output.U8(KeyValueTag);
                WriteRow(row, ref output);
                break;
            case KeyValue[] rows:
                output.U8(KeyValuesTag);
                WriteRows(rows, ref output);
                break;
            case RangeResult range:
                output.U8(RangeTag);
                output.U8((byte)range.Status);
                output.U8(range.HasMore ? (byte)1 : (byte)0);
                output.I64(range.Revision);
                output.I64(range.CompactedRevision);
                output.I64(range.Count);
                WriteRows(range.Rows, ref output);
                break;
            case TxnResult txn:
                output.U8(TxnTag);
                output.U8(txn.Succeeded ? (byte)1 : (byte)0);
                output.Length(txn.Results.Count);
                foreach (var result in txn.Results)
                {
                    Write(result, ref output);
                }

                break;
            case CommandResult result:
                output.U8(CommandTag);
                output.U8((byte)result.Status);
                output.I64(result.Revision);
                output.I64(result.Count);
                if (result.Detail is null)
                {
                    output.U8(NothingTag);
                }
                else
                {
                    Write(result.Detail, ref output);
                }

                break;
        }
    }

    private static void WriteRows(IReadOnlyList<KeyValue> rows, ref ByteWriter output)
    {
        output.Length(rows.Count);
        foreach (var row in rows)
        {
            WriteRow(row, ref output);
        }
    }

    private static void WriteRow(KeyValue row, ref ByteWriter output)
    {
        output.U16(row.Key.Length);
        output.Length(row.Value.Length);
        output.I64(row.CreateRevision);
        output.I64(row.ModRevision);
        output.I64(row.Version);
        output.I64(row.Lease);
        output.Bytes(row.Key);
        output.Bytes(row.Value);
    }

    /// <summary>Null when the bytes are malformed, or hold <see cref="NothingTag"/>.</summary>
    private static object? Read(ref ByteReader input, int depth)
    {
        if (depth > 2 * (Txn.DepthMax + 1))
        {
            input.Fail();
            return null;
        }

        switch (input.U8())
        {
            case KeyValueTag:
                return ReadRow(ref input);
            case KeyValuesTag:
                return ReadRows(ref input);
            case RangeTag:
                return ReadRange(ref input);
            case TxnTag:
                return ReadTxn(ref input, depth);
            case CommandTag:
                var status = (CommandStatus)input.U8();
                var revision = input.I64();
                var count = input.I64();
                return new CommandResult(status, revision, count, Read(ref input, depth + 1));
            case NothingTag:
                return null;
            default:
                input.Fail();
                return null;
        }
    }

    private static RangeResult ReadRange(ref ByteReader input)
    {
        var status = (CommandStatus)input.U8();
        var hasMore = input.U8AtMost(1) == 1;
        var revision = input.I64();
        var compactedRevision = input.I64();
        var count = input.I64();
        return new RangeResult(status, revision, compactedRevision, ReadRows(ref input), count, hasMore);
    }

    private static TxnResult ReadTxn(ref ByteReader input, int depth)
    {
        var succeeded = input.U8AtMost(1) == 1;
        var results = new object[input.Length(input.Remaining / PartBytesMin)];
        for (var i = 0; i < results.Length; i++)
        {
            if (Read(ref input, depth + 1) is not { } result)
            {
                input.Fail();
                return new TxnResult(succeeded, []);
            }

            results[i] = result;
        }

        return new TxnResult(succeeded, results);
    }

    private static KeyValue[] ReadRows(ref ByteReader input)
    {
        var rows = new KeyValue[input.Length(input.Remaining / KeyValueBytesMin)];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = ReadRow(ref input);
        }

        return rows;
    }

    private static KeyValue ReadRow(ref ByteReader input)
    {
        var keyLength = input.U16();
        var valueLength = input.Length(KvLimits.ValueBytesMax);
        var createRevision = input.I64();
        var modRevision = input.I64();
        var version = input.I64();
        var lease = input.I64();
        var key = input.Span(keyLength).ToArray();
        var value = input.Span(valueLength).ToArray();
        return new KeyValue(key, value, createRevision, modRevision, version, lease);
    }
}
