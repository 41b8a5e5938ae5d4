using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// The replica's side of linearizable reads: gathers them into one barrier per turn and asks again when a barrier was
/// refused.
/// Replica thread only.
/// </summary>
/// <param name="lastRequestId">
/// Where numbering goes on; differs from start to start, so that a late answer to an earlier process is nobody's.
/// </param>
internal sealed class ReadDesk(PendingReads pending, Completions completions, NodeMetrics metrics, ulong lastRequestId)
{
    private readonly List<PendingRead> _held = [];
    private ulong _lastRequestId = lastRequestId;
    private bool _isWaitingForTick;

    /// <summary>Reads that wait, in whatever stage.</summary>
    public int Count => _held.Count + pending.Count;

    public void Add(List<PendingRead> reads) => _held.AddRange(reads);

    /// <summary>A barrier for everything held; null when there is nothing, or nobody to confirm it.</summary>
    public ReadBarrier? Next(bool hasLeader)
    {
        if (_held.Count == 0 || !hasLeader || _isWaitingForTick)
        {
            return null;
        }

        // A fresh number for each attempt: a late confirmation never counts for a retry (thesis §6.4).
        var barrier = new ReadBarrier(++_lastRequestId);
        pending.Asked(barrier.RequestId, _held.ToArray());
        _held.Clear();
        return barrier;
    }

    public void OnOutcome(ReadOutcome outcome)
    {
        if (outcome.Accepted)
        {
            metrics.ReadsConfirmed += pending.Confirm(outcome.RequestId, outcome.Index, completions);
            completions.Flush();
            return;
        }

        _held.AddRange(pending.TakeRefused(outcome.RequestId));

        // Asking again at once would spin while the leader hands over.
        _isWaitingForTick = true;
    }

    public void Expire(long tick)
    {
        _isWaitingForTick = false;
        pending.Expire(tick, completions);
        for (var i = _held.Count - 1; i >= 0; i--)
        {
            if (_held[i].DeadlineTick <= tick)
            {
                completions.Fail(_held[i], new ReadTimeoutException());
                _held.RemoveAt(i);
                metrics.ReadsFailed++;
            }
        }

        completions.Flush();
    }

    public void FailAll(Exception error)
    {
        foreach (var read in _held)
        {
            completions.Fail(read, error);
        }

        _held.Clear();
        pending.FailAll(error, completions);
        completions.Flush();
    }
}
