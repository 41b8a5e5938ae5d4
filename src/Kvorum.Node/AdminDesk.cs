using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// The replica's side of changes of the members and of the leader: asks the leader, asks again while it is busy, and
/// follows an accepted change until it is committed. Replica thread only.
/// </summary>
/// <param name="lastRequestId">Where numbering goes on; differs from start to start.</param>
internal sealed class AdminDesk(IExecutor executor, ulong lastRequestId)
{
    /// <summary>The most wishes that wait.</summary>
    public const int WishesMax = 64;

    /// <summary>A busy leader is asked again after so many ticks.</summary>
    public const int AskAgainTicks = 10;

    private readonly List<PendingAdmin> _wishes = [];
    private readonly List<Settlement> _settled = [];
    private ulong _lastRequestId = lastRequestId;

    public void Add(List<PendingAdmin> wishes)
    {
        foreach (var wish in wishes)
        {
            if (_wishes.Count >= WishesMax)
            {
                Settle(wish, null, new OverloadedException("the queue of changes"));
            }
            else
            {
                _wishes.Add(wish);
            }
        }
    }

    /// <summary>The next wish to ask the leader for; null when there is none, or no leader.</summary>
    public Input? Next(RaftNode raft, long now)
    {
        if (_wishes.Count == 0 || raft.Leader is not { } leader)
        {
            return null;
        }

        foreach (var wish in _wishes)
        {
            if (wish.RequestId != 0 || wish.Entry is not null || wish.HandedOverBy is not null || wish.NotBefore > now)
            {
                continue;
            }

            wish.RequestId = ++_lastRequestId;
            wish.AskedOf = leader;
            if (wish.Change is not { } change)
            {
                return new TransferLeadership(wish.To, wish.RequestId);
            }

            var plan = change.Plan(raft.Membership, [], leader, LogIndex.Zero);
            wish.Plan = Describe(plan.Refusal, raft.Membership, plan.After);
            return new ChangeMembers(change, wish.IsDryRun, wish.RequestId);
        }

        return null;
    }

    public void OnOutcome(AdminOutcome outcome, long now)
    {
        if (outcome.RequestId == 0 || _wishes.Find(wish => wish.RequestId == outcome.RequestId) is not { } wish)
        {
            return;
        }

        wish.RequestId = 0;
        switch (outcome.Result)
        {
            case AdminResult.Accepted when wish.IsDryRun:
                Finish(wish, wish.Plan! with { Refusal = null }); // Made when it was asked.
                break;
            case AdminResult.Accepted when wish.Change is null:
                wish.HandedOverBy = wish.AskedOf;
                break;
            case AdminResult.Accepted:
                wish.Entry = outcome.Entry;
                break;
            case AdminResult.Refused or AdminResult.Busy when wish.IsDryRun:
                Finish(wish, wish.Plan! with { Refusal = outcome.Reason });
                break;
            case AdminResult.Refused:
                Fail(wish, new MemberChangeRefusedException(outcome.Reason));
                break;
            default:
                wish.LastReason = outcome.Result == AdminResult.Busy ? outcome.Reason : wish.LastReason;
                wish.NotBefore = now + AskAgainTicks;
                break;
        }
    }

    /// <summary>What was asked of a leader that is gone has an unknown fate; a new leader ends a hand-over.</summary>
    public void OnLeaderChanged(NodeId? leader)
    {
        for (var i = _wishes.Count - 1; i >= 0; i--)
        {
            var wish = _wishes[i];
            if (wish.Change is null && (wish.HandedOverBy ?? wish.AskedOf) is { } old)
            {
                var isThere = leader is not null && (wish.To is null ? leader != old : leader == wish.To);
                if (isThere && (wish.HandedOverBy is not null || wish.RequestId != 0))
                {
                    Finish(wish, new MemberChangePlan(null, [], [], 0, 0));
                }
                else if (leader is not null && leader != old && wish.HandedOverBy is not null)
                {
                    Fail(wish, new OutcomeUnknownException($"node {leader} leads instead"));
                }
            }
            else if (wish.RequestId != 0)
            {
                if (wish.IsDryRun)
                {
                    wish.RequestId = 0;
                }
                else
                {
                    Fail(wish, new OutcomeUnknownException("the leader it was sent to was lost"));
                }
            }
        }
    }

    /// <summary>Ends what is committed by now, or cannot be any more.</summary>
    public void Check(RaftNode raft)
    {
        for (var i = _wishes.Count - 1; i >= 0; i--)
        {
            var wish = _wishes[i];
            if (wish.Entry is not { } entry)
            {
                continue;
            }

            if (raft.IsRemoved && wish.Change is { Kind: MembershipChangeKind.Remove } change
                && change.Node == raft.Node)
            {
                Finish(wish, wish.Plan!); // It was asked, so it was planned.
            }
            else if (raft.CommitIndex < entry.Index || raft.CommittedMembership.IsJoint)
            {
                continue;
            }
            else if (raft.Contains(entry))
            {
                Finish(wish, wish.Plan! with { Refusal = null });
            }
            else
            {
                Fail(wish, entry.Index < raft.LogStart.Index
                    ? new OutcomeUnknownException("a snapshot jumped over it")
                    : new MemberChangeRefusedException("a change of leader dropped it before it was committed."));
            }
        }
    }

    public void Expire(long tick)
    {
        for (var i = _wishes.Count - 1; i >= 0; i--)
        {
            var wish = _wishes[i];
            if (wish.Task.IsCompleted)
            {
                _wishes.RemoveAt(i); // Its caller waits no more.
            }
            else if (wish.DeadlineTick <= tick)
            {
                Fail(wish, wish.RequestId != 0 || wish.Entry is not null || wish.HandedOverBy is not null
                    ? new OutcomeUnknownException("it did not come about in time")
                    : wish.LastReason is { } reason ? new MemberChangeRefusedException(reason)
                    : new NoLeaderException());
            }
        }
    }

    public void FailAll(string why)
    {
        while (_wishes.Count > 0)
        {
            var isUnder = _wishes[0].RequestId != 0 || _wishes[0].Entry is not null;
            Fail(_wishes[0], isUnder ? new OutcomeUnknownException(why) : new NodeStoppedException(why));
        }

        Answer();
    }

    /// <summary>Whether somebody is to be answered.</summary>
    public bool HasSettled => _settled.Count > 0;

    /// <summary>Answers the callers, once the node's status shows what they hear.</summary>
    public void Answer()
    {
        foreach (var settlement in _settled)
        {
            executor.Queue(settlement);
        }

        _settled.Clear();
    }

    private static MemberChangePlan Describe(string? refusal, Membership now, Membership? after)
    {
        ulong[] before = [.. now.Voters.ToArray().Select(node => node.Value)];
        ulong[] voters = after is null ? before : [.. after.Voters.ToArray().Select(node => node.Value)];
        var quorum = (voters.Length / 2) + 1;
        return new MemberChangePlan(refusal, before, voters, quorum, Math.Max(0, voters.Length - quorum));
    }

    private void Finish(PendingAdmin wish, MemberChangePlan plan)
    {
        _wishes.Remove(wish);
        Settle(wish, plan, null);
    }

    private void Fail(PendingAdmin wish, Exception error)
    {
        _wishes.Remove(wish);
        Settle(wish, null, error);
    }

    private void Settle(PendingAdmin wish, MemberChangePlan? plan, Exception? error) =>
        _settled.Add(new Settlement(wish, plan, error));

    private sealed class Settlement(PendingAdmin wish, MemberChangePlan? plan, Exception? error) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            if (error is not null)
            {
                wish.TrySetException(error);
            }
            else if (plan is not null)
            {
                wish.TrySetResult(plan);
            }
        }
    }
}
