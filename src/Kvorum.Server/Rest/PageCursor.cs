using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using Kvorum.Kv;

namespace Kvorum.Server.Rest;

/// <summary>
/// Where a list goes on: at which revision, after which key (in key order) or after how many items (in other orders),
/// and how many items there are in all. Opaque to callers.
/// </summary>
/// <remarks>
/// Layout before base64url, numbers big-endian: version (1 byte, 1), revision (8), count (8), items passed (4), digest
/// of prefix and order (8), last key (the rest). Nothing secret: a forged one reads what its forger may read anyway.
/// </remarks>
internal sealed record PageCursor(long Revision, long Count, int Passed, ulong Digest, byte[] LastKey)
{
    private const byte LayoutVersion = 1;
    private const int HeaderBytes = 29;

    public string Encode()
    {
        var bytes = new byte[HeaderBytes + LastKey.Length];
        bytes[0] = LayoutVersion;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(1), Revision);
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(9), Count);
        BinaryPrimitives.WriteInt32BigEndian(bytes.AsSpan(17), Passed);
        BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(21), Digest);
        LastKey.CopyTo(bytes, HeaderBytes);
        return Base64Url.EncodeToString(bytes);
    }

    /// <returns>Null when the text is no cursor of this version.</returns>
    public static PageCursor? Decode(string text)
    {
        if (!KeyText.TryFromBase64(text, out var bytes)
            || bytes.Length is < HeaderBytes or > HeaderBytes + KvLimits.KeyBytesMax
            || bytes[0] != LayoutVersion)
        {
            return null;
        }

        var cursor = new PageCursor(
            BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(1)),
            BinaryPrimitives.ReadInt64BigEndian(bytes.AsSpan(9)),
            BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(17)),
            BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(21)),
            bytes[HeaderBytes..]);
        return cursor is { Revision: > 0, Count: >= 0, Passed: >= 0 } ? cursor : null;
    }

    /// <summary>Ties a cursor to the list it came from.</summary>
    public static ulong DigestOf(in QueryOptions options)
    {
        var bytes = new byte[options.Prefix.Length + 2];
        bytes[0] = (byte)options.SortTarget;
        bytes[1] = options.IsDescending ? (byte)1 : (byte)0;
        options.Prefix.CopyTo(bytes, 2);
        return BinaryPrimitives.ReadUInt64BigEndian(SHA256.HashData(bytes));
    }
}
