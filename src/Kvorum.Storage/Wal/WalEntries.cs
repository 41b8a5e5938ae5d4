using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>The body of an entries record: entries in the entry encoding, one after the other.</summary>
internal static class WalEntries
{
    /// <summary>Writes <paramref name="entries"/> one after the other.</summary>
    public static void Encode(ReadOnlySpan<LogEntry> entries, Span<byte> output)
    {
        foreach (ref readonly var entry in entries)
        {
            output = output[EntryCodec.Encode(entry, output)..];
        }
    }

    /// <summary>Reads all <paramref name="count"/> entries of a body; payloads are slices of it.</summary>
    /// <returns>
    /// False when the body is not exactly <paramref name="count"/> entries with indexes rising from <paramref
    /// name="first"/>.
    /// </returns>
    public static bool TryDecode(ReadOnlyMemory<byte> body, LogIndex first, int count, List<LogEntry> output)
    {
        for (var i = 0; i < count; i++)
        {
            if (!EntryCodec.TryDecode(body, out var entry, out var consumed) || entry.Index != first.Plus((ulong)i))
            {
                return false;
            }

            output.Add(entry);
            body = body[consumed..];
        }

        return body.IsEmpty;
    }
}
