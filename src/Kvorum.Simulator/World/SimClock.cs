namespace Kvorum.Simulator;

/// <summary>
/// A node's own clock: runs faster or slower than the world by some parts per million, jumps forward, and may stand
/// still while the node is paused. Never goes back, as a monotonic clock does not.
/// </summary>
internal sealed class SimClock(SimWorld world) : TimeProvider
{
    private const long Million = 1_000_000;

    private long _worldBase;
    private long _localBase;
    private long _rate = Million;
    private long _wallOffset;

    public override long TimestampFrequency => Million;

    /// <summary>The node's time in its own microseconds.</summary>
    public long Local => _localBase + (world.Now - _worldBase) * _rate / Million;

    public override long GetTimestamp() => Local;

    public override DateTimeOffset GetUtcNow() =>
        DateTimeOffset.UnixEpoch.AddTicks((Local + _wallOffset) * TimeSpan.TicksPerMicrosecond);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        throw new NotSupportedException("The deterministic ring has no timers: it is woken by its executor.");

    /// <summary>Sets the speed to (1,000,000 + <paramref name="drift"/>) / 1,000,000 of the world's.</summary>
    public void Drift(int drift)
    {
        Rebase();
        _rate = Math.Max(Million / 100, Million + drift);
    }

    /// <summary>Time passed that the node did not see.</summary>
    public void JumpForward(long microseconds)
    {
        Rebase();
        _localBase += microseconds;
    }

    /// <summary>The wall clock, which nothing may rely on, goes anywhere.</summary>
    public void JumpWall(long microseconds) => _wallOffset += microseconds;

    /// <summary>The clock stood still since <paramref name="worldTime"/>.</summary>
    public void StoodStillSince(long worldTime)
    {
        Rebase();
        _localBase -= (world.Now - worldTime) * _rate / Million;
    }

    /// <summary>The world's time when this clock will show <paramref name="local"/>.</summary>
    public long WorldTimeOf(long local)
    {
        var left = local - _localBase;
        return left <= 0 ? world.Now : _worldBase + (left * Million + _rate - 1) / _rate;
    }

    private void Rebase()
    {
        _localBase = Local;
        _worldBase = world.Now;
    }
}
