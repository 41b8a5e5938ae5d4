using Kvorum.Kv;

namespace Kvorum.Server.Rest;

/// <summary>Limits of the HTTP interface; those of keys and values are in <see cref="KvLimits"/>.</summary>
internal static class RestLimits
{
    /// <summary>The largest request body, in bytes, whatever it holds.</summary>
    public const int BodyBytesMax = KvLimits.ValueBytesMax;

    /// <summary>
    /// The longest request line a key may need, in bytes: every byte of the longest key percent-encoded, in the path
    /// or as a cursor, and room for the method and other parameters. Belongs into the host's limits.
    /// </summary>
    public const int RequestLineBytesMax = 3 * KvLimits.KeyBytesMax + 4096;

    /// <summary>The most items on a page of keys.</summary>
    public const int PageItemsMax = 10_000;

    /// <summary>Items on a page when the caller does not say.</summary>
    public const int PageItemsDefault = 100;

    /// <summary>A page ends with the item that passes this many bytes of keys and values.</summary>
    public const int PageBytesMax = 4 * 1024 * 1024;

    /// <summary>The longest idempotency key, in characters.</summary>
    public const int IdempotencyKeyMax = 255;

    /// <summary>The most rows one read inside a transaction returns.</summary>
    public const int TxnReadRowsMax = 1000;

    /// <summary>The longest name of a member, in characters.</summary>
    public const int MemberNameMax = 64;

    /// <summary>The most client URLs of a member.</summary>
    public const int MemberUrlsMax = 16;

    /// <summary>The longest URL of a member, in characters.</summary>
    public const int MemberUrlCharactersMax = 256;

    /// <summary>The most characters of a caller's words repeated in an error.</summary>
    public const int EchoMax = 80;

    /// <summary>Bytes of a refused body that are read and thrown away, so that the caller hears the answer.</summary>
    public const int DiscardBytesMax = 16 * 1024 * 1024;

    /// <summary>How long throwing them away may take.</summary>
    public static readonly TimeSpan DiscardTimeMax = TimeSpan.FromSeconds(5);
}
