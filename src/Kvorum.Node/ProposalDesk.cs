using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// The replica's side of proposals: holds batches while no leader is known, names them, and follows those forwarded to
/// the leader until they are log entries. Replica thread only.
/// </summary>
/// <param name="lastRequestId">
/// Where numbering goes on; differs from start to start, so that a late answer to an earlier process is nobody's.
/// </param>
internal sealed class ProposalDesk(
    ReplicaInbox inbox, PendingProposals pending, Completions completions, NodeMetrics metrics, int proposalsMax,
    ulong lastRequestId)
{
    private readonly Queue<ProposalBatch> _held = new();
    private readonly List<ForwardedBatch> _forwarded = [];
    private ulong _lastRequestId = lastRequestId;
    private ProposalBatch? _current;

    public void Add(ProposalBatch? batch)
    {
        if (batch is null)
        {
            return;
        }

        for (var first = 0; first < batch.Count; first += proposalsMax)
        {
            _held.Enqueue(batch.Count <= proposalsMax ? batch : Slice(batch, first, Math.Min(proposalsMax, batch.Count - first)));
        }
    }

    /// <summary>A command of the node's own, for which nobody waits.</summary>
    public void Add(Command command)
    {
        var bytes = new byte[CommandCodec.Size(command)];
        CommandCodec.Encode(command, bytes);
        var batch = new ProposalBatch();
        batch.Add(bytes, new PendingProposal(long.MaxValue));
        inbox.Hold(bytes.Length);
        _held.Enqueue(batch);
    }

    /// <summary>The next batch to propose; null when there is none, or no leader to take it.</summary>
    public Propose? Next(bool hasLeader)
    {
        if (!hasLeader || !_held.TryPeek(out _current))
        {
            return null;
        }

        return new Propose(_current.Commands.AsMemory(0, _current.Count), ++_lastRequestId);
    }

    /// <summary>What the batch that <see cref="Next"/> gave takes, in bytes.</summary>
    public long NextBytes => _current?.Bytes ?? 0;

    /// <summary>The batch that <see cref="Next"/> gave is not proposed; its callers hear why.</summary>
    public void RefuseNext(KvorumException reason)
    {
        Invariant.Holds(_current is not null, "Only a batch that was asked for is refused.");
        var batch = _held.Dequeue();
        _current = null;
        inbox.Release(batch.Count, batch.Bytes);
        Fail(batch.Waiters.AsSpan(0, batch.Count), reason);
    }

    /// <summary>
    /// The batch just proposed was appended at <paramref name="first"/>. Called before its entries can be applied.
    /// </summary>
    public void OnAppended(EntryId first)
    {
        Invariant.Holds(_current is not null, "Only a proposed batch is appended.");
        Register(first, _current.Waiters.AsSpan(0, _current.Count));
    }

    /// <returns>False: stop proposing for now; the batch stays at the head of the queue.</returns>
    public bool OnProposed(Propose propose, ProposeOutcome outcome)
    {
        Invariant.Holds(_current is not null, "Only a proposed batch has an outcome.");
        switch (outcome.Result)
        {
            case ProposeResult.Appended:
                inbox.Release(_current.Count, _current.Bytes);
                break;
            case ProposeResult.Forwarded:
                // Its places stay taken until the leader answers: one that does not must not be sent more and more.
                _forwarded.Add(new ForwardedBatch(
                    propose.RequestId, _current.Waiters.AsSpan(0, _current.Count).ToArray(), _current.Bytes)
#if MUTANTS
                    { Commands = _current.Commands[.._current.Count] }
#endif
                    );
                break;
            default:
                return false;
        }

        _held.Dequeue();
        _current = null;
        return true;
    }

    /// <summary>The leader answered for a forwarded batch, or for a part of a large one.</summary>
    public void OnForwarded(ForwardOutcome outcome)
    {
        var at = _forwarded.FindIndex(batch => batch.RequestId == outcome.RequestId);
        if (at < 0)
        {
            return;
        }

        var batch = _forwarded[at];
        if (batch.IsAnswered(outcome.Offset))
        {
            return; // A repeated answer.
        }

        var part = batch.Waiters.AsSpan(outcome.Offset, outcome.Count);
        if (outcome.Accepted)
        {
            Register(outcome.First, part);
        }
        else
        {
            Fail(part, new NoLeaderException());
        }

        batch.MarkAnswered(outcome.Offset, outcome.Count);
        if (batch.Answered == batch.Waiters.Length)
        {
            Remove(at);
        }
    }

    /// <summary>
    /// Batches on their way to a leader that is gone have an unknown fate: their callers hear so at once.
    /// </summary>
    public void OnLeaderChanged()
    {
#if MUTANTS
        if (NodeMutants.DuplicateAfterLeaderChange)
        {
            foreach (var batch in _forwarded)
            {
                _held.Enqueue(batch.Again());
            }

            _forwarded.Clear();
            return;
        }

#endif
        foreach (var batch in _forwarded)
        {
            Fail(batch.Unanswered(), new OutcomeUnknownException("the leader it was sent to was lost"));
            inbox.Release(batch.Waiters.Length, batch.Bytes);
        }

        _forwarded.Clear();
    }

    /// <summary>Tells callers whose time is up.</summary>
    public void Expire(long tick)
    {
        pending.Expire(tick, completions);
        ExpireHeld(tick);
        for (var i = _forwarded.Count - 1; i >= 0; i--)
        {
            var waiting = 0;
            foreach (var waiter in _forwarded[i].Unanswered())
            {
                if (waiter.DeadlineTick > tick)
                {
                    waiting++;
                }
                else if (!waiter.IsDone)
                {
                    completions.Fail(waiter, new OutcomeUnknownException("the leader did not answer in time"));
                    metrics.ProposalsFailed++;
                }
            }

            if (waiting == 0)
            {
                Remove(i);
            }
        }

        completions.Flush();
    }

    public void FailAll(string why)
    {
        foreach (var batch in _held)
        {
            Fail(batch.Waiters.AsSpan(0, batch.Count), new NodeStoppedException(why));
        }

        _held.Clear();
        foreach (var batch in _forwarded)
        {
            Fail(batch.Unanswered(), new OutcomeUnknownException(why));
        }

        _forwarded.Clear();
        pending.FailAll(why, completions);
        completions.Flush();
    }

    /// <summary>
    /// Held commands were never proposed: when their time is up they are taken out and surely had no effect.
    /// </summary>
    private void ExpireHeld(long tick)
    {
        for (var left = _held.Count; left > 0; left--)
        {
            var batch = _held.Dequeue();
            var kept = 0;
            var bytes = batch.Bytes;
            for (var i = 0; i < batch.Count; i++)
            {
                var waiter = batch.Waiters[i];
                if (waiter.DeadlineTick <= tick || waiter.IsDone)
                {
                    completions.Fail(waiter, new NoLeaderException());
                    metrics.ProposalsFailed++;
                    batch.Bytes -= batch.Commands[i].Length;
                    continue;
                }

                batch.Commands[kept] = batch.Commands[i];
                batch.Waiters[kept++] = waiter;
            }

            inbox.Release(batch.Count - kept, bytes - batch.Bytes);
            batch.Count = kept;
            if (kept > 0)
            {
                _held.Enqueue(batch);
            }
        }
    }

    private void Remove(int forwarded)
    {
        var batch = _forwarded[forwarded];
        _forwarded.RemoveAt(forwarded);
        inbox.Release(batch.Waiters.Length, batch.Bytes);
    }

    private void Register(EntryId first, ReadOnlySpan<PendingProposal> waiters)
    {
        if (pending.TryRegister(first, waiters))
        {
            metrics.ProposalsAccepted += waiters.Length;
        }
        else
        {
            Fail(waiters, new OutcomeUnknownException("the leader's answer came after the entry was applied"));
        }
    }

    private void Fail(ReadOnlySpan<PendingProposal> waiters, Exception error)
    {
        foreach (var waiter in waiters)
        {
            completions.Fail(waiter, error);
        }

        metrics.ProposalsFailed += waiters.Length;
        completions.Flush();
    }

    private static ProposalBatch Slice(ProposalBatch batch, int first, int count)
    {
        var slice = new ProposalBatch();
        for (var i = first; i < first + count; i++)
        {
            slice.Add(batch.Commands[i], batch.Waiters[i]);
        }

        return slice;
    }

    /// <summary>A batch on its way to the leader, which answers for it in one part or several.</summary>
    private sealed class ForwardedBatch(ulong requestId, PendingProposal[] waiters, long bytes)
    {
        private readonly bool[] _isAnswered = new bool[waiters.Length];

        public ulong RequestId { get; } = requestId;

        public PendingProposal[] Waiters { get; } = waiters;

        public long Bytes { get; } = bytes;

        public int Answered { get; private set; }

        public bool IsAnswered(int offset) => _isAnswered[offset];

        public void MarkAnswered(int first, int count)
        {
            _isAnswered.AsSpan(first, count).Fill(true);
            Answered += count;
        }

#if MUTANTS
        public ReadOnlyMemory<byte>[] Commands { get; init; } = [];

        /// <summary>Mutant 39: what the leader did not answer for, to be proposed to the next one.</summary>
        public ProposalBatch Again()
        {
            var again = new ProposalBatch();
            for (var i = 0; i < Waiters.Length; i++)
            {
                if (!_isAnswered[i])
                {
                    again.Add(Commands[i], Waiters[i]);
                }
            }

            return again;
        }

#endif
        public PendingProposal[] Unanswered()
        {
            if (Answered == 0)
            {
                return Waiters;
            }

            var left = new List<PendingProposal>(Waiters.Length - Answered);
            for (var i = 0; i < Waiters.Length; i++)
            {
                if (!_isAnswered[i])
                {
                    left.Add(Waiters[i]);
                }
            }

            return [.. left];
        }
    }
}
