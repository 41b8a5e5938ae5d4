using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Records that wait for the next sync, encoded as they will lie on disk: one buffer, one part per segment.
/// </summary>
/// <remarks>
/// Everything a record needs (place, horizon, chain) is known when it is appended, so a sync only writes.
/// </remarks>
internal sealed class WalBatch
{
    /// <summary>The most that may wait for one sync, in bytes.</summary>
    public const int BytesMax = 256 * 1024 * 1024;

    /// <summary>A buffer that grew beyond this for one large batch is given back afterwards.</summary>
    private const int KeptBytesMax = 16 * 1024 * 1024;

    private const int FirstBytes = 16 * 1024;

    private readonly WalOptions _options;
    private readonly List<WalPart> _parts = [];
    private readonly List<WalChange> _changes = [];
    private byte[] _buffer = new byte[FirstBytes];
    private int _length;

    public WalBatch(WalOptions options, WalPart position)
    {
        _options = options;
        _parts.Add(position);
    }

    public bool IsEmpty => _length == 0;

    public int Length => _length;

    /// <summary>What the batch will look like, segment by segment, in order; the first may be empty.</summary>
    public List<WalPart> Parts => _parts;

    /// <summary>What readers may see once the batch is durable, in order.</summary>
    public List<WalChange> Changes => _changes;

    public ReadOnlySpan<byte> BytesOf(WalPart part) => _buffer.AsSpan(part.BufferStart, part.Length);

    /// <summary>Bytes that records may still take in the segment the batch ends in.</summary>
    public long Room => _parts[^1].Room;

    /// <summary>Reserves a record; the caller fills the returned body and then calls <see cref="Finish"/>.</summary>
    public Span<byte> Begin(int bodyBytes)
    {
        var padded = WalRecordHeader.Pad(WalRecordHeader.Bytes + bodyBytes);
        if (padded > WalRecordHeader.LengthMax)
        {
            throw new ArgumentException($"A record of {padded} bytes is larger than {WalRecordHeader.LengthMax}.");
        }

        if (_length + padded > BytesMax)
        {
            throw new InvalidOperationException($"More than {BytesMax} bytes wait for a sync.");
        }

        if (padded > _parts[^1].Room)
        {
            _parts.Add(NextSegment(padded));
        }

        Grow(padded);
        var record = _buffer.AsSpan(_length, padded);
        record[(WalRecordHeader.Bytes + bodyBytes)..].Clear();
        return record.Slice(WalRecordHeader.Bytes, bodyBytes);
    }

    /// <summary>
    /// Completes the record that <see cref="Begin"/> reserved with the same <paramref name="bodyBytes"/>.
    /// </summary>
    public void Finish(WalRecordType type, GroupId group, int bodyBytes, LogIndex first = default, int count = 0)
    {
        var part = _parts[^1];
        var header = new WalRecordHeader(
            0, WalRecordHeader.Bytes + bodyBytes, type, group, part.Sequence, (uint)part.End, (uint)part.FileOffset,
            part.Chain, count, first);
        var record = _buffer.AsSpan(_length, header.PaddedLength);
        part.Chain = Seal(record, header, part.Salt);
        part.Length += header.PaddedLength;
        _length += header.PaddedLength;
        if (type is WalRecordType.Entries or WalRecordType.Reset)
        {
            _changes.Add(new WalChange(group, type, first, count, part, header.Offset, header.PaddedLength));
        }
    }

    /// <summary>The batch is durable: the next one starts where it ended.</summary>
    public void Restart()
    {
        var last = _parts[^1];
        _parts.Clear();
        _parts.Add(new WalPart(last.Sequence, last.SegmentBytes, last.End, last.Salt, last.Chain));
        _changes.Clear();
        _length = 0;
        if (_buffer.Length > KeptBytesMax)
        {
            _buffer = new byte[FirstBytes];
        }
    }

    /// <summary>Gives up what waits, as if it had never been appended.</summary>
    public void Abandon()
    {
        var start = _parts[0];
        _parts.Clear();
        _parts.Add(new WalPart(start.Sequence, start.SegmentBytes, start.FileOffset, start.Salt, start.StartChain));
        _changes.Clear();
        _length = 0;
    }

    /// <summary>Writes the header in front of the body, the checksum included, and returns it.</summary>
    public static uint Seal(Span<byte> record, WalRecordHeader header, uint salt)
    {
        header.Write(record);
        header = header with { Checksum = Crc32C.Of(StorageMutants.RecordsAreNotTied ? 0 : salt, record[4..]) };
        header.Write(record);
        return header.Checksum;
    }

    private WalPart NextSegment(int paddedBytes)
    {
        var full = _parts[^1];
        var size = Math.Max(
            _options.SegmentBytes, WalSegmentHeader.Bytes + (long)paddedBytes + WalRecordHeader.Bytes);
        var header = new WalSegmentHeader(
            _options.ClusterId, _options.Node, full.Sequence + 1, size, (uint)full.End, full.Chain);
        Span<byte> bytes = stackalloc byte[WalSegmentHeader.Bytes];
        var salt = header.Write(bytes);
        return new WalPart(header.Sequence, size, WalSegmentHeader.Bytes, salt, salt)
        {
            BufferStart = _length,
            Header = header,
        };
    }

    private void Grow(int bytes)
    {
        if (_length + bytes <= _buffer.Length)
        {
            return;
        }

        var size = Math.Min(Math.Max((long)_buffer.Length * 2, _length + bytes), BytesMax);
        var larger = GC.AllocateUninitializedArray<byte>((int)size);
        _buffer.AsSpan(0, _length).CopyTo(larger);
        _buffer = larger;
    }
}

/// <summary>The share of a batch that goes into one segment.</summary>
internal sealed class WalPart(ulong sequence, long segmentBytes, long fileOffset, uint salt, uint chain)
{
    public ulong Sequence => sequence;

    public long SegmentBytes => segmentBytes;

    /// <summary>Where the part starts in the segment: everything below is durable when it is written.</summary>
    public long FileOffset => fileOffset;

    public uint Salt => salt;

    /// <summary>The header of the segment to be made; null for the segment that is already there.</summary>
    public WalSegmentHeader? Header { get; init; }

    public int BufferStart { get; init; }

    public int Length { get; set; }

    /// <summary>Checksum of the last record before the part.</summary>
    public uint StartChain { get; } = chain;

    /// <summary>Checksum of the last record so far.</summary>
    public uint Chain { get; set; } = chain;

    public long End => FileOffset + Length;

    /// <summary>Bytes left for records; room for the sealed record is kept.</summary>
    public long Room => SegmentBytes - End - WalRecordHeader.Bytes;
}

/// <summary>A record of the batch that changes what readers find.</summary>
internal readonly record struct WalChange(
    GroupId Group, WalRecordType Type, LogIndex First, int Count, WalPart Part, uint Offset, int PaddedLength);
