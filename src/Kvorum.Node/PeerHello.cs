using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace Kvorum.Node;

/// <summary>What both ends of a peer connection say first; the layout is in docs/formats.md.</summary>
/// <param name="ClusterId">Must be equal on both ends.</param>
/// <param name="Node">The speaker.</param>
/// <param name="To">Whom it believes to speak to.</param>
/// <param name="Incarnation">Of the speaker's data directory.</param>
/// <param name="RememberedIncarnation">The listener's as the speaker first met it; 0 when never met.</param>
public readonly record struct PeerHello(
    ulong ClusterId, ulong Node, ulong To, ulong Incarnation, ulong RememberedIncarnation)
{
    /// <summary>Encoded size in bytes, magic and version included.</summary>
    public const int Bytes = 76;

    /// <summary>The version this node speaks, and no other: 1 knew no promises and was never released.</summary>
    public const ushort Version = 2;

    private const int VersionOffset = 4;
    private const int ReservedOffset = 6;
    private const int ClusterOffset = 8;
    private const int NodeOffset = 16;
    private const int ToOffset = 24;
    private const int IncarnationOffset = 32;
    private const int RememberedOffset = 40;
    private const int PromisedTermOffset = 48;
    private const int AcknowledgedTermOffset = 56;
    private const int AcknowledgedIndexOffset = 64;
    private const int ChecksumOffset = 72;

    /// <summary>
    /// What the speaker knows to be durable in the listener's directory <see cref="RememberedIncarnation"/>.
    /// </summary>
    public PeerPromise Promise { get; init; }

    private static ReadOnlySpan<byte> Magic => "KVPH"u8;

    /// <summary>Magic and version: enough to tell a stranger, who may send less than a whole hello and wait.</summary>
    public const int BeginningBytes = 6;

    /// <summary>Writes exactly <see cref="Bytes"/> bytes.</summary>
    public void Encode(Span<byte> output)
    {
        Magic.CopyTo(output);
        BinaryPrimitives.WriteUInt16LittleEndian(output[VersionOffset..], Version);
        BinaryPrimitives.WriteUInt16LittleEndian(output[ReservedOffset..], 0);
        BinaryPrimitives.WriteUInt64LittleEndian(output[ClusterOffset..], ClusterId);
        BinaryPrimitives.WriteUInt64LittleEndian(output[NodeOffset..], Node);
        BinaryPrimitives.WriteUInt64LittleEndian(output[ToOffset..], To);
        BinaryPrimitives.WriteUInt64LittleEndian(output[IncarnationOffset..], Incarnation);
        BinaryPrimitives.WriteUInt64LittleEndian(output[RememberedOffset..], RememberedIncarnation);
        BinaryPrimitives.WriteUInt64LittleEndian(output[PromisedTermOffset..], Promise.Term);
        BinaryPrimitives.WriteUInt64LittleEndian(output[AcknowledgedTermOffset..], Promise.AcknowledgedTerm);
        BinaryPrimitives.WriteUInt64LittleEndian(output[AcknowledgedIndexOffset..], Promise.AcknowledgedIndex);
        BinaryPrimitives.WriteUInt32LittleEndian(output[ChecksumOffset..], Checksum(output[..ChecksumOffset]));
    }

    /// <summary>
    /// Reads a hello. False with a reason when it is not one, or of a version this node does not speak.
    /// </summary>
    public static bool TryDecode(
        ReadOnlySpan<byte> input, out PeerHello hello, [NotNullWhen(false)] out string? error)
    {
        hello = default;
        if (input.Length >= BeginningBytes && !input.StartsWith(Magic))
        {
            error = "no hello: the first four bytes are not KVPH (is this a client speaking to a peer port?)";
            return false;
        }

        if (input.Length >= BeginningBytes && !IsVersionSpoken(input, out var version))
        {
            error = $"peer protocol version {version} where {Version} was expected";
            return false;
        }

        if (input.Length < Bytes)
        {
            error = $"a hello of {input.Length} bytes where {Bytes} were expected";
            return false;
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(input[ChecksumOffset..]) != Checksum(input[..ChecksumOffset]))
        {
            error = "a damaged hello: its checksum does not match";
            return false;
        }

        if (BinaryPrimitives.ReadUInt16LittleEndian(input[ReservedOffset..]) is not 0)
        {
            error = "a hello whose reserved bytes are not zero";
            return false;
        }

        hello = new PeerHello(
            BinaryPrimitives.ReadUInt64LittleEndian(input[ClusterOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(input[NodeOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(input[ToOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(input[IncarnationOffset..]),
            BinaryPrimitives.ReadUInt64LittleEndian(input[RememberedOffset..]))
        {
            Promise = new PeerPromise(
                BinaryPrimitives.ReadUInt64LittleEndian(input[PromisedTermOffset..]),
                BinaryPrimitives.ReadUInt64LittleEndian(input[AcknowledgedTermOffset..]),
                BinaryPrimitives.ReadUInt64LittleEndian(input[AcknowledgedIndexOffset..])),
        };
        error = null;
        return true;
    }

    /// <summary>
    /// Whether <paramref name="input"/>, at least 6 bytes that begin with the magic, is of this version.
    /// </summary>
    public static bool IsVersionSpoken(ReadOnlySpan<byte> input, out ushort version)
    {
        version = BinaryPrimitives.ReadUInt16LittleEndian(input[VersionOffset..]);
        return version == Version;
    }

    private static uint Checksum(ReadOnlySpan<byte> bytes)
    {
        var checksum = uint.MaxValue;
        foreach (var value in bytes)
        {
            checksum = BitOperations.Crc32C(checksum, value);
        }

        return ~checksum;
    }
}
