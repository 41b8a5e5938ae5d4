namespace Kvorum.Raft;

/// <summary>
/// Which prefix of the log is durable. Remembers for each write that is under way where the log ended then, because
/// <see cref="Persisted"/> names only the write.
/// </summary>
/// <remarks>
/// Writes become durable in order. A later write may replace the tail of an earlier one: the earlier one then vouches
/// only for what it still has in common with the log, so every remembered end at or after the cut moves before it.
/// </remarks>
internal sealed class WriteLedger(LogIndex durable)
{
    private (WriteId Write, LogIndex Last)[] _pending = new (WriteId, LogIndex)[16];
    private int _head;
    private int _count;

    /// <summary>The last index of the log that is durable here.</summary>
    public LogIndex Durable { get; private set; } = durable;

    /// <summary>The write <paramref name="write"/> makes the log durable up to <paramref name="last"/>.</summary>
    public void Add(WriteId write, LogIndex last)
    {
        if (_count == _pending.Length)
        {
            Grow();
        }

        _pending[(_head + _count) & (_pending.Length - 1)] = (write, last);
        _count++;
    }

    /// <summary>The log now ends before <paramref name="from"/>.</summary>
    public void Truncate(LogIndex from)
    {
        var last = from.Previous;
        Durable = LogIndex.Min(Durable, last);
        for (var i = 0; i < _count; i++)
        {
            ref var pending = ref _pending[(_head + i) & (_pending.Length - 1)];
            pending.Last = LogIndex.Min(pending.Last, last);
        }
    }

    /// <summary>All writes up to <paramref name="write"/> are durable.</summary>
    public void Complete(WriteId write)
    {
        while (_count > 0 && _pending[_head].Write <= write)
        {
            Durable = LogIndex.Max(Durable, _pending[_head].Last);
            _head = (_head + 1) & (_pending.Length - 1);
            _count--;
        }
    }

    /// <summary>A durable snapshot replaced the whole log.</summary>
    public void Reset(LogIndex durable)
    {
        Durable = durable;
        _head = 0;
        _count = 0;
    }

    private void Grow()
    {
        var larger = new (WriteId, LogIndex)[_pending.Length * 2];
        for (var i = 0; i < _count; i++)
        {
            larger[i] = _pending[(_head + i) & (_pending.Length - 1)];
        }

        _pending = larger;
        _head = 0;
    }
}
