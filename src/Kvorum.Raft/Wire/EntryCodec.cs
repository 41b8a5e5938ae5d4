using System.Buffers.Binary;

namespace Kvorum.Raft;

/// <summary>
/// One log entry to bytes and back, the same in a peer frame and in a log record; the layout is in docs/formats.md.
/// </summary>
public static class EntryCodec
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderBytes = 21;

    /// <summary>Encoded size of <paramref name="entry"/> in bytes.</summary>
    public static int Size(in LogEntry entry) => HeaderBytes + entry.Payload.Length;

    /// <summary>
    /// Writes length (u32, of the payload), kind (u8), term (u64), index (u64), payload; little-endian. Returns the
    /// bytes written.
    /// </summary>
    public static int Encode(in LogEntry entry, Span<byte> output)
    {
        var payload = entry.Payload.Span;
        BinaryPrimitives.WriteUInt32LittleEndian(output, (uint)payload.Length);
        output[4] = (byte)entry.Kind;
        BinaryPrimitives.WriteUInt64LittleEndian(output[5..], entry.Term.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(output[13..], entry.Index.Value);
        payload.CopyTo(output[HeaderBytes..]);
        return HeaderBytes + payload.Length;
    }

    /// <summary>Reads one entry at the start of <paramref name="input"/>; the payload is a slice of it.</summary>
    public static bool TryDecode(ReadOnlyMemory<byte> input, out LogEntry entry, out int consumed)
    {
        entry = default;
        consumed = 0;
        if (input.Length < HeaderBytes)
        {
            return false;
        }

        var header = input.Span;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var kind = (EntryKind)header[4];
        if (length > (uint)(input.Length - HeaderBytes) || kind is < EntryKind.NoOp or > EntryKind.Membership)
        {
            return false;
        }

        var id = new EntryId(
            new Term(BinaryPrimitives.ReadUInt64LittleEndian(header[5..])),
            new LogIndex(BinaryPrimitives.ReadUInt64LittleEndian(header[13..])));
        entry = new LogEntry(id, kind, input.Slice(HeaderBytes, (int)length));
        consumed = HeaderBytes + (int)length;
        return true;
    }
}
