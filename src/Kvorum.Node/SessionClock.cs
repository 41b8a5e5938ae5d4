using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Turns the leader's clock into log indexes: samples the applied index now and then, and when a sample is older than
/// the idle limit, sessions last used before it may be forgotten. The decision itself is a log entry, the same on every
/// replica.
/// </summary>
internal sealed class SessionClock(long idleTicksMax)
{
    private const int SamplesPerLimit = 8;

    private readonly Queue<(long Tick, LogIndex Applied)> _samples = new();
    private readonly long _sampleTicks = Math.Max(1, idleTicksMax / SamplesPerLimit);
    private long _nextSample;

    /// <returns>A command to propose, or null.</returns>
    public ExpireSessions? Tick(long now, bool isLeader, (LogIndex Index, ulong Hash, int Sessions) state)
    {
        if (now < _nextSample)
        {
            return null;
        }

        _nextSample = now + _sampleTicks;
        _samples.Enqueue((now, state.Index));
        LogIndex? idleSince = null;
        while (_samples.TryPeek(out var oldest) && oldest.Tick + idleTicksMax <= now)
        {
            idleSince = oldest.Applied;
            _samples.Dequeue();
        }

        return isLeader && state.Sessions > 0 && idleSince is { } index ? new ExpireSessions(index.Value) : null;
    }
}
