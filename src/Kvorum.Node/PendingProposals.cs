using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Who waits for which log entry. The replica registers a batch before its entries can commit; the applier settles it:
/// an entry of the same term is the caller's own, an entry of another term has taken its place (paper §5.3), so the
/// command had no effect. Shared by those two threads.
/// </summary>
internal sealed class PendingProposals
{
    private readonly Lock _lock = new();
    private readonly List<Batch> _batches = [];
    private LogIndex _settled;

    public int Count { get; private set; }

    /// <summary>The waiters' commands are entries from <paramref name="first"/> on.</summary>
    /// <returns>
    /// False when those indexes were settled already (a late answer of the leader): the outcome is unknown.
    /// </returns>
    public bool TryRegister(EntryId first, ReadOnlySpan<PendingProposal> waiters)
    {
        lock (_lock)
        {
            if (first.Index <= _settled)
            {
                return false;
            }

            _batches.Add(new Batch(first, waiters.ToArray()));
            Count += waiters.Length;
            return true;
        }
    }

    /// <summary>
    /// Settles the waiters of applied entries; <paramref name="results"/> goes with <paramref name="entries"/>.
    /// </summary>
    public void Settle(ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, Completions completions)
    {
        var first = entries[0].Index;
        var last = entries[^1].Index;
        lock (_lock)
        {
            _settled = last;
            for (var i = 0; i < _batches.Count; i++)
            {
                _batches[i].Settle(first, last, entries, results, completions);
            }

            RemoveSettled();
        }
    }

    /// <summary>
    /// A snapshot jumped over everything up to <paramref name="index"/>: nobody can tell what became of it.
    /// </summary>
    public void SettleUnknown(LogIndex index, Completions completions)
    {
        lock (_lock)
        {
            _settled = LogIndex.Max(_settled, index);
            foreach (var batch in _batches)
            {
                batch.SettleUnknown(index, "a snapshot replaced the log before it was applied here", completions);
            }

            RemoveSettled();
        }
    }

    /// <summary>Tells waiters whose time is up that their outcome is unknown.</summary>
    public void Expire(long tick, Completions completions)
    {
        lock (_lock)
        {
            foreach (var batch in _batches)
            {
                batch.Expire(tick, completions);
            }
        }
    }

    /// <summary>The replica stops: every outcome is unknown.</summary>
    public void FailAll(string why, Completions completions)
    {
        lock (_lock)
        {
            foreach (var batch in _batches)
            {
                batch.SettleUnknown(new LogIndex(ulong.MaxValue), why, completions);
            }

            RemoveSettled();
        }
    }

    private void RemoveSettled()
    {
        var kept = 0;
        for (var i = 0; i < _batches.Count; i++)
        {
            if (_batches[i].IsSettled)
            {
                Count -= _batches[i].Length;
            }
            else
            {
                _batches[kept++] = _batches[i];
            }
        }

        _batches.RemoveRange(kept, _batches.Count - kept);
    }

    private sealed class Batch(EntryId first, PendingProposal[] waiters)
    {
        private readonly long _earliestDeadline = waiters.Length == 0 ? 0 : Earliest(waiters);
        private int _settled;

        public int Length => waiters.Length;

        public bool IsSettled => _settled == waiters.Length;

        public void Settle(
            LogIndex from, LogIndex to, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, Completions completions)
        {
            while (_settled < waiters.Length)
            {
                var index = first.Index.Plus((ulong)_settled);
                if (index > to || index < from)
                {
                    // Entries are settled in order, so a batch behind the range cannot exist.
                    return;
                }

                var at = (int)(index.Value - from.Value);
                if (entries[at].Term == first.Term)
                {
                    completions.Complete(waiters[_settled], results[at]);
                }
                else
                {
                    completions.Fail(waiters[_settled], new ProposalDroppedException());
                }

                _settled++;
            }
        }

        public void SettleUnknown(LogIndex upTo, string why, Completions completions)
        {
            while (_settled < waiters.Length && first.Index.Plus((ulong)_settled) <= upTo)
            {
                completions.Fail(waiters[_settled++], new OutcomeUnknownException(why));
            }
        }

        public void Expire(long tick, Completions completions)
        {
            if (tick < _earliestDeadline)
            {
                return;
            }

            for (var i = _settled; i < waiters.Length; i++)
            {
                if (waiters[i].DeadlineTick <= tick && !waiters[i].IsDone)
                {
                    completions.Fail(waiters[i], NodeMutants.TimeoutCalledFailed
                        ? new ProposalDroppedException()
                        : new OutcomeUnknownException("no quorum stored it in time"));
                }
            }
        }

        private static long Earliest(PendingProposal[] waiters)
        {
            var earliest = long.MaxValue;
            foreach (var waiter in waiters)
            {
                earliest = Math.Min(earliest, waiter.DeadlineTick);
            }

            return earliest;
        }
    }
}
