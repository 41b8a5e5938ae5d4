namespace Kvorum.Raft;

/// <summary>
/// How far a leader is with the transfer of one snapshot to one peer: what the peer has, what left, and what is being
/// read. Chunks leave without waiting for answers, up to the window; what is lost on the way is sent again from the
/// first byte the peer does not have.
/// </summary>
/// <remarks>
/// Read, sent and stored in order, so three numbers say everything: Stored &lt;= Sent &lt;= Asked.
/// </remarks>
/// <param name="chunksMax">The most chunks asked for and not yet stored.</param>
/// <param name="chunkBytesMax">Size of a chunk.</param>
internal sealed class SnapshotStream(int chunksMax, int chunkBytesMax)
{
    private ulong _length;

    /// <summary>Everything before this byte had left when the peer was last asked for its place.</summary>
    private ulong? _questionAt;

    /// <summary>
    /// What is sent again because something seemed lost ends here; before the peer has that, only a question finds
    /// another loss, or each of the answers under way would start it anew.
    /// </summary>
    private ulong _resentUntil;

    /// <summary>The first byte the peer does not have, as far as it said.</summary>
    public ulong Stored { get; private set; }

    /// <summary>The first byte that has not left.</summary>
    public ulong Sent { get; private set; }

    /// <summary>The first byte that was not asked of the disk.</summary>
    public ulong Asked { get; private set; }

    /// <summary>Chunks under way: being read, or sent and not stored.</summary>
    public int Count => (int)((Asked - Stored + (ulong)chunkBytesMax - 1) / (ulong)chunkBytesMax);

    /// <summary>A transfer begins; the peer's place is not known.</summary>
    public void Begin(ulong length)
    {
        _length = length;
        _questionAt = null;
        _resentUntil = 0;
        Restart(0);
    }

    /// <summary>The peer is being asked where to go on.</summary>
    public void Questioned() => _questionAt = Sent;

    /// <summary>The peer says which byte is the first it does not have.</summary>
    public void OnStored(ulong offset)
    {
        if (offset > Sent)
        {
            Restart(offset); // It has what an earlier transfer brought.
        }
        else if (offset > Stored)
        {
            Stored = offset;
        }
        else if (offset < Stored || HasLost(offset))
        {
            _resentUntil = Math.Max(_resentUntil, Sent);
            Restart(offset);
        }

        if (_questionAt <= Stored)
        {
            _questionAt = null;
        }
    }

    /// <summary>The next chunk to read; null while the window is full or everything was asked for.</summary>
    public ulong? Next()
    {
        if (Asked >= _length || Count >= chunksMax)
        {
            return null;
        }

        var next = Asked;
        Asked = Math.Min(_length, next + (ulong)chunkBytesMax);
        return next;
    }

    /// <summary>
    /// Whether a chunk that was read is the next to leave; others are of a place the transfer has left.
    /// </summary>
    public bool IsDue(ulong offset) => offset == Sent && offset < Asked;

    /// <summary>The next chunk leaves.</summary>
    public void OnSent(int bytes)
    {
        Sent += (ulong)bytes;
        Asked = Math.Max(Asked, Sent);
    }

    /// <summary>
    /// The peer has nothing new: a chunk before the one it answers to is missing, or it answers a question. That found
    /// everything in place, or something that left before is missing, or nothing has left at all for so long that it is
    /// read again.
    /// </summary>
    private bool HasLost(ulong offset)
    {
        if (_questionAt is { } at)
        {
            _questionAt = null;
            return at > offset || (Sent == offset && Asked > offset);
        }

        return Sent > offset && offset >= _resentUntil;
    }

    private void Restart(ulong offset)
    {
        Stored = offset;
        Sent = offset;
        Asked = offset;
    }
}
