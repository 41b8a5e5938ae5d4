using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>
/// Watches the time of leases: every node from the moment it applies a grant or a renewal, so that a new leader knows
/// what is left; only the leader proposes that one ends, and the log decides.
/// </summary>
/// <remarks>
/// A lease ends an election timeout later than its time to live after the renewal was applied here, because the
/// client counts from the answer, which may come from a slower node; and not before a new leader has led for an
/// election timeout: a renewal that the old one answered may not be applied here yet.
/// </remarks>
internal sealed class LeaseClock(long ticksPerSecond, long electionTicks)
{
    /// <summary>How many ends of leases are proposed in one tick.</summary>
    internal const int ExpiredPerTickMax = 256;

    private readonly Lock _lock = new();
    private readonly Dictionary<long, (long Deadline, ulong RenewedAt)> _leases = [];
    private readonly PriorityQueue<(long Id, ulong RenewedAt), (long Deadline, long Id)> _queue = new();
    private long _now;
    private ulong _term;
    private long _notBefore;

    /// <summary>Places in the queue, stale ones too.</summary>
    internal int Queued
    {
        get
        {
            lock (_lock)
            {
                return _queue.Count;
            }
        }
    }

    /// <summary>A lease was granted, renewed, or is gone. Applier thread.</summary>
    public void OnChanged(LeaseChange change)
    {
        lock (_lock)
        {
            if (change.Id == 0)
            {
                _leases.Clear();
                _queue.Clear();
            }
            else if (change.TtlSeconds == 0)
            {
                _leases.Remove(change.Id);
            }
            else
            {
                Schedule(change.Id, change.RenewedAt, _now + (change.TtlSeconds * ticksPerSecond) + electionTicks);
            }
        }
    }

    /// <summary>
    /// Takes note of the time and tells which leases are over. Replica thread.
    /// </summary>
    /// <param name="term">The term this node leads; 0 when it does not.</param>
    /// <param name="expired">Receives what to propose.</param>
    public void Tick(long now, ulong term, List<LeaseExpire> expired)
    {
        lock (_lock)
        {
            _now = now;
            if (term != _term)
            {
                _term = term;
                _notBefore = now + electionTicks;
            }

            if (term == 0 || now < _notBefore)
            {
                return;
            }

            while (expired.Count < ExpiredPerTickMax
                && _queue.TryPeek(out var next, out var due) && due.Deadline <= now)
            {
                _queue.Dequeue();
                if (_leases.TryGetValue(next.Id, out var lease) && lease == (due.Deadline, next.RenewedAt))
                {
                    expired.Add(new LeaseExpire(next.Id, next.RenewedAt, term));

                    // Should the proposal come to nothing, it is made again.
                    Schedule(next.Id, next.RenewedAt, now + electionTicks);
                }
            }
        }
    }

    /// <summary>What is left of a lease's time, in whole seconds; 0 when it is over. Any thread.</summary>
    public long SecondsLeft(long id)
    {
        lock (_lock)
        {
            return _leases.TryGetValue(id, out var lease)
                ? Math.Max(0, lease.Deadline - electionTicks - _now) / ticksPerSecond
                : 0;
        }
    }

    private void Schedule(long id, ulong renewedAt, long deadline)
    {
        _leases[id] = (deadline, renewedAt);
        _queue.Enqueue((id, renewedAt), (deadline, id));
        if (_queue.Count > (2 * _leases.Count) + 1_024)
        {
            DropStale();
        }
    }

    /// <summary>
    /// Renewals leave their lease's former place in the queue: those are thrown out when they are the most.
    /// </summary>
    private void DropStale()
    {
        var valid = _queue.UnorderedItems
            .Where(item => _leases.TryGetValue(item.Element.Id, out var lease)
                && lease == (item.Priority.Deadline, item.Element.RenewedAt))
            .ToList();
        _queue.Clear();
        _queue.EnqueueRange(valid.Select(item => (item.Element, item.Priority)));
    }
}
