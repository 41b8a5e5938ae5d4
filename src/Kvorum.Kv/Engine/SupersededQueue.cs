using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// The rows that supersede an older one or delete a key, by rising revision: what a compaction has to look at, so that
/// it costs by the number of rows it drops and not by the number of keys.
/// </summary>
internal sealed class SupersededQueue
{
    private const int EntriesPerBlock = 4096;
    private const int EntryBytes = 16;

    private readonly List<Entry[]> _blocks = [];
    private readonly Arena _arena;
    private int _start;

    public SupersededQueue(Arena arena) => _arena = arena;

    public int Count { get; private set; }

    public long BytesHeld => (long)_blocks.Count * EntriesPerBlock * EntryBytes;

    /// <summary>The main revision of an entry, counted from the first.</summary>
    public long MainAt(int place) => At(place).Main;

    public ulong RowAt(int place) => At(place).Row;

    public void Add(long main, ulong row)
    {
        var place = _start + Count;
        if (place == _blocks.Count * EntriesPerBlock)
        {
            _blocks.Add(new Entry[EntriesPerBlock]);
        }

        Count++;
        At(Count - 1) = new Entry(main, row);
    }

    public ulong RemoveFirst()
    {
        var row = At(0).Row;
        _start++;
        Count--;
        if (_start == EntriesPerBlock || Count == 0)
        {
            // One block is kept for what comes next.
            _start = 0;
            if (_blocks.Count > 1)
            {
                _blocks.RemoveAt(0);
            }
        }

        return row;
    }

    /// <summary>A queued row lies at another address now.</summary>
    public void Move(in RowHead head, ulong from, ulong to)
    {
        var place = Find(head.Main, head.Sub);
        Invariant.Holds(place < Count && At(place).Row == from, "A queued row stands in the queue at its revision.");
        At(place).Row = to;
    }

    /// <summary>Restores the order after rows were loaded key by key.</summary>
    public void Order()
    {
        var entries = new Entry[Count];
        for (var place = 0; place < Count; place++)
        {
            entries[place] = At(place);
        }

        Array.Sort(entries, Compare);
        for (var place = 0; place < Count; place++)
        {
            At(place) = entries[place];
        }
    }

    private ref Entry At(int place)
    {
        place += _start;
        return ref _blocks[place / EntriesPerBlock][place % EntriesPerBlock];
    }

    private int Find(long main, int sub)
    {
        var low = 0;
        var high = Count;
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            ref readonly var entry = ref At(middle);
            if (entry.Main < main || (entry.Main == main && _arena.Head(entry.Row).Sub < sub))
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }

    private int Compare(Entry left, Entry right)
    {
        var main = left.Main.CompareTo(right.Main);
        return main != 0 ? main : _arena.Head(left.Row).Sub.CompareTo(_arena.Head(right.Row).Sub);
    }

    private struct Entry(long main, ulong row)
    {
        public long Main = main;
        public ulong Row = row;
    }
}
