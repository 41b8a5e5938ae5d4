namespace Kvorum.Client;

/// <summary>How one attempt at one endpoint ended, as far as failover cares.</summary>
public enum AttemptOutcome
{
    /// <summary>An answer that no other endpoint would give better.</summary>
    Answered = 0,

    /// <summary>Nothing was changed for sure: refused, no leader, overloaded, no connection.</summary>
    NoEffect = 1,

    /// <summary>It was sent and its fate was not told: a timeout, a broken connection, an unknown outcome.</summary>
    Unknown = 2,
}

/// <summary>What a client does next.</summary>
public enum FailoverAction
{
    /// <summary>Ask <see cref="FailoverStep.Endpoint"/>, for at most <see cref="FailoverStep.Limit"/>.</summary>
    Ask = 0,

    /// <summary>Wait <see cref="FailoverStep.Limit"/>, then ask what comes next.</summary>
    Pause = 1,

    /// <summary>Give up: surely nothing was changed.</summary>
    Unavailable = 2,

    /// <summary>Give up: the write may or may not be applied.</summary>
    OutcomeUnknown = 3,
}

/// <summary>One decision.</summary>
public readonly record struct FailoverStep(FailoverAction Action, int Endpoint, TimeSpan Limit);

/// <summary>
/// Decides which endpoint a request asks next, for how long, and what may be said when time is over. Pure: the caller
/// owns clock and network, so that the simulator runs the very same decisions.
/// </summary>
/// <remarks>
/// Endpoint after endpoint, round after round, with a pause between rounds while a leader is being elected. A hung
/// endpoint gets its share of the time that is left, never all of it. A retried write must carry the same session
/// stamp (idempotency key), so that it takes effect once.
/// </remarks>
public sealed class Failover
{
    /// <summary>Between two rounds over all endpoints.</summary>
    public static readonly TimeSpan RoundPause = TimeSpan.FromMilliseconds(100);

    /// <summary>No attempt is shorter than this.</summary>
    public static readonly TimeSpan AttemptMin = TimeSpan.FromMilliseconds(250);

    private readonly int _endpoints;
    private readonly TimeSpan _timeout;
    private readonly int _first;
    private int _asked;
    private bool _isPaused = true;
    private bool _mayBeApplied;

    /// <param name="endpoints">How many there are, 1 or more.</param>
    /// <param name="timeout">For the whole request.</param>
    /// <param name="first">The endpoint to ask first; the others follow in order.</param>
    public Failover(int endpoints, TimeSpan timeout, int first = 0)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(endpoints, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(first);
        _endpoints = endpoints;
        _timeout = timeout;
        _first = first;
    }

    /// <summary>A write was sent and nobody said that it had no effect.</summary>
    public bool MayBeApplied => _mayBeApplied;

    /// <summary>What to do now, <paramref name="elapsed"/> after the request began.</summary>
    public FailoverStep Next(TimeSpan elapsed)
    {
        if (_asked > 0 && _asked % _endpoints == 0 && !_isPaused)
        {
            _isPaused = true;
            if (elapsed + RoundPause < _timeout)
            {
                return new FailoverStep(FailoverAction.Pause, 0, RoundPause);
            }

            var end = _mayBeApplied ? FailoverAction.OutcomeUnknown : FailoverAction.Unavailable;
            return new FailoverStep(end, 0, default);
        }

        _isPaused = false;
        var place = _asked++ % _endpoints;
        var share = (_timeout - elapsed) / (_endpoints - place);
        return new FailoverStep(
            FailoverAction.Ask, (_first + place) % _endpoints, share > AttemptMin ? share : AttemptMin);
    }

    /// <summary>Tells how the attempt just made ended.</summary>
    public void Ended(AttemptOutcome outcome, bool isWrite) =>
        _mayBeApplied |= isWrite && outcome == AttemptOutcome.Unknown;
}
