using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>Where one entries record lies, and which of its entries still count.</summary>
internal readonly record struct WalLocation(
    LogIndex First, int Count, WalSegment Segment, uint Offset, int PaddedLength)
{
    public LogIndex Last => First.Plus((ulong)Count - 1);
}

/// <summary>Log index → durable record, for all groups. One item per record, not per entry. Any thread.</summary>
internal sealed class WalIndex
{
    private readonly Lock _gate = new();
    private readonly SortedList<uint, GroupRecords> _groups = [];

    /// <summary>An entries record became durable: it follows the group's records or replaces their tail.</summary>
    public void Add(GroupId group, in WalLocation location)
    {
        lock (_gate)
        {
            var records = RecordsOf(group).Items;
            while (records.Count > 0 && records[^1].Last >= location.First)
            {
                var last = records[^1];
                records.RemoveAt(records.Count - 1);
                if (last.First < location.First)
                {
                    records.Add(last with { Count = (int)location.First.CountSince(last.First) });
                }
            }

            records.Add(location);
        }
    }

    /// <summary>The group's log is empty and starts after <paramref name="logStart"/>.</summary>
    public void Reset(GroupId group, LogIndex logStart)
    {
        lock (_gate)
        {
            var records = RecordsOf(group);
            records.Items.Clear();
            records.LogStart = logStart;
        }
    }

    /// <summary>Forgets entries up to <paramref name="kept"/>.</summary>
    public void Cut(GroupId group, LogIndex kept)
    {
        lock (_gate)
        {
            var records = RecordsOf(group);
            var count = 0;
            while (count < records.Items.Count && records.Items[count].Last <= kept)
            {
                count++;
            }

            records.Items.RemoveRange(0, count);
            records.LogStart = kept;
        }
    }

    /// <summary>
    /// The lowest segment that holds an entry still needed; <paramref name="otherwise"/> when none does.
    /// </summary>
    public ulong LowestSegment(ulong otherwise)
    {
        lock (_gate)
        {
            // The records of a group lie in rising segments: a later index is never in an earlier segment.
            foreach (var records in _groups.Values)
            {
                if (records.Items.Count > 0)
                {
                    otherwise = Math.Min(otherwise, records.Items[0].Segment.Sequence);
                }
            }

            return otherwise;
        }
    }

    /// <summary>
    /// The records from the one that holds <paramref name="from"/> on, until they hold at least
    /// <paramref name="bytesMax"/>. Their segments are leased: the caller returns them.
    /// </summary>
    public List<WalLocation> Lease(GroupId group, LogIndex from, int bytesMax)
    {
        var found = new List<WalLocation>();
        lock (_gate)
        {
            if (!_groups.TryGetValue(group.Value, out var held) || from <= held.LogStart)
            {
                return found;
            }

            var records = held.Items;
            long bytes = 0;
            for (var i = Find(records, from); i >= 0 && i < records.Count && bytes < bytesMax; i++)
            {
                // The front of the first record is skipped by the reader; its size does not count.
                bytes += found.Count == 0 ? 1 : records[i].PaddedLength;
                records[i].Segment.Lease();
                found.Add(records[i]);
            }
        }

        return found;
    }

    private static int Find(List<WalLocation> records, LogIndex index)
    {
        var (low, high) = (0, records.Count - 1);
        while (low <= high)
        {
            var middle = (low + high) / 2;
            if (records[middle].Last < index)
            {
                low = middle + 1;
            }
            else if (records[middle].First > index)
            {
                high = middle - 1;
            }
            else
            {
                return middle;
            }
        }

        return -1;
    }

    private GroupRecords RecordsOf(GroupId group)
    {
        if (!_groups.TryGetValue(group.Value, out var records))
        {
            records = new GroupRecords();
            _groups.Add(group.Value, records);
        }

        return records;
    }

    private sealed class GroupRecords
    {
        public List<WalLocation> Items { get; } = [];

        public LogIndex LogStart { get; set; }
    }
}
