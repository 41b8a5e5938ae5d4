namespace Kvorum.Node;

/// <summary>
/// How long the log's syncs take: the one under way, and the median of the last ones. One thread writes, any reads.
/// </summary>
internal sealed class SyncClock(TimeProvider time)
{
    /// <summary>The median is of this many syncs; fewer say nothing.</summary>
    public const int SamplesMax = 9;

    private readonly Lock _lock = new();
    private readonly TimeSpan[] _samples = new TimeSpan[SamplesMax];
    private int _count;
    private long _begunAt;
    private bool _isUnderWay;

    public void Begin()
    {
        lock (_lock)
        {
            _begunAt = time.GetTimestamp();
            _isUnderWay = true;
        }
    }

    /// <summary>How long it took.</summary>
    public TimeSpan End()
    {
        lock (_lock)
        {
            _isUnderWay = false;
            var took = time.GetElapsedTime(_begunAt);
            _samples[_count++ % SamplesMax] = took;
            return took;
        }
    }

    /// <summary>
    /// Whether the sync under way takes longer than <paramref name="limit"/> already, or most of the last ones did.
    /// </summary>
    public bool IsSlowerThan(TimeSpan limit)
    {
        lock (_lock)
        {
            if (_isUnderWay && time.GetElapsedTime(_begunAt) > limit)
            {
                return true;
            }

            var slow = 0;
            for (var i = 0; i < SamplesMax; i++)
            {
                slow += _samples[i] > limit ? 1 : 0;
            }

            return slow > SamplesMax / 2;
        }
    }

    /// <summary>Begins anew: what was measured led to a decision.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            Array.Clear(_samples);
        }
    }
}
