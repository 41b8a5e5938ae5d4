using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Reads entries back from their records. Every record is checked again: bits rot after recovery too.
/// </summary>
internal static class WalReader
{
    /// <summary>
    /// Entries from <paramref name="from"/> on, at least one, then up to <paramref name="bytesMax"/> encoded bytes.
    /// </summary>
    public static IReadOnlyList<LogEntry> Read(IReadOnlyList<WalLocation> locations, LogIndex from, int bytesMax)
    {
        var entries = new List<LogEntry>();
        var record = new List<LogEntry>();
        long bytes = 0;
        foreach (var location in locations)
        {
            record.Clear();
            ReadRecord(location, record);

            // A later record may have replaced the end of this one.
            for (var i = (int)from.CountSince(location.First); i < location.Count; i++)
            {
                bytes += EntryCodec.Size(record[i]);
                if (entries.Count > 0 && bytes > bytesMax)
                {
                    return entries;
                }

                entries.Add(record[i]);
            }
        }

        return entries;
    }

    private static int ReadBytes(IDiskFile file, byte[] bytes, uint offset)
    {
        try
        {
            return file.Read(bytes, offset);
        }
        catch (IOException e) when (DiskErrors.IsUnreadable(e))
        {
            throw new WalCorruptException(file.Path, offset, "a readable record", e.Message);
        }
    }

    private static void ReadRecord(in WalLocation location, List<LogEntry> output)
    {
        var segment = location.Segment;
        var bytes = GC.AllocateUninitializedArray<byte>(location.PaddedLength);
        var count = ReadBytes(segment.File, bytes, location.Offset);
        var isWhole = count == bytes.Length
            && WalRecordHeader.TryRead(bytes, segment.Sequence, location.Offset, out var header)
            && header.PaddedLength == bytes.Length
            && header.Type == WalRecordType.Entries
            && header.First == location.First
            && header.Matches(segment.Salt, bytes)
            && WalEntries.TryDecode(
                bytes.AsMemory(WalRecordHeader.Bytes, header.Length - WalRecordHeader.Bytes),
                header.First, header.Count, output);
        if (!isWhole)
        {
            throw new WalCorruptException(
                segment.File.Path, location.Offset, $"the record with entry {location.First}", "damage");
        }
    }
}
