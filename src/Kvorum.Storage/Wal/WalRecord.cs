using System.Buffers.Binary;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>What a record says. Stable numbers: they are on disk (docs/formats.md, "Record").</summary>
internal enum WalRecordType : byte
{
    Entries = 1,
    HardState = 2,
    Reset = 3,
    Checkpoint = 4,
    Sealed = 5,
    Closed = 6,
}

/// <summary>The fixed front of a record.</summary>
/// <remarks>
/// <code>
/// 0        4        8     9        12      16       24       28       32       36      40        48
/// │checksum│ length │type │reserved│ group │segment │ offset │horizon │previous│ count │  first  │ body … │ pad │
/// </code>
/// </remarks>
internal readonly record struct WalRecordHeader(
    uint Checksum,
    int Length,
    WalRecordType Type,
    GroupId Group,
    ulong Segment,
    uint Offset,
    uint Horizon,
    uint Previous,
    int Count,
    LogIndex First)
{
    public const int Bytes = 48;

    /// <summary>
    /// The largest record, so that a damaged length cannot ask for more; one entry is at most some MiB.
    /// </summary>
    public const int LengthMax = 64 * 1024 * 1024;

    /// <summary>Header, body and padding.</summary>
    public int PaddedLength => Pad(Length);

    public static int Pad(int length) => (length + 7) & ~7;

    public void Write(Span<byte> output)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(output, Checksum);
        BinaryPrimitives.WriteUInt32LittleEndian(output[4..], (uint)Length);
        BinaryPrimitives.WriteUInt32LittleEndian(output[8..], (uint)Type); // The upper three bytes are reserved.
        BinaryPrimitives.WriteUInt32LittleEndian(output[12..], Group.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(output[16..], Segment);
        BinaryPrimitives.WriteUInt32LittleEndian(output[24..], Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(output[28..], Horizon);
        BinaryPrimitives.WriteUInt32LittleEndian(output[32..], Previous);
        BinaryPrimitives.WriteUInt32LittleEndian(output[36..], (uint)Count);
        BinaryPrimitives.WriteUInt64LittleEndian(output[40..], First.Value);
    }

    /// <summary>
    /// Reads a header that belongs at <paramref name="offset"/> of <paramref name="segment"/>; the checksum is still to
    /// be checked.
    /// </summary>
    /// <param name="input">The bytes from the record on, to the end of what may be read.</param>
    public static bool TryRead(ReadOnlySpan<byte> input, ulong segment, uint offset, out WalRecordHeader header)
    {
        header = default;
        if (input.Length < Bytes)
        {
            return false;
        }

        var length = BinaryPrimitives.ReadUInt32LittleEndian(input[4..]);
        var type = BinaryPrimitives.ReadUInt32LittleEndian(input[8..]);
        var count = BinaryPrimitives.ReadUInt32LittleEndian(input[36..]);
        var horizon = BinaryPrimitives.ReadUInt32LittleEndian(input[28..]);
        if (length < Bytes || length > LengthMax || Pad((int)length) > input.Length
            || type is < (uint)WalRecordType.Entries or > (uint)WalRecordType.Closed
            || (BinaryPrimitives.ReadUInt64LittleEndian(input[16..]) != segment && !StorageMutants.RecordsAreNotTied)
            || (BinaryPrimitives.ReadUInt32LittleEndian(input[24..]) != offset && !StorageMutants.ChecksumWithoutPlace)
            || (horizon > offset && !StorageMutants.ChecksumWithoutPlace) || count > length / EntryCodec.HeaderBytes)
        {
            return false;
        }

        header = new WalRecordHeader(
            BinaryPrimitives.ReadUInt32LittleEndian(input),
            (int)length,
            (WalRecordType)type,
            new GroupId(BinaryPrimitives.ReadUInt32LittleEndian(input[12..])),
            segment,
            offset,
            horizon,
            BinaryPrimitives.ReadUInt32LittleEndian(input[32..]),
            (int)count,
            new LogIndex(BinaryPrimitives.ReadUInt64LittleEndian(input[40..])));
        return true;
    }

    /// <summary>Whether the record that starts <paramref name="record"/> has the checksum its header names.</summary>
    public bool Matches(uint salt, ReadOnlySpan<byte> record) =>
        Crc32C.Of(StorageMutants.RecordsAreNotTied ? 0 : salt, record[4..PaddedLength]) == Checksum;
}

/// <summary>The small bodies: hard state, entry ids, checkpoints.</summary>
internal static class WalBodies
{
    public const int HardStateBytes = 17;
    public const int ResetBytes = 16;
    public const int CheckpointBytes = HardStateBytes + ResetBytes + 8;

    public static void Write(Span<byte> output, HardState state)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(output, state.Term.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(output[8..], state.VotedFor?.Value ?? 0);
        output[16] = state.VotedFor is null ? (byte)0 : (byte)1;
    }

    public static HardState ReadHardState(ReadOnlySpan<byte> input)
    {
        var vote = new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(input[8..]));
        return new HardState(new Term(BinaryPrimitives.ReadUInt64LittleEndian(input)), input[16] == 0 ? null : vote);
    }

    public static void Write(Span<byte> output, EntryId id)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(output, id.Term.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(output[8..], id.Index.Value);
    }

    public static EntryId ReadEntryId(ReadOnlySpan<byte> input) => new(
        new Term(BinaryPrimitives.ReadUInt64LittleEndian(input)),
        new LogIndex(BinaryPrimitives.ReadUInt64LittleEndian(input[8..])));

    public static void WriteCheckpoint(Span<byte> output, HardState state, EntryId logStart, ulong firstSegment)
    {
        Write(output, state);
        Write(output[HardStateBytes..], logStart);
        BinaryPrimitives.WriteUInt64LittleEndian(output[(HardStateBytes + ResetBytes)..], firstSegment);
    }

    public static (HardState State, EntryId LogStart, ulong FirstSegment) ReadCheckpoint(ReadOnlySpan<byte> input) => (
        ReadHardState(input),
        ReadEntryId(input[HardStateBytes..]),
        BinaryPrimitives.ReadUInt64LittleEndian(input[(HardStateBytes + ResetBytes)..]));
}
