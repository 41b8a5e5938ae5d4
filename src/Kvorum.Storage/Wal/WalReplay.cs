using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>Adds checked records up, in order, to what each group's log is now.</summary>
/// <remarks>
/// A log that was cut begins in the middle: its first segments still speak of entries and states that were deleted.
/// Until the checkpoint that allowed the deletion, records are only collected; there, every group's log must be whole,
/// and from there on every record must fit.
/// </remarks>
internal sealed class WalReplay(
    SortedList<uint, WalGroup> groups, SortedList<uint, List<LogEntry>> entries, WalIndex index, ulong firstSegment)
{
    private bool _isWhole = firstSegment == 1;

    /// <summary>Whether nothing is missing in front of what was added.</summary>
    public bool IsWhole => _isWhole;

    public void Add(WalSegment segment, byte[] content, in WalRecordHeader record)
    {
        var body = content.AsMemory((int)record.Offset + WalRecordHeader.Bytes, record.Length - WalRecordHeader.Bytes);
        var isKnown = record.Type switch
        {
            WalRecordType.Entries => TryAddEntries(segment, record, body),
            WalRecordType.HardState => TryAddHardState(record, body.Span),
            WalRecordType.Reset => TryReset(record, body.Span),
            WalRecordType.Checkpoint => TryAddCheckpoint(record, body.Span),
            WalRecordType.Closed => body.IsEmpty,
            _ => false,
        };

        if (!isKnown)
        {
            throw new WalCorruptException(
                segment.File.Path, record.Offset, "a record that fits the ones before it",
                $"a {record.Type} record of group {record.Group} for index {record.First} that does not");
        }
    }

    private bool TryAddEntries(WalSegment segment, in WalRecordHeader record, ReadOnlyMemory<byte> body)
    {
        var (group, list) = Of(record.Group);
        if (record.Count == 0 || record.First <= group.LogStart.Index || (_isWhole && record.First > group.End.Next))
        {
            return false;
        }

        // What lies below the first entry seen is in segments that were deleted, and covered by a snapshot.
        var first = list.Count > 0 ? list[0].Index : record.First;
        var kept = record.First.CountSince(first);
        if (kept > (ulong)list.Count)
        {
            return false;
        }

        list.RemoveRange((int)kept, list.Count - (int)kept);
        if (!WalEntries.TryDecode(body, record.First, record.Count, list))
        {
            return false;
        }

        group.End = record.First.Plus((ulong)record.Count - 1);
        index.Add(
            record.Group, new WalLocation(record.First, record.Count, segment, record.Offset, record.PaddedLength));
        return true;
    }

    private bool TryAddHardState(in WalRecordHeader record, ReadOnlySpan<byte> body)
    {
        if (body.Length != WalBodies.HardStateBytes)
        {
            return false;
        }

        Of(record.Group).Group.HardState = WalBodies.ReadHardState(body);
        return true;
    }

    private bool TryReset(in WalRecordHeader record, ReadOnlySpan<byte> body)
    {
        if (body.Length != WalBodies.ResetBytes)
        {
            return false;
        }

        var (group, list) = Of(record.Group);
        list.Clear();
        group.LogStart = WalBodies.ReadEntryId(body);
        group.End = group.LogStart.Index;
        index.Reset(record.Group, group.End);
        return true;
    }

    private bool TryAddCheckpoint(in WalRecordHeader record, ReadOnlySpan<byte> body)
    {
        if (body.Length != WalBodies.CheckpointBytes)
        {
            return false;
        }

        var (group, list) = Of(record.Group);
        var (state, logStart, first) = WalBodies.ReadCheckpoint(body);
        if (_isWhole && (logStart.Index < group.LogStart.Index || logStart.Index > group.End))
        {
            return false;
        }

        var kept = list.FindIndex(entry => entry.Index > logStart.Index);
        list.RemoveRange(0, kept >= 0 ? kept : list.Count);
        group.HardState = state;
        group.LogStart = logStart;
        group.End = LogIndex.Max(group.End, logStart.Index);
        index.Cut(record.Group, logStart.Index);
        if (!_isWhole && first == firstSegment)
        {
            _isWhole = true;
            return AreAllWhole();
        }

        return true;
    }

    /// <summary>Whether every group's entries follow its log start: nothing that is still needed was deleted.</summary>
    private bool AreAllWhole()
    {
        foreach (var (id, list) in entries)
        {
            var group = groups[id];
            if (list.Count > 0 && list[0].Index != group.LogStart.Index.Next)
            {
                return false;
            }

            group.End = list.Count > 0 ? list[^1].Index : group.LogStart.Index;
        }

        return true;
    }

    private (WalGroup Group, List<LogEntry> Entries) Of(GroupId id)
    {
        if (!groups.TryGetValue(id.Value, out var group))
        {
            group = new WalGroup();
            groups.Add(id.Value, group);
            entries.Add(id.Value, []);
        }

        return (group, entries[id.Value]);
    }
}
