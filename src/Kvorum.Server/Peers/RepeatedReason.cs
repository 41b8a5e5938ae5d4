namespace Kvorum.Server;

/// <summary>
/// Lets a repeated failure through to the log when its reason changes, and at most each 30 s otherwise.
/// </summary>
internal sealed class RepeatedReason(TimeProvider time)
{
    private readonly Lock _lock = new();
    private string? _last;
    private long _lastAt;

    public bool IsWorthLogging(string reason)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (reason == _last && time.GetElapsedTime(_lastAt, now) < PeerLimits.RepeatLogAfter)
            {
                return false;
            }

            (_last, _lastAt) = (reason, now);
            return true;
        }
    }

    /// <summary>It worked: the next failure is news again.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _last = null;
        }
    }
}
