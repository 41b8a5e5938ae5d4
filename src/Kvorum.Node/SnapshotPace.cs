namespace Kvorum.Node;

/// <summary>
/// Bounds how many bytes of snapshots a node sends per second, over all peers: a token bucket kept as the moment from
/// which on it is not in debt. One thread.
/// </summary>
/// <param name="bytesPerSecond">At least 1.</param>
internal sealed class SnapshotPace(TimeProvider time, long bytesPerSecond)
{
    /// <summary>What was not used is saved up for this part of a second.</summary>
    private const int BurstsPerSecond = 10;

    private readonly long _perSecond = time.TimestampFrequency;
    private Int128 _freeAt = time.GetTimestamp();

    /// <summary>Whether something may be sent now.</summary>
    public bool IsFree => _freeAt <= time.GetTimestamp();

    /// <summary>Something was sent; the larger it was, the longer nothing is sent after it.</summary>
    public void Spend(int bytes)
    {
        Int128 earliest = time.GetTimestamp() - (_perSecond / BurstsPerSecond);
        _freeAt = (earliest > _freeAt ? earliest : _freeAt) + ((Int128)bytes * _perSecond / bytesPerSecond);
    }
}
