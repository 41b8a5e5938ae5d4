namespace Kvorum.Server;

/// <summary>Frames on their way to one peer: one buffer fills while the other is written. Not thread-safe.</summary>
internal sealed class FrameBuffer
{
    private byte[] _filling = [];
    private byte[] _flushing = [];
    private int _count;

    public bool IsEmpty => _count == 0;

    /// <summary>Appends a frame. False, and nothing changed, when the limit would be passed.</summary>
    public bool TryAppend(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        var needed = (long)_count + header.Length + payload.Length;
        if (needed > PeerLimits.OutgoingBytesMax)
        {
            return false;
        }

        if (needed > _filling.Length)
        {
            Grow((int)needed);
        }

        header.CopyTo(_filling.AsSpan(_count));
        payload.CopyTo(_filling.AsSpan(_count + header.Length));
        _count = (int)needed;
        return true;
    }

    /// <summary>Takes all gathered bytes; they stay valid until the next call.</summary>
    public ReadOnlyMemory<byte> Take()
    {
        var count = _count;
        var isTooLarge = _flushing.Length > PeerLimits.IdleBufferBytesMax && count < _flushing.Length / 2;
        (_filling, _flushing) = (isTooLarge ? [] : _flushing, _filling);
        _count = 0;
        return _flushing.AsMemory(0, count);
    }

    private void Grow(int needed)
    {
        var size = Math.Max(_filling.Length * 2L, PeerLimits.InitialBufferBytes);
        size = Math.Clamp(size, needed, Math.Max(needed, PeerLimits.OutgoingBytesMax));
        var larger = GC.AllocateUninitializedArray<byte>((int)size);
        _filling.AsSpan(0, _count).CopyTo(larger);
        _filling = larger;
    }
}
