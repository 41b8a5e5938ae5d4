namespace Kvorum.Raft;

/// <summary>
/// The unanswered <see cref="AppendEntries"/> to one peer: a ring that limits how far a leader runs ahead.
/// </summary>
internal sealed class InflightWindow(int messagesMax, long bytesMax)
{
    private readonly (LogIndex Last, int Bytes)[] _ring = new (LogIndex, int)[messagesMax];
    private int _head;

    public int Count { get; private set; }

    public long Bytes { get; private set; }

    public bool IsFull => Count == _ring.Length || Bytes >= bytesMax;

    /// <summary>A message that ends at <paramref name="last"/> left.</summary>
    public void Add(LogIndex last, int bytes)
    {
        Invariant.Holds(!IsFull, "A full window sends nothing.");
        _ring[(_head + Count) % _ring.Length] = (last, bytes);
        Count++;
        Bytes += bytes;
    }

    /// <summary>Everything up to <paramref name="match"/> is acknowledged.</summary>
    public void FreeTo(LogIndex match)
    {
        while (Count > 0 && _ring[_head].Last <= match)
        {
            Bytes -= _ring[_head].Bytes;
            _head = (_head + 1) % _ring.Length;
            Count--;
        }
    }

    public void Clear()
    {
        _head = 0;
        Count = 0;
        Bytes = 0;
    }
}
