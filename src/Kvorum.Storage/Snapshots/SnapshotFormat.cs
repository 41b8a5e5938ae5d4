using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>The fixed parts of a snapshot file and of the note about a transfer; drawings in docs/formats.md.</summary>
internal static class SnapshotFormat
{
    public const int ChunkBytes = 64 * 1024;
    public const int ChunkHeaderBytes = 16;
    public const int FooterBytes = 24;
    public const int HeaderBytesMax = FixedHeaderBytes + MembershipCodec.BytesMax;
    public const int NoteBytesMax = FixedNoteBytes + MembershipCodec.BytesMax;

    private const uint Version = 2;
    private const uint BodyFormat = 1;
    private const int FixedHeaderBytes = 48;
    private const int FixedNoteBytes = 56;
    private const int ChecksumAt = 12;

    private static ReadOnlySpan<byte> Magic => "KVSNAP1\0"u8;

    private static ReadOnlySpan<byte> NoteMagic => "KVRECV1\0"u8;

    public static string NameOf(GroupId group, EntryId id) => string.Create(
        CultureInfo.InvariantCulture, $"{group.Value:x8}-{id.Index.Value:x16}-{id.Term.Value:x16}.snap");

    public static bool TryParseName(string name, GroupId group, out EntryId id)
    {
        id = default;
        const NumberStyles hex = NumberStyles.AllowHexSpecifier;
        if (name.Length != 47
            || !ulong.TryParse(name.AsSpan(9, 16), hex, CultureInfo.InvariantCulture, out var index)
            || !ulong.TryParse(name.AsSpan(26, 16), hex, CultureInfo.InvariantCulture, out var term))
        {
            return false;
        }

        id = new EntryId(new Term(term), new LogIndex(index));
        return NameOf(group, id) == name;
    }

    /// <summary>The header's bytes; <paramref name="salt"/> is its checksum.</summary>
    public static byte[] WriteHeader(GroupId group, EntryId lastIncluded, Membership membership, out uint salt)
    {
        var bytes = new byte[FixedHeaderBytes + MembershipCodec.Size(membership)];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), group.Value);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(20), BodyFormat);
        WalBodies.Write(bytes.AsSpan(24), lastIncluded);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(40), ChunkBytes);
        WriteMembership(bytes.AsSpan(44), membership);
        salt = Crc32C.Of(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumAt), salt);
        return bytes;
    }

    /// <summary>Reads a header at the start of <paramref name="input"/>.</summary>
    /// <returns>Null when it is whole, else what is wrong with it.</returns>
    public static string? ReadHeader(
        ReadOnlySpan<byte> input,
        GroupId group,
        out EntryId lastIncluded,
        out Membership? membership,
        out int length,
        out uint salt)
    {
        lastIncluded = default;
        membership = null;
        length = 0;
        salt = 0;
        if (input.Length < FixedHeaderBytes || !input.StartsWith(Magic))
        {
            return "no snapshot header";
        }

        var version = BinaryPrimitives.ReadUInt32LittleEndian(input[8..]);
        length = FixedHeaderBytes + MembershipBytes(version, input[44..]);
        if (length > input.Length || length > HeaderBytesMax || !TryVerify(input[..length], out salt))
        {
            return "the header does not match its checksum";
        }

        if (version is < 1 or > Version
            || BinaryPrimitives.ReadUInt32LittleEndian(input[20..]) != BodyFormat
            || BinaryPrimitives.ReadUInt32LittleEndian(input[40..]) != ChunkBytes)
        {
            return "written by a version this one does not know";
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(input[16..]) != group.Value)
        {
            return "a snapshot of another group";
        }

        lastIncluded = WalBodies.ReadEntryId(input[24..]);
        return TryReadMembership(version, input[44..length], out membership) ? null : "a membership that cannot be";
    }

    public static void WriteFooter(Span<byte> output, uint salt, long bodyBytes, uint fileChecksum)
    {
        output[..FooterBytes].Clear();
        BinaryPrimitives.WriteInt64LittleEndian(output[8..], bodyBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(output[16..], fileChecksum);
        BinaryPrimitives.WriteUInt32LittleEndian(output[4..], Crc32C.Of(salt, output[8..FooterBytes]));
    }

    public static bool IsFooter(ReadOnlySpan<byte> input, uint salt, long bodyBytes, uint fileChecksum)
    {
        Span<byte> expected = stackalloc byte[FooterBytes];
        WriteFooter(expected, salt, bodyBytes, fileChecksum);
        return input.SequenceEqual(expected);
    }

    /// <summary>Whether it is a footer at all, whatever file checksum it names.</summary>
    public static bool IsFooter(ReadOnlySpan<byte> input, uint salt, long bodyBytes) =>
        IsFooter(input, salt, bodyBytes, BinaryPrimitives.ReadUInt32LittleEndian(input[16..]));

    /// <summary>Fills in the header in front of <paramref name="dataBytes"/> bytes of data.</summary>
    public static void WriteChunkHeader(Span<byte> chunk, uint salt, long bodyOffset, int dataBytes)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(chunk, (uint)dataBytes);
        BinaryPrimitives.WriteInt64LittleEndian(chunk[8..], bodyOffset);
        BinaryPrimitives.WriteUInt32LittleEndian(chunk[4..], ChunkChecksum(chunk, salt, dataBytes));
    }

    /// <summary>Length of the chunk's data; 0 where the footer begins.</summary>
    public static uint ChunkLength(ReadOnlySpan<byte> chunk) => BinaryPrimitives.ReadUInt32LittleEndian(chunk);

    public static bool IsChunk(ReadOnlySpan<byte> chunk, uint salt, long bodyOffset, int dataBytes) =>
        BinaryPrimitives.ReadInt64LittleEndian(chunk[8..]) == bodyOffset
        && BinaryPrimitives.ReadUInt32LittleEndian(chunk[4..]) == ChunkChecksum(chunk, salt, dataBytes);

    /// <summary>The note that says which snapshot the received bytes belong to.</summary>
    public static byte[] WriteNote(GroupId group, SnapshotDescriptor snapshot)
    {
        var bytes = new byte[FixedNoteBytes + MembershipCodec.Size(snapshot.Membership)];
        NoteMagic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(16), group.Value);
        WalBodies.Write(bytes.AsSpan(24), snapshot.LastIncluded);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(40), snapshot.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(48), snapshot.Checksum);
        WriteMembership(bytes.AsSpan(52), snapshot.Membership);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(ChecksumAt), Crc32C.Of(bytes));
        return bytes;
    }

    public static bool TryReadNote(
        ReadOnlySpan<byte> input, GroupId group, [NotNullWhen(true)] out SnapshotDescriptor? snapshot)
    {
        snapshot = null;
        if (input.Length < FixedNoteBytes || !input.StartsWith(NoteMagic)
            || BinaryPrimitives.ReadUInt32LittleEndian(input[8..]) != Version
            || FixedNoteBytes + MembershipBytes(Version, input[52..]) != input.Length
            || !TryVerify(input, out _)
            || BinaryPrimitives.ReadUInt32LittleEndian(input[16..]) != group.Value
            || !TryReadMembership(Version, input[52..], out var membership))
        {
            return false;
        }

        snapshot = new SnapshotDescriptor(
            WalBodies.ReadEntryId(input[24..]),
            membership,
            BinaryPrimitives.ReadUInt64LittleEndian(input[40..]),
            BinaryPrimitives.ReadUInt32LittleEndian(input[48..]));
        return true;
    }

    private static uint ChunkChecksum(ReadOnlySpan<byte> chunk, uint salt, int dataBytes)
    {
        var register = Crc32C.Continue(salt, chunk[..4]);
        return ~Crc32C.Continue(register, chunk[8..(ChunkHeaderBytes + dataBytes)]);
    }

    private static bool TryVerify(ReadOnlySpan<byte> input, out uint checksum)
    {
        checksum = BinaryPrimitives.ReadUInt32LittleEndian(input[ChecksumAt..]);
        ReadOnlySpan<byte> zero = stackalloc byte[4];
        var register = Crc32C.Continue(uint.MaxValue, input[..ChecksumAt]);
        register = Crc32C.Continue(register, zero);
        return ~Crc32C.Continue(register, input[(ChecksumAt + 4)..]) == checksum;
    }

    /// <summary>Bytes of the membership behind its length; version 1 had two counts and the ids there.</summary>
    private static int MembershipBytes(uint version, ReadOnlySpan<byte> input) => version == 1
        ? 8 * (BinaryPrimitives.ReadUInt16LittleEndian(input) + BinaryPrimitives.ReadUInt16LittleEndian(input[2..]))
        : (int)Math.Min(BinaryPrimitives.ReadUInt32LittleEndian(input), int.MaxValue / 2);

    private static void WriteMembership(Span<byte> output, Membership membership) =>
        BinaryPrimitives.WriteUInt32LittleEndian(output, (uint)MembershipCodec.Encode(membership, output[4..]));

    private static bool TryReadMembership(
        uint version, ReadOnlySpan<byte> input, [NotNullWhen(true)] out Membership? membership) =>
        version == 1
            ? TryReadIds(input, out membership)
            : MembershipCodec.TryDecode(input[4..].ToArray(), out membership, out _);

    private static bool TryReadIds(ReadOnlySpan<byte> input, [NotNullWhen(true)] out Membership? membership)
    {
        membership = null;
        var voters = new NodeId[BinaryPrimitives.ReadUInt16LittleEndian(input)];
        var learners = new NodeId[BinaryPrimitives.ReadUInt16LittleEndian(input[2..])];
        var count = voters.Length + learners.Length;
        if (count > Membership.NodesMax || input.Length != 4 + count * 8)
        {
            return false;
        }

        for (var i = 0; i < count; i++)
        {
            var node = new NodeId(BinaryPrimitives.ReadUInt64LittleEndian(input[(4 + i * 8)..]));
            if (i < voters.Length)
            {
                voters[i] = node;
            }
            else
            {
                learners[i - voters.Length] = node;
            }
        }

        // Membership stops the replica on a wrong list; a file or a peer must not be able to do that.
        if (!IsAscending(voters) || !IsAscending(learners) || voters.Intersect(learners).Any())
        {
            return false;
        }

        membership = new Membership(voters, learners);
        return true;
    }

    private static bool IsAscending(NodeId[] nodes)
    {
        for (var i = 1; i < nodes.Length; i++)
        {
            if (nodes[i - 1].CompareTo(nodes[i]) >= 0)
            {
                return false;
            }
        }

        return true;
    }
}
