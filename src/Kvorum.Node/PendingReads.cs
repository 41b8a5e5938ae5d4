using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Reads on their way: asked (waiting for a quorum to confirm the leader), then confirmed at an index (waiting until
/// this node has applied it). The replica asks and confirms, the applier releases. Shared by those two threads.
/// </summary>
internal sealed class PendingReads
{
    private readonly Lock _lock = new();
    private readonly List<(ulong RequestId, PendingRead[] Reads)> _asked = [];
    private readonly List<(LogIndex Index, PendingRead[] Reads)> _confirmed = [];
    private LogIndex _applied;
    private int _count;

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _count;
            }
        }
    }

    public void Asked(ulong requestId, PendingRead[] reads)
    {
        lock (_lock)
        {
            _asked.Add((requestId, reads));
            _count += reads.Length;
        }
    }

    /// <summary>Takes back the reads of a request that was refused, to be asked again.</summary>
    public PendingRead[] TakeRefused(ulong requestId)
    {
        lock (_lock)
        {
            return Take(requestId);
        }
    }

    /// <summary>
    /// The reads of a request may run once <paramref name="index"/> is applied: now, or later by <see cref="Applied"/>.
    /// </summary>
    public int Confirm(ulong requestId, LogIndex index, Completions completions)
    {
        lock (_lock)
        {
            var reads = Take(requestId);
            if (index <= _applied)
            {
                Run(reads, completions);
            }
            else
            {
                _confirmed.Add((index, reads));
                _count += reads.Length;
            }

            return reads.Length;
        }
    }

    /// <summary>Everything up to <paramref name="applied"/> is visible to new engine views.</summary>
    public void Applied(LogIndex applied, Completions completions)
    {
        lock (_lock)
        {
            _applied = LogIndex.Max(_applied, applied);
            var kept = 0;
            for (var i = 0; i < _confirmed.Count; i++)
            {
                if (_confirmed[i].Index <= _applied)
                {
                    Run(_confirmed[i].Reads, completions);
                    _count -= _confirmed[i].Reads.Length;
                }
                else
                {
                    _confirmed[kept++] = _confirmed[i];
                }
            }

            _confirmed.RemoveRange(kept, _confirmed.Count - kept);
        }
    }

    public void Expire(long tick, Completions completions)
    {
        lock (_lock)
        {
            for (var i = _asked.Count - 1; i >= 0; i--)
            {
                if (ExpireAll(_asked[i].Reads, tick, completions))
                {
                    _count -= _asked[i].Reads.Length;
                    _asked.RemoveAt(i);
                }
            }

            for (var i = _confirmed.Count - 1; i >= 0; i--)
            {
                if (ExpireAll(_confirmed[i].Reads, tick, completions))
                {
                    _count -= _confirmed[i].Reads.Length;
                    _confirmed.RemoveAt(i);
                }
            }
        }
    }

    public void FailAll(Exception error, Completions completions)
    {
        lock (_lock)
        {
            foreach (var (_, reads) in _asked)
            {
                FailAll(reads, error, completions);
            }

            foreach (var (_, reads) in _confirmed)
            {
                FailAll(reads, error, completions);
            }

            _asked.Clear();
            _confirmed.Clear();
            _count = 0;
        }
    }

    private static void Run(PendingRead[] reads, Completions completions)
    {
        foreach (var read in reads)
        {
            completions.Run(read);
        }
    }

    private static void FailAll(PendingRead[] reads, Exception error, Completions completions)
    {
        foreach (var read in reads)
        {
            completions.Fail(read, error);
        }
    }

    /// <returns>Whether nobody of the group waits any more.</returns>
    private static bool ExpireAll(PendingRead[] reads, long tick, Completions completions)
    {
        var waiting = 0;
        foreach (var read in reads)
        {
            if (read.Task.IsCompleted)
            {
                continue;
            }

            if (read.DeadlineTick <= tick)
            {
                completions.Fail(read, new ReadTimeoutException());
            }
            else
            {
                waiting++;
            }
        }

        return waiting == 0;
    }

    private PendingRead[] Take(ulong requestId)
    {
        for (var i = 0; i < _asked.Count; i++)
        {
            if (_asked[i].RequestId == requestId)
            {
                var reads = _asked[i].Reads;
                _count -= reads.Length;
                _asked.RemoveAt(i);
                return reads;
            }
        }

        return [];
    }
}
