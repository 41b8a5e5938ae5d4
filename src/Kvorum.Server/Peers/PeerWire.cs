using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Runtime.InteropServices;
using System.Text;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>A listener's answer to a hello; the numbers are on the wire and never reused (docs/formats.md).</summary>
internal enum PeerVerdict : byte
{
    Welcome = 0,
    Malformed = 1,
    VersionNotSpoken = 2,
    OtherCluster = 3,
    MeantForAnotherNode = 4,
    OwnId = 5,
    NotAMember = 6,
    RefusedByNode = 7,
    NotReady = 8,
    Introduction = 9,
}

/// <summary>
/// The bytes of a peer connection around the hello: text blocks, answers and frame headers (docs/formats.md).
/// </summary>
internal static class PeerWire
{
    public const int AnswerHeaderBytes = 8;
    public const int FrameHeaderBytes = 8;
    public const int TextLengthBytes = 2;
    public const int TextChecksumBytes = 4;
    public const ushort AnswerVersion = 1;

    private const int VersionOffset = 4;
    private const int VerdictOffset = 6;
    private const int FrameChecksumOffset = 4;

    private static readonly UTF8Encoding StrictUtf8 = new(false, throwOnInvalidBytes: true);

    private static ReadOnlySpan<byte> AnswerMagic => "KVPA"u8;

    /// <summary>A hello and the speaker's client URLs.</summary>
    public static byte[] EncodeSpeaker(in PeerHello hello, string clientUrls)
    {
        var text = EncodeText(clientUrls);
        var bytes = new byte[PeerHello.Bytes + text.Length];
        hello.Encode(bytes);
        text.CopyTo(bytes, PeerHello.Bytes);
        return bytes;
    }

    /// <summary>A listener's answer: the header, then <paramref name="rest"/> (a speaker or a text block).</summary>
    public static byte[] EncodeAnswer(PeerVerdict verdict, ReadOnlySpan<byte> rest)
    {
        var bytes = new byte[AnswerHeaderBytes + rest.Length];
        AnswerMagic.CopyTo(bytes);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(VersionOffset), AnswerVersion);
        bytes[VerdictOffset] = (byte)verdict;
        rest.CopyTo(bytes.AsSpan(AnswerHeaderBytes));
        return bytes;
    }

    public static bool TryDecodeAnswerHeader(
        ReadOnlySpan<byte> input, out PeerVerdict verdict, [NotNullWhen(false)] out string? error)
    {
        verdict = (PeerVerdict)input[VerdictOffset];
        error = null;
        if (!input.StartsWith(AnswerMagic))
        {
            error = "the answer does not begin with KVPA (is this a peer port?)";
        }
        else if (BinaryPrimitives.ReadUInt16LittleEndian(input[VersionOffset..]) is var version
            && version != AnswerVersion)
        {
            error = $"peer protocol version {version} in the answer where {AnswerVersion} was expected";
        }

        return error is null;
    }

    /// <summary>A text block; text past <see cref="PeerLimits.TextBytesMax"/> is cut.</summary>
    public static byte[] EncodeText(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var length = Math.Min(utf8.Length, PeerLimits.TextBytesMax);
        while (length < utf8.Length && length > 0 && (utf8[length] & 0xC0) == 0x80)
        {
            length--; // Never cuts a character in two.
        }

        var bytes = new byte[TextLengthBytes + length + TextChecksumBytes];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, (ushort)length);
        utf8.AsSpan(0, length).CopyTo(bytes.AsSpan(TextLengthBytes));
        var checksum = Checksum(bytes.AsSpan(0, TextLengthBytes + length));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(TextLengthBytes + length), checksum);
        return bytes;
    }

    /// <summary>The text's length from its first two bytes; false when over the limit.</summary>
    public static bool TryReadTextLength(ReadOnlySpan<byte> input, out int length)
    {
        length = BinaryPrimitives.ReadUInt16LittleEndian(input);
        return length <= PeerLimits.TextBytesMax;
    }

    /// <summary>The text of a whole block. False when its checksum or its UTF-8 is wrong.</summary>
    public static bool TryDecodeText(ReadOnlySpan<byte> block, [NotNullWhen(true)] out string? text)
    {
        text = null;
        var covered = block[..^TextChecksumBytes];
        if (BinaryPrimitives.ReadUInt32LittleEndian(block[^TextChecksumBytes..]) != Checksum(covered))
        {
            return false;
        }

        try
        {
            text = StrictUtf8.GetString(covered[TextLengthBytes..]);
            return true;
        }
        catch (DecoderFallbackException)
        {
            return false;
        }
    }

    public static void WriteFrameHeader(Span<byte> output, ReadOnlySpan<byte> payload)
    {
        BinaryPrimitives.WriteInt32LittleEndian(output, payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(output[FrameChecksumOffset..], FrameChecksum(payload));
    }

    /// <summary>The payload's length and checksum; false when the length is out of range.</summary>
    public static bool TryReadFrameHeader(ReadOnlySpan<byte> input, out int length, out uint checksum)
    {
        length = BinaryPrimitives.ReadInt32LittleEndian(input);
        checksum = BinaryPrimitives.ReadUInt32LittleEndian(input[FrameChecksumOffset..]);
        return length is > 0 and <= PeerLimits.FrameBytesMax;
    }

    /// <summary>Over the length and the payload, so that a damaged length is found too.</summary>
    public static uint FrameChecksum(ReadOnlySpan<byte> payload) =>
        ~Accumulate(BitOperations.Crc32C(uint.MaxValue, (uint)payload.Length), payload);

    private static uint Checksum(ReadOnlySpan<byte> bytes) => ~Accumulate(uint.MaxValue, bytes);

    private static uint Accumulate(uint checksum, ReadOnlySpan<byte> bytes)
    {
        foreach (var word in MemoryMarshal.Cast<byte, ulong>(bytes))
        {
            var ordered = BitConverter.IsLittleEndian ? word : BinaryPrimitives.ReverseEndianness(word);
            checksum = BitOperations.Crc32C(checksum, ordered);
        }

        foreach (var value in bytes[(bytes.Length & ~7)..])
        {
            checksum = BitOperations.Crc32C(checksum, value);
        }

        return checksum;
    }
}
