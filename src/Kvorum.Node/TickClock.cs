namespace Kvorum.Node;

/// <summary>
/// Turns elapsed time into ticks: the only place where the replica's time comes from. Replica thread only.
/// </summary>
internal sealed class TickClock(TimeProvider time, TimeSpan interval)
{
    /// <summary>The most ticks a late replica catches up with at once; the rest of a pause is forgotten.</summary>
    public const int TicksMax = 3;

    private readonly long _interval = Math.Max(1, (long)((Int128)interval.Ticks * time.TimestampFrequency / TimeSpan.TicksPerSecond));
    private long _last = time.GetTimestamp();

    /// <summary>Ticks that passed since the last call.</summary>
    public int TakeTicks()
    {
        var now = time.GetTimestamp();
        var ticks = (now - _last) / _interval;
        if (ticks > TicksMax)
        {
            // The process was paused. Peers' messages are read first, and time goes on from here.
            _last = now;
            return TicksMax;
        }

        _last += ticks * _interval;
        return (int)ticks;
    }
}
