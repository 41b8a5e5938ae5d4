using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Reads a damaged log around its damage, when the place where it ends is certain. Changes nothing on disk.
/// </summary>
/// <remarks>
/// Segments are never used again and a record names its place, so a whole record is the true one of its place, wherever
/// it stands; what is read in one piece, record tied to record, is a run. The end is certain when the newest segment is
/// there, the last run in it is followed by zeros only, and each place in front of it where no record is to be read was
/// durable once. Anything less is for <see cref="WalSalvage"/>.
/// </remarks>
internal sealed class WalRuns(IDisk disk, WalFiles files, WalOptions options, GroupId group)
{
    /// <summary>The search behind damage checks at most this many times the segment's bytes.</summary>
    private const int SearchFactorMax = 4;

    private readonly WalRecovery _recovery = new(disk, files, options);
    private readonly WalRunReplay _replay = new(group);
    private readonly List<WalScan> _open = [];

    /// <returns>Null when the end, or what was promised last, is not certain.</returns>
    public BrokenLog? Read()
    {
        try
        {
            return ReadSegments() ? _replay.Finish() : null;
        }
        finally
        {
            _open.ForEach(scan => scan.Segment.Retire());
        }
    }

    private bool ReadSegments()
    {
        var sequences = _recovery.FindSegments();
        WalScan? last = null;
        for (var i = 0; i < sequences.Count; i++)
        {
            var scan = TryLoad(sequences[i]);
            var isNewest = i == sequences.Count - 1;
            if (scan is null)
            {
                if (isNewest)
                {
                    return false;
                }

                last = null;
                _replay.Break();
                continue;
            }

            if (i == 0)
            {
                _replay.Begin(isWhole: sequences[0] == 1);
            }
            else if (last is null || last.Header.Sequence + 1 != scan.Header.Sequence
                || last.End != scan.Header.PreviousEnd || last.Chain != scan.Header.PreviousChain)
            {
                _replay.Break();
            }

            if (!Read(scan, isNewest) || (isNewest && scan.IsSealed))
            {
                return false;
            }

            last = scan;
        }

        return true;
    }

    private WalScan? TryLoad(ulong sequence)
    {
        try
        {
            var scan = _recovery.Load(sequence);
            _open.Add(scan);
            return scan;
        }
        catch (WalCorruptException)
        {
            return null;
        }
    }

    /// <returns>False when what can be read contradicts itself, or the end is not certain.</returns>
    private bool Read(WalScan scan, bool isNewest)
    {
        var written = scan.Content.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        var budget = (long)SearchFactorMax * scan.Content.Length;
        uint? chain = scan.Chain;
        long unprovenAt = -1;
        for (long offset = WalSegmentHeader.Bytes; ;)
        {
            if (TryReadAt(scan, offset, ref budget, out var record))
            {
                if (chain is { } known && record.Previous != known)
                {
                    return false;
                }

                unprovenAt = record.Horizon > unprovenAt ? -1 : unprovenAt;
                if (record.Type is WalRecordType.Sealed)
                {
                    scan.IsSealed = true;
                    return true;
                }

                if (!_replay.TryAdd(record, scan.Content))
                {
                    return false;
                }

                chain = record.Checksum;
                offset += record.PaddedLength;
                (scan.End, scan.Chain) = (offset, record.Checksum);
                continue;
            }

            var next = FindRecord(scan, offset + 8, written, ref budget);
            if (budget < 0)
            {
                return false;
            }

            if (next < 0)
            {
                // In an older segment the next header knows better; in the newest only zeros are an end.
                return !isNewest || (written <= offset && unprovenAt < 0);
            }

            // A tear of the newest write, unless a later record proves that the place was durable.
            unprovenAt = isNewest ? Math.Max(unprovenAt, offset) : -1;
            _replay.Break();
            chain = null;
            offset = next;
        }
    }

    private static long FindRecord(WalScan scan, long from, int written, ref long budget)
    {
        for (var offset = from; offset < written && budget >= 0; offset += 8)
        {
            if (TryReadAt(scan, offset, ref budget, out _))
            {
                return offset;
            }
        }

        return -1;
    }

    private static bool TryReadAt(WalScan scan, long offset, ref long budget, out WalRecordHeader record)
    {
        record = default;
        if (offset >= scan.Content.Length || !WalRecordHeader.TryRead(
            scan.Content.AsSpan((int)offset), scan.Segment.Sequence, (uint)offset, out record))
        {
            return false;
        }

        budget -= record.PaddedLength;
        return record.Matches(scan.Segment.Salt, scan.Content.AsSpan((int)offset));
    }
}

/// <summary>Adds records up for one group, anew behind each damaged place.</summary>
internal sealed class WalRunReplay(GroupId group)
{
    private readonly List<LogRun> _earlier = [];
    private readonly List<LogEntry> _decoded = [];
    private List<LogEntry> _entries = [];
    private EntryId? _previous;
    private EntryId? _logStart;
    private HardState? _hardState;
    private bool _hasBegun;

    /// <summary>The first segment begins.</summary>
    /// <param name="isWhole">It is the first one there ever was, so the log began empty.</param>
    public void Begin(bool isWhole)
    {
        if (isWhole && !_hasBegun)
        {
            _previous = EntryId.Start;
        }

        _hasBegun = true;
    }

    /// <summary>Something is missing here, nobody knows what.</summary>
    public void Break()
    {
        _hasBegun = true;
        if (_entries.Count > 0)
        {
            _earlier.Add(new LogRun(_previous, _entries));
        }

        _entries = [];
        _previous = null;
        _logStart = null;
        _hardState = null;
    }

    /// <returns>False when the record does not fit what came before.</returns>
    public bool TryAdd(in WalRecordHeader record, byte[] content)
    {
        if (record.Group != group)
        {
            return true;
        }

        var body = content.AsMemory((int)record.Offset + WalRecordHeader.Bytes, record.Length - WalRecordHeader.Bytes);
        switch (record.Type)
        {
            case WalRecordType.Entries:
                return record.Count > 0 && TryAddEntries(record, body);
            case WalRecordType.HardState when body.Length == WalBodies.HardStateBytes:
                _hardState = WalBodies.ReadHardState(body.Span);
                return true;
            case WalRecordType.Reset when body.Length == WalBodies.ResetBytes:
                _entries = [];
                _previous = WalBodies.ReadEntryId(body.Span);
                return true;
            case WalRecordType.Checkpoint when body.Length == WalBodies.CheckpointBytes:
                (var state, var logStart, _) = WalBodies.ReadCheckpoint(body.Span);
                _hardState = state;
                return TryCut(logStart);
            default:
                return false;
        }
    }

    /// <returns>Null when the log's end or its hard state is lost: both must stand behind the damage.</returns>
    public BrokenLog? Finish() =>
        _hardState is { } state && (_entries.Count > 0 || _previous is not null)
            ? new BrokenLog(state, [.. _earlier, new LogRun(_previous, _entries)])
            : null;

    private bool TryAddEntries(in WalRecordHeader record, ReadOnlyMemory<byte> body)
    {
        _decoded.Clear();
        if (!WalEntries.TryDecode(body, record.First, record.Count, _decoded)
            || (_previous is { } previous && record.First <= previous.Index))
        {
            return false;
        }

        if (_previous is { } known && record.First > known.Index.Plus((ulong)_entries.Count).Next)
        {
            return false;
        }

        if (_previous is null && (_entries.Count == 0 || record.First < _entries[0].Index))
        {
            // All before it is what is not known; the run begins here.
            _entries = [.. _decoded];
            _previous = _logStart is { } start && start.Index.Next == record.First ? start : null;
            return true;
        }

        var kept = record.First.CountSince(_entries.Count > 0 ? _entries[0].Index : record.First);
        if (kept > (ulong)_entries.Count)
        {
            return false;
        }

        _entries.RemoveRange((int)kept, _entries.Count - (int)kept);
        _entries.AddRange(_decoded);
        return true;
    }

    private bool TryCut(EntryId logStart)
    {
        _logStart = logStart;
        if (_entries.Count == 0)
        {
            // What stands behind it is in what is missing, unless the log is known to be empty.
            return _previous is null || _previous == logStart;
        }

        if (logStart.Index.Next < _entries[0].Index)
        {
            return _previous is null;
        }

        var at = _entries.FindIndex(entry => entry.Index == logStart.Index);
        if (at >= 0 && _entries[at].Id != logStart)
        {
            return false;
        }

        if (at < 0 && logStart.Index.Next != _entries[0].Index)
        {
            return false;
        }

        _entries.RemoveRange(0, at + 1);
        _previous = logStart;
        return true;
    }
}
