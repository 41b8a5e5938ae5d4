using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>What is left of a damaged log, for one group. Never enough to vote with.</summary>
/// <param name="HardState">
/// The newest term seen in any whole record, and the vote in it when that was seen too.
/// </param>
/// <param name="IsStartKnown">
/// Whether <paramref name="LogStart"/> is proven; when not, the entries follow one another, but what came before them
/// is not known.
/// </param>
/// <param name="LogStart">The entry just before the first one kept.</param>
/// <param name="Entries">Entries before the damage: this log as it was at an earlier moment.</param>
/// <param name="LastSeen">The highest index in any whole record, also behind the damage; 0 when there is none.</param>
public sealed record SalvagedLog(
    HardState HardState, bool IsStartKnown, EntryId LogStart, IReadOnlyList<LogEntry> Entries, LogIndex LastSeen)
{
    /// <summary>Nothing is left.</summary>
    public static SalvagedLog Nothing { get; } = new(default, false, EntryId.Start, [], LogIndex.Zero);
}

/// <summary>
/// Reads what can be read of a log that does not open, oldest segment first, up to the first place that is not whole.
/// Changes nothing on disk.
/// </summary>
/// <remarks>
/// What it finds is a state this log was in at some earlier moment: a Raft log of its own right, only too old. Records
/// behind the damage tell how much was lost, and nothing else.
/// </remarks>
internal sealed class WalSalvage(IDisk disk, WalFiles files, WalOptions options, GroupId group)
{
    private readonly SortedList<uint, WalGroup> _groups = [];
    private readonly SortedList<uint, List<LogEntry>> _entries = [];
    private readonly List<LogEntry> _decoded = [];
    private HardState _hardState;
    private LogIndex _lastSeen;

    public SalvagedLog Read()
    {
        var recovery = new WalRecovery(disk, files, options);
        var sequences = recovery.FindSegments();
        if (sequences.Count == 0)
        {
            return SalvagedLog.Nothing;
        }

        var replay = new WalReplay(_groups, _entries, new WalIndex(), sequences[0]);
        WalScan? last = null;
        var isPrefix = true;
        foreach (var sequence in sequences)
        {
            var scan = TryLoad(recovery, sequence);
            isPrefix = isPrefix && scan is not null && Follows(last, scan.Header);
            if (scan is not null)
            {
                Walk(scan);
                isPrefix = isPrefix && TryReplay(replay, scan);
                See(scan);
                scan.Segment.Retire();
                last = scan;
            }
        }

        return _groups.TryGetValue(group.Value, out var found)
            ? new SalvagedLog(_hardState, replay.IsWhole, found.LogStart, _entries[group.Value], _lastSeen)
            : SalvagedLog.Nothing with { HardState = _hardState, IsStartKnown = replay.IsWhole, LastSeen = _lastSeen };
    }

    private static bool Follows(WalScan? last, in WalSegmentHeader header) =>
        last is null || (header.Sequence == last.Header.Sequence + 1
            && header.PreviousEnd == last.End && header.PreviousChain == last.Chain);

    private static WalScan? TryLoad(WalRecovery recovery, ulong sequence)
    {
        try
        {
            return recovery.Load(sequence);
        }
        catch (WalCorruptException)
        {
            return null;
        }
    }

    private static void Walk(WalScan scan)
    {
        try
        {
            new WalSegmentCheck(scan, next: null).Walk();
        }
        catch (WalCorruptException)
        {
            // The records before the one that does not follow stand.
        }
    }

    /// <summary>Adds the segment's records up, as far as they fit.</summary>
    private static bool TryReplay(WalReplay replay, WalScan scan)
    {
        try
        {
            foreach (var record in scan.Records)
            {
                replay.Add(scan.Segment, scan.Content, record);
            }

            return true;
        }
        catch (WalCorruptException)
        {
            return false;
        }
    }

    /// <summary>Looks at every whole record of the segment, wherever it is.</summary>
    private void See(WalScan scan)
    {
        var content = scan.Content.AsSpan();
        for (var offset = WalSegmentHeader.Bytes; offset < content.Length;)
        {
            var rest = content[offset..];
            if (!WalRecordHeader.TryRead(rest, scan.Segment.Sequence, (uint)offset, out var record)
                || !record.Matches(scan.Segment.Salt, rest))
            {
                offset += 8;
                continue;
            }

            if (record.Group == group)
            {
                var bodyBytes = record.Length - WalRecordHeader.Bytes;
                See(record, scan.Content.AsMemory(offset + WalRecordHeader.Bytes, bodyBytes));
            }

            offset += record.PaddedLength;
        }
    }

    private void See(in WalRecordHeader record, ReadOnlyMemory<byte> body)
    {
        switch (record.Type)
        {
            case WalRecordType.HardState when body.Length == WalBodies.HardStateBytes:
                See(WalBodies.ReadHardState(body.Span));
                break;
            case WalRecordType.Checkpoint when body.Length == WalBodies.CheckpointBytes:
                var (state, logStart, _) = WalBodies.ReadCheckpoint(body.Span);
                See(state);
                _lastSeen = LogIndex.Max(_lastSeen, logStart.Index);
                break;
            case WalRecordType.Reset when body.Length == WalBodies.ResetBytes:
                _lastSeen = LogIndex.Max(_lastSeen, WalBodies.ReadEntryId(body.Span).Index);
                break;
            case WalRecordType.Entries when record.Count > 0:
                _decoded.Clear();
                if (WalEntries.TryDecode(body, record.First, record.Count, _decoded))
                {
                    _lastSeen = LogIndex.Max(_lastSeen, _decoded[^1].Index);
                    See(new HardState(_decoded[^1].Term, null));
                }

                break;
        }
    }

    private void See(HardState state)
    {
        if (state.Term > _hardState.Term || (state.Term == _hardState.Term && state.VotedFor is not null))
        {
            _hardState = state;
        }
    }
}
