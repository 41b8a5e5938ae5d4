namespace Kvorum.Kv;

/// <summary>etcd's way to write a range as a key and an end (etcd v3 API, RangeRequest).</summary>
internal static class Ranges
{
    /// <summary>The range of a key and an end that is not empty; a single zero byte means there is no end.</summary>
    public static KeyRange Of(ReadOnlySpan<byte> key, ReadOnlySpan<byte> rangeEnd) =>
        IsOpen(rangeEnd)
            ? KeyRange.From(key)
            : KeyRange.Between(key, KvMutants.RangeEndOffByOne ? (byte[])[.. rangeEnd, 0] : rangeEnd);

    /// <summary>Whether <paramref name="candidate"/> lies in the range; an empty end means the one key.</summary>
    public static bool Contains(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> rangeEnd, ReadOnlySpan<byte> candidate)
    {
        if (rangeEnd.IsEmpty)
        {
            return candidate.SequenceEqual(key);
        }

        return candidate.SequenceCompareTo(key) >= 0
            && (IsOpen(rangeEnd) || candidate.SequenceCompareTo(rangeEnd) < 0);
    }

    /// <summary>
    /// The first key behind all keys that start with <paramref name="prefix"/>; a zero byte when none is.
    /// </summary>
    public static byte[] EndOfPrefix(ReadOnlySpan<byte> prefix)
    {
        var length = prefix.Length;
        while (length > 0 && prefix[length - 1] == byte.MaxValue)
        {
            length--;
        }

        if (length == 0)
        {
            return [0];
        }

        var end = prefix[..length].ToArray();
        end[length - 1]++;
        return end;
    }

    private static bool IsOpen(ReadOnlySpan<byte> rangeEnd) => rangeEnd is [0];
}
