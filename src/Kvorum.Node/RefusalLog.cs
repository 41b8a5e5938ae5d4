using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// Says why peers are refused: each peer and reason at once, and at most once a minute afterwards, with how often it
/// came meanwhile. Who knocks without end fills no log. Any thread.
/// </summary>
internal sealed class RefusalLog(TimeProvider time, ILogger logger)
{
    /// <summary>The most peers and reasons that are told apart; what comes beyond is one more of them.</summary>
    public const int KnownMax = 64;

    public static readonly TimeSpan RepeatAfter = TimeSpan.FromMinutes(1);

    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, (long At, long Silent)> _known = new(StringComparer.Ordinal);

    public void Refused(ulong peer, string reason)
    {
        long silent;
        lock (_lock)
        {
            var key = $"{peer:x} {reason}";
            if (!_known.ContainsKey(key) && _known.Count >= KnownMax && !ForgetOld())
            {
                (peer, reason) = (0, "more peers, or for more reasons, than are told apart.");
                key = reason;
            }

            var now = time.GetTimestamp();
            var isKnown = _known.TryGetValue(key, out var last);
            if (isKnown && time.GetElapsedTime(last.At, now) < RepeatAfter)
            {
                _known[key] = last with { Silent = last.Silent + 1 };
                return;
            }

            silent = last.Silent;
            _known[key] = (now, 0);
        }

        if (silent == 0)
        {
            Log.PeerRefused(logger, peer.ToString("x", null), reason);
        }
        else
        {
            Log.PeerRefusedAgain(logger, peer.ToString("x", null), silent, reason);
        }
    }

    /// <returns>Whether there is a free place.</returns>
    private bool ForgetOld()
    {
        foreach (var (key, last) in _known.ToArray())
        {
            if (time.GetElapsedTime(last.At) >= RepeatAfter)
            {
                _known.Remove(key);
            }
        }

        return _known.Count < KnownMax;
    }
}
