using System.Buffers.Binary;
using System.Globalization;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>The first bytes of a segment: whose it is, which one, and how it ties to the one before.</summary>
/// <remarks>
/// <code>
/// 0       8       12      16      24      32       40      48       52        56        60       64
/// │ magic │version│ bytes │cluster│ node  │sequence│ size  │previous│previous │reserved │checksum│
/// │KVWAL01│u32 = 1│u32 =64│  u64  │  u64  │  u64   │  u64  │end u32 │chain u32│   u32   │  u32   │
/// </code>
/// </remarks>
internal readonly record struct WalSegmentHeader(
    ulong ClusterId, NodeId Node, ulong Sequence, long Size, uint PreviousEnd, uint PreviousChain)
{
    public const int Bytes = 64;

    private const uint Version = 1;
    private const int ChecksumAt = 60;

    private static ReadOnlySpan<byte> Magic => "KVWAL01\0"u8;

    /// <summary>
    /// Writes the header and returns its checksum: the salt and the first link of the segment's chain.
    /// </summary>
    public uint Write(Span<byte> output)
    {
        Magic.CopyTo(output);
        BinaryPrimitives.WriteUInt32LittleEndian(output[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(output[12..], Bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(output[16..], ClusterId);
        BinaryPrimitives.WriteUInt64LittleEndian(output[24..], Node.Value);
        BinaryPrimitives.WriteUInt64LittleEndian(output[32..], Sequence);
        BinaryPrimitives.WriteInt64LittleEndian(output[40..], Size);
        BinaryPrimitives.WriteUInt32LittleEndian(output[48..], PreviousEnd);
        BinaryPrimitives.WriteUInt32LittleEndian(output[52..], PreviousChain);
        BinaryPrimitives.WriteUInt32LittleEndian(output[56..], 0);
        var checksum = Crc32C.Of(output[..ChecksumAt]);
        BinaryPrimitives.WriteUInt32LittleEndian(output[ChecksumAt..], checksum);
        return checksum;
    }

    /// <summary>Reads and checks the header at the start of a segment.</summary>
    /// <exception cref="WalCorruptException">It is damaged.</exception>
    /// <exception cref="DataDirectoryException">
    /// It is whole, but of another cluster, node or version: no rot, and nothing to repair.
    /// </exception>
    public static WalSegmentHeader Read(
        string file, ReadOnlySpan<byte> input, WalOptions options, ulong sequence, out uint checksum)
    {
        if (input.Length < Bytes || !input.StartsWith(Magic))
        {
            throw new WalCorruptException(file, 0, "a segment header", "other bytes");
        }

        checksum = BinaryPrimitives.ReadUInt32LittleEndian(input[ChecksumAt..]);
        var computed = Crc32C.Of(input[..ChecksumAt]);
        Check(computed == checksum, file, ChecksumAt, $"header checksum {computed:x8}", $"{checksum:x8}");
        var version = BinaryPrimitives.ReadUInt32LittleEndian(input[8..]);
        Require(version == Version, file, $"format version {Version}", $"version {version}");

        var header = new WalSegmentHeader(
            BinaryPrimitives.ReadUInt64LittleEndian(input[16..]),
            new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(input[24..])),
            BinaryPrimitives.ReadUInt64LittleEndian(input[32..]),
            BinaryPrimitives.ReadInt64LittleEndian(input[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(input[48..]),
            BinaryPrimitives.ReadUInt32LittleEndian(input[52..]));
        Require(
            header.ClusterId == options.ClusterId, file,
            $"cluster {options.ClusterId:x}", $"a segment of cluster {header.ClusterId:x}");
        Require(header.Node == options.Node, file, $"node {options.Node}", $"a segment of node {header.Node}");
        Check(header.Sequence == sequence, file, 32, $"segment {sequence}", $"segment {header.Sequence}");
        Check(header.Size == input.Length, file, 40, $"a file of {header.Size} bytes", $"{input.Length} bytes");
        return header;
    }

    private static void Require(bool condition, string file, string expected, string found)
    {
        if (!condition)
        {
            throw new DataDirectoryException(
                $"{file}: expected {expected}, found {found}. Start the node with the directory and the version of "
                + "Kvorum that belong together.");
        }
    }

    private static void Check(bool condition, string file, long offset, string expected, string found)
    {
        if (!condition)
        {
            throw new WalCorruptException(file, offset, expected, found);
        }
    }
}

/// <summary>An open segment file. Readers lease it, so that cutting the log cannot close it under them.</summary>
internal sealed class WalSegment(IDiskFile file, ulong sequence, long size, uint salt)
{
    private readonly Lock _gate = new();
    private int _leases;
    private bool _isRetired;

    public IDiskFile File => file;

    public ulong Sequence => sequence;

    /// <summary>Length of the file in bytes.</summary>
    public long Size => size;

    /// <summary>The header's checksum, from which every record's checksum starts.</summary>
    public uint Salt => salt;

    public static string NameOf(ulong sequence) => sequence.ToString("x16", CultureInfo.InvariantCulture) + ".wal";

    /// <summary>The sequence number in a segment's file name.</summary>
    public static bool TryParseName(string name, out ulong sequence)
    {
        sequence = 0;
        return name.Length == 20 && name.EndsWith(".wal", StringComparison.Ordinal)
            && ulong.TryParse(
                name.AsSpan(0, 16), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out sequence)
            && NameOf(sequence) == name;
    }

    public void Lease()
    {
        lock (_gate)
        {
            Invariant.Holds(!_isRetired, "A segment that left the log is not read again.");
            _leases++;
        }
    }

    public void Return()
    {
        lock (_gate)
        {
            _leases--;
            CloseWhenUnused();
        }
    }

    /// <summary>The segment left the log: closes the file as soon as nobody reads it.</summary>
    public void Retire()
    {
        lock (_gate)
        {
            _isRetired = true;
            CloseWhenUnused();
        }
    }

    private void CloseWhenUnused()
    {
        if (_isRetired && _leases == 0)
        {
            file.Dispose();
        }
    }
}
