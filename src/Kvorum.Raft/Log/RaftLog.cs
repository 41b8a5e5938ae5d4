namespace Kvorum.Raft;

/// <summary>
/// The replica's log as the core sees it: the terms of all entries after <see cref="Start"/>, and the newest entries
/// themselves, in memory.
/// </summary>
/// <remarks>
/// <para>
/// Entries lie in blocks of a power of two, aligned by index. A place in a block is written once: messages and the
/// log writer hold slices of blocks without copying, so cutting a tail replaces the block instead of overwriting it.
/// </para>
/// <para>
/// Terms are kept as runs (first index, term), for the whole log: a run per term is a few bytes, and with it the term
/// of any index and the place to back up to after a conflict (paper §5.3) are known without reading the disk.
/// </para>
/// </remarks>
internal sealed class RaftLog
{
    private readonly List<LogEntry[]> _blocks = [];
    private readonly List<TermRun> _runs = [];
    private readonly int _blockBits;
    private ulong _firstBlock;

    public RaftLog(EntryId start, int blockBits)
    {
        _blockBits = blockBits;
        Reset(start);
    }

    /// <summary>The entry just before the first one of the log.</summary>
    public EntryId Start { get; private set; }

    /// <summary>The last entry; equals <see cref="Start"/> in an empty log.</summary>
    public EntryId Last { get; private set; }

    /// <summary>The first index whose entry is in memory; one past the last if none is.</summary>
    public LogIndex MemoryFirst { get; private set; }

    /// <summary>Payload bytes in memory.</summary>
    public long MemoryBytes { get; private set; }

    private int BlockEntries => 1 << _blockBits;

    /// <summary>The entry at <paramref name="index"/>, which must be in memory.</summary>
    public ref readonly LogEntry At(LogIndex index)
    {
        Invariant.Holds(index >= MemoryFirst && index <= Last.Index, "Only entries in memory are looked at.");
        return ref _blocks[BlockOf(index)][PlaceOf(index)];
    }

    /// <summary>The term of the entry at <paramref name="index"/>, which must lie in [start, last].</summary>
    public Term TermOf(LogIndex index)
    {
        Invariant.Holds(index >= Start.Index && index <= Last.Index, "A term is known from the log's start to its end.");
        return index == Start.Index ? Start.Term : _runs[RunOf(index)].Term;
    }

    /// <summary>Whether the log has this entry, its start included.</summary>
    public bool Contains(EntryId entry) =>
        entry.Index >= Start.Index && entry.Index <= Last.Index && TermOf(entry.Index) == entry.Term;

    /// <summary>
    /// The last entry with an index of at most <paramref name="index"/> and a term of at most <paramref name="term"/>.
    /// </summary>
    /// <returns><see cref="Start"/> when there is none in the log.</returns>
    /// <remarks>
    /// Both sides of the fast back-up of paper §5.3 (end) ask this: it skips a whole conflicting term at a time.
    /// </remarks>
    public EntryId LastAtMost(LogIndex index, Term term)
    {
        index = LogIndex.Min(index, Last.Index);
        for (var run = _runs.Count - 1; run >= 0 && index > Start.Index; run--)
        {
            if (_runs[run].First > index)
            {
                continue;
            }

            if (_runs[run].Term <= term)
            {
                return new EntryId(_runs[run].Term, index);
            }

            index = _runs[run].First.Previous;
        }

        return Start;
    }

    /// <summary>Appends one entry right after the last.</summary>
    public void Append(in LogEntry entry)
    {
        Invariant.Holds(entry.Index == Last.Index.Next, "Entries follow each other without a gap (paper §5.3).");
        Invariant.Holds(entry.Term >= Last.Term, "Terms never fall along the log (paper §5.3).");

        if (entry.Term != Last.Term || _runs.Count == 0)
        {
            _runs.Add(new TermRun(entry.Index, entry.Term));
        }

        if (_blocks.Count == 0)
        {
            _firstBlock = entry.Index.Value >> _blockBits;
        }

        var block = BlockOf(entry.Index);
        if (block == _blocks.Count)
        {
            _blocks.Add(new LogEntry[BlockEntries]);
        }

        _blocks[block][PlaceOf(entry.Index)] = entry;
        MemoryBytes += entry.Payload.Length;
        Last = entry.Id;
    }

    /// <summary>Removes the entries from <paramref name="from"/> on, all of which are in memory.</summary>
    public void Truncate(LogIndex from)
    {
        Invariant.Holds(from >= MemoryFirst && from <= Last.Index, "Only a tail in memory is cut.");

        for (var index = from; index <= Last.Index; index = index.Next)
        {
            MemoryBytes -= At(index).Payload.Length;
        }

        var block = BlockOf(from);
        var keep = PlaceOf(from);
        _blocks.RemoveRange(block + 1, _blocks.Count - block - 1);
        var replacement = new LogEntry[BlockEntries]; // The old block may still be read through a slice.
        _blocks[block].AsSpan(0, keep).CopyTo(replacement);
        _blocks[block] = replacement;

        Last = new EntryId(TermOf(from.Previous), from.Previous);
        while (_runs.Count > 0 && _runs[^1].First >= from)
        {
            _runs.RemoveAt(_runs.Count - 1);
        }
    }

    /// <summary>Entries from <paramref name="from"/> on: at least one, then while both limits hold.</summary>
    /// <param name="from">In memory.</param>
    /// <param name="bytes">Their payload bytes.</param>
    public ReadOnlyMemory<LogEntry> Slice(LogIndex from, int entriesMax, int bytesMax, out int bytes)
    {
        var available = Last.Index.Next.CountSince(from);
        Invariant.Holds(from >= MemoryFirst && available > 0, "Only entries in memory are sent.");

        var countMax = (int)Math.Min(available, (ulong)entriesMax);
        bytes = At(from).Payload.Length;
        var count = 1;
        for (; count < countMax; count++)
        {
            var size = At(from.Plus((ulong)count)).Payload.Length;
            if (bytes + size > bytesMax)
            {
                break;
            }

            bytes += size;
        }

        var place = PlaceOf(from);
        if (place + count <= BlockEntries)
        {
            return new ReadOnlyMemory<LogEntry>(_blocks[BlockOf(from)], place, count);
        }

        return CopyAcrossBlocks(from, count);
    }

    /// <summary>
    /// Forgets cached entries, oldest first, while more than <paramref name="bytesMax"/> are in memory.
    /// </summary>
    /// <param name="upTo">The last index that may be forgotten: applied and durable.</param>
    public void Trim(LogIndex upTo, long bytesMax)
    {
        while (MemoryBytes > bytesMax && _blocks.Count > 0 && LastOfFirstBlock() <= upTo)
        {
            DropFirstBlock();
        }
    }

    /// <summary>Cuts the log's prefix up to <paramref name="index"/>, which a durable snapshot covers.</summary>
    public void Compact(LogIndex index)
    {
        Start = new EntryId(TermOf(index), index);
        var covered = 0;
        while (covered + 1 < _runs.Count && _runs[covered + 1].First <= index.Next)
        {
            covered++;
        }

        _runs.RemoveRange(0, covered);
        while (_blocks.Count > 0 && LastOfFirstBlock() <= index)
        {
            DropFirstBlock();
        }

        MemoryFirst = LogIndex.Max(MemoryFirst, index.Next);
    }

    /// <summary>Replaces the whole log: it is empty and starts after <paramref name="start"/>.</summary>
    public void Reset(EntryId start)
    {
        _blocks.Clear();
        _runs.Clear();
        Start = start;
        Last = start;
        MemoryFirst = start.Index.Next;
        MemoryBytes = 0;
    }

    private int PlaceOf(LogIndex index) => (int)(index.Value & ((1UL << _blockBits) - 1));

    private int BlockOf(LogIndex index) => (int)((index.Value >> _blockBits) - _firstBlock);

    private LogIndex LastOfFirstBlock() => new(((_firstBlock + 1) << _blockBits) - 1);

    private void DropFirstBlock()
    {
        foreach (ref readonly var entry in _blocks[0].AsSpan())
        {
            MemoryBytes -= entry.Payload.Length;
        }

        _blocks.RemoveAt(0);
        _firstBlock++;
        MemoryFirst = LogIndex.Max(MemoryFirst, new LogIndex(_firstBlock << _blockBits));
    }

    private LogEntry[] CopyAcrossBlocks(LogIndex from, int count)
    {
        var copy = new LogEntry[count];
        for (var done = 0; done < count;)
        {
            var index = from.Plus((ulong)done);
            var run = Math.Min(count - done, BlockEntries - PlaceOf(index));
            _blocks[BlockOf(index)].AsSpan(PlaceOf(index), run).CopyTo(copy.AsSpan(done));
            done += run;
        }

        return copy;
    }

    private int RunOf(LogIndex index)
    {
        var low = 0;
        var high = _runs.Count - 1;
        if (_runs[high].First <= index)
        {
            return high; // Nearly always: the newest term.
        }

        while (low < high)
        {
            var middle = (low + high + 1) / 2;
            if (_runs[middle].First <= index)
            {
                low = middle;
            }
            else
            {
                high = middle - 1;
            }
        }

        return low;
    }

    private readonly record struct TermRun(LogIndex First, Term Term);
}
