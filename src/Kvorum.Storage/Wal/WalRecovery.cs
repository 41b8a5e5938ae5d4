using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>What one group's records add up to.</summary>
internal sealed class WalGroup
{
    public HardState HardState { get; set; }

    /// <summary>The entry just before the first one kept.</summary>
    public EntryId LogStart { get; set; }

    /// <summary>The last entry's index, or that of <see cref="LogStart"/>.</summary>
    public LogIndex End { get; set; }
}

/// <summary>A segment as it was found.</summary>
internal sealed class WalScan
{
    public required WalSegment Segment { get; init; }

    public required WalSegmentHeader Header { get; init; }

    public required byte[] Content { get; init; }

    public List<WalRecordHeader> Records { get; } = [];

    /// <summary>Where the records end; a sealed record is not counted.</summary>
    public long End { get; set; } = WalSegmentHeader.Bytes;

    /// <summary>Checksum of the last record, of the header when there is none.</summary>
    public uint Chain { get; set; }

    public bool IsSealed { get; set; }

    /// <summary>
    /// The lowest segment that belongs to the log, by the last checkpoint in here; 0 when there is none.
    /// </summary>
    public ulong FirstSegment { get; set; }
}

/// <summary>Reads all segments, decides between a torn tail and corruption, and adds the records up.</summary>
/// <remarks>
/// Two steps: <see cref="Read"/> changes nothing on disk, so that a refusal leaves everything as it was.
/// </remarks>
internal sealed class WalRecovery(IDisk disk, WalFiles files, WalOptions options)
{
    private readonly List<WalScan> _scans = [];
    private readonly List<ulong> _leftovers = [];

    public SortedList<uint, WalGroup> Groups { get; } = [];

    /// <summary>Entries per group until the owner takes them.</summary>
    public SortedList<uint, List<LogEntry>> Entries { get; } = [];

    public WalIndex Index { get; } = new();

    /// <summary>The segments of the log, oldest first; empty for a new log.</summary>
    public IReadOnlyList<WalScan> Scans => _scans;

    /// <summary>Reads and checks everything.</summary>
    /// <exception cref="WalCorruptException">Something durable is damaged or missing.</exception>
    public void Read()
    {
        try
        {
            ReadSegments(FindSegments());
            if (options.RefusesTornTail && _scans.Count > 0)
            {
                RefuseTornTail(_scans[^1]);
            }

            Replay();
        }
        catch
        {
            foreach (var scan in _scans)
            {
                scan.Segment.Retire();
            }

            throw;
        }
    }

    /// <summary>Brings the files to a state that appends may build on.</summary>
    public void Repair()
    {
        files.CleanUp();
        if (_leftovers.Count > 0)
        {
            files.Delete(_leftovers);
        }

        if (_scans.Count == 0)
        {
            return;
        }

        var newest = _scans[^1];
        RewriteTail(newest);
        if (_scans.Count > 1 && !_scans[^2].IsSealed)
        {
            WriteSealed(_scans[^2]);
        }

        // A process may have died between a rename and the sync of the directory.
        disk.SyncDirectory(files.Directory);
    }

    /// <summary>Says durably that the segment after <paramref name="scan"/> exists.</summary>
    private static void WriteSealed(WalScan scan)
    {
        WriteSealed(scan.Segment, scan.End, scan.Chain);
        scan.IsSealed = true;
    }

    public static void WriteSealed(WalSegment segment, long end, uint chain)
    {
        var header = new WalRecordHeader(
            0, WalRecordHeader.Bytes, WalRecordType.Sealed, default, segment.Sequence, (uint)end, (uint)end, chain, 0,
            default);
        Span<byte> record = stackalloc byte[WalRecordHeader.Bytes];
        WalBatch.Seal(record, header, segment.Salt);
        segment.File.Write(record, end);
        segment.File.Sync();
    }

    internal List<ulong> FindSegments()
    {
        var sequences = new List<ulong>();
        foreach (var name in disk.List(files.Directory))
        {
            if (WalSegment.TryParseName(name, out var sequence))
            {
                sequences.Add(sequence);
            }
        }

        sequences.Sort();
        return sequences;
    }

    /// <summary>
    /// From the newest back to the lowest that belongs to the log: only a newer segment knows which that is.
    /// </summary>
    private void ReadSegments(List<ulong> sequences)
    {
        ulong first = 0;
        for (var i = sequences.Count - 1; i >= 0; i--)
        {
            var sequence = sequences[i];
            if (sequence < first)
            {
                _leftovers.AddRange(sequences[..(i + 1)]);
                break;
            }

            var next = _scans.Count > 0 ? _scans[^1] : null;
            if (next is not null && next.Header.Sequence != sequence + 1)
            {
                throw Missing(next.Header.Sequence - 1, next.Header.Sequence);
            }

            var scan = Load(sequence);
            _scans.Add(scan);
            new WalSegmentCheck(scan, next?.Header).Run();
            first = first == 0 ? scan.FirstSegment : first;
        }

        _scans.Reverse();
#if MUTANTS
        if (StorageMutants.TruncateAtDamage)
        {
            DropAfterDamage();
        }
#endif
        if (_scans.Count > 0 && _scans[0].Header.Sequence != Math.Max(first, 1))
        {
            throw Missing(Math.Max(first, 1), _scans[0].Header.Sequence);
        }
    }

#if MUTANTS
    /// <summary>Mutant 33: the log ends where the first segment ends that is not whole.</summary>
    private void DropAfterDamage()
    {
        for (var i = 1; i < _scans.Count; i++)
        {
            if (_scans[i - 1].End != _scans[i].Header.PreviousEnd)
            {
                _leftovers.AddRange(_scans[i..].Select(scan => scan.Header.Sequence));
                _scans[i..].ForEach(scan => scan.Segment.Retire());
                _scans.RemoveRange(i, _scans.Count - i);
                _scans[^1].IsSealed = false;
            }
        }
    }
#endif

    private WalCorruptException Missing(ulong sequence, ulong later) => new(
        files.PathOf(WalSegment.NameOf(sequence)), 0, $"this segment before segment {later}", "no such file");

    private static int ReadAll(IDiskFile file, byte[] content)
    {
        try
        {
            return file.Read(content, 0);
        }
        catch (IOException e) when (DiskErrors.IsUnreadable(e))
        {
            throw new WalCorruptException(file.Path, 0, "a readable segment", e.Message);
        }
    }

    private static void RefuseTornTail(WalScan newest)
    {
        if (newest.Content.AsSpan((int)newest.End).ContainsAnyExcept((byte)0))
        {
            throw new WalCorruptException(
                newest.Segment.File.Path, newest.End, "nothing behind the last whole record", "a damaged one");
        }
    }

    internal WalScan Load(ulong sequence)
    {
        var path = files.PathOf(WalSegment.NameOf(sequence));
        var file = disk.Open(path, create: false);
        try
        {
            var length = file.Length;
            if (length is < WalSegmentHeader.Bytes or > WalOptions.SegmentBytesMax)
            {
                throw new WalCorruptException(path, 0, "a whole segment", $"a file of {length} bytes");
            }

            var content = GC.AllocateUninitializedArray<byte>((int)length);
            var count = ReadAll(file, content);
            if (count != length)
            {
                throw new WalCorruptException(path, count, $"{length} bytes", $"the end after {count}");
            }

            var header = WalSegmentHeader.Read(path, content, options, sequence, out var salt);
            return new WalScan
            {
                Segment = new WalSegment(file, sequence, header.Size, salt),
                Header = header,
                Content = content,
                Chain = salt,
            };
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Writes the last batch again, zeros behind it, and syncs. Again, because after a failed sync the kernel may show
    /// bytes that the medium never got; only a write makes it try them once more.
    /// </summary>
    private static void RewriteTail(WalScan scan)
    {
        var start = scan.Records.Count > 0 ? scan.Records[^1].Horizon : scan.End;
        var written = scan.Content.AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        var tail = scan.Content.AsSpan((int)start, (int)(Math.Max(scan.End, written) - start)).ToArray();
        tail.AsSpan((int)(scan.End - start)).Clear();
        if (tail.Length > 0)
        {
            scan.Segment.File.Write(tail, start);
        }

        scan.Segment.File.Sync();
    }

    private void Replay()
    {
        var replay = new WalReplay(Groups, Entries, Index, _scans.Count > 0 ? _scans[0].Header.Sequence : 1);
        foreach (var scan in _scans)
        {
            var content = scan.Content;
            if (scan.End < content.Length / 2)
            {
                content = content.AsSpan(0, (int)scan.End).ToArray(); // Entries keep it alive: not more than needed.
            }

            foreach (var record in scan.Records)
            {
                replay.Add(scan.Segment, content, record);
            }
        }
    }
}
