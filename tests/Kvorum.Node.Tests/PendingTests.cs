using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node.Tests;

/// <summary>Who waits for what, and what they hear.</summary>
public sealed class PendingTests
{
    private static readonly Inline Executor = new();

    private readonly Completions _completions = new(Executor, new ReadableEngine(MemoryEngine.Create()));

    [Fact]
    public async Task A_waiter_hears_the_result_of_its_own_entry()
    {
        var pending = new PendingProposals();
        var waiters = Waiters(2);
        Assert.True(pending.TryRegister(Id(term: 3, index: 5), waiters));
        Settle(pending, Entry(3, 5), Entry(3, 6));
        Assert.Equal(5, (await waiters[0].Task).Revision);
        Assert.Equal(6, (await waiters[1].Task).Revision);
        Assert.Equal(0, pending.Count);
    }

    [Fact]
    public void A_waiter_whose_index_holds_an_entry_of_another_term_hears_that_it_was_dropped()
    {
        var pending = new PendingProposals();
        var waiters = Waiters(1);
        pending.TryRegister(Id(3, 5), waiters);
        Settle(pending, Entry(4, 5));
        Assert.IsType<ProposalDroppedException>(waiters[0].Task.Exception!.InnerException);
    }

    [Fact]
    public void Two_batches_at_the_same_index_are_told_apart_by_their_terms()
    {
        var pending = new PendingProposals();
        var old = Waiters(3);
        var mine = Waiters(1);
        pending.TryRegister(Id(3, 5), old);
        pending.TryRegister(Id(4, 6), mine);
        Settle(pending, Entry(3, 5));
        Settle(pending, Entry(4, 6), Entry(4, 7));
        Assert.True(old[0].Task.IsCompletedSuccessfully);
        Assert.True(old[1].Task.IsFaulted && old[2].Task.IsFaulted);
        Assert.True(mine[0].Task.IsCompletedSuccessfully);
    }

    [Fact]
    public void A_batch_is_settled_in_parts()
    {
        var pending = new PendingProposals();
        var waiters = Waiters(3);
        pending.TryRegister(Id(1, 1), waiters);
        Settle(pending, Entry(1, 1));
        Assert.True(waiters[0].Task.IsCompletedSuccessfully);
        Assert.False(waiters[1].Task.IsCompleted);
        Settle(pending, Entry(1, 2), Entry(1, 3));
        Assert.True(waiters[2].Task.IsCompletedSuccessfully);
    }

    [Fact]
    public void An_answer_that_comes_after_its_entries_were_applied_is_not_registered()
    {
        var pending = new PendingProposals();
        Settle(pending, Entry(1, 1), Entry(1, 2));
        Assert.False(pending.TryRegister(Id(1, 2), Waiters(1)));
        Assert.True(pending.TryRegister(Id(1, 3), Waiters(1)));
    }

    [Fact]
    public void A_snapshot_that_jumps_over_an_index_leaves_its_outcome_unknown()
    {
        var pending = new PendingProposals();
        var waiters = Waiters(2);
        pending.TryRegister(Id(1, 4), waiters);
        pending.SettleUnknown(new LogIndex(4), _completions);
        _completions.Flush();
        Assert.IsType<OutcomeUnknownException>(waiters[0].Task.Exception!.InnerException);
        Assert.False(waiters[1].Task.IsCompleted);
    }

    [Fact]
    public void A_waiter_whose_time_is_up_hears_unknown_and_the_others_go_on()
    {
        var pending = new PendingProposals();
        PendingProposal[] waiters = [new(deadlineTick: 10), new(deadlineTick: 20)];
        pending.TryRegister(Id(1, 1), waiters);
        pending.Expire(10, _completions);
        _completions.Flush();
        Assert.IsType<OutcomeUnknownException>(waiters[0].Task.Exception!.InnerException);
        Assert.False(waiters[1].Task.IsCompleted);
        Settle(pending, Entry(1, 1), Entry(1, 2));
        Assert.True(waiters[1].Task.IsCompletedSuccessfully);
    }

    [Fact]
    public void A_confirmed_read_runs_only_once_its_index_is_applied()
    {
        var pending = new PendingReads();
        var read = new PendingRead(new RangeQuery("k"u8.ToArray(), default), 100);
        pending.Asked(1, [read]);
        pending.Confirm(1, new LogIndex(7), _completions);
        pending.Applied(new LogIndex(6), _completions);
        _completions.Flush();
        Assert.False(read.Task.IsCompleted);
        pending.Applied(new LogIndex(7), _completions);
        _completions.Flush();
        Assert.True(read.Task.IsCompletedSuccessfully);
    }

    [Fact]
    public void A_refused_read_is_given_back_to_be_asked_again_under_a_new_number()
    {
        var pending = new PendingReads();
        var desk = new ReadDesk(pending, _completions, new NodeMetrics(), lastRequestId: 7);
        desk.Add([new PendingRead(new RangeQuery("k"u8.ToArray(), default), 100)]);
        var first = desk.Next(hasLeader: true);
        Assert.NotNull(first);
        desk.OnOutcome(new ReadOutcome(first.RequestId, Accepted: false, default));
        Assert.Null(desk.Next(hasLeader: true));
        desk.Expire(1);
        var second = desk.Next(hasLeader: true);
        Assert.NotNull(second);
        Assert.NotEqual(first.RequestId, second.RequestId);
    }

    [Fact]
    public void A_batch_forwarded_in_parts_is_answered_part_by_part()
    {
        var pending = new PendingProposals();
        var desk = new ProposalDesk(new ReplicaInbox(100, 1000), pending, _completions, new NodeMetrics(), 100, lastRequestId: 7);
        var waiters = Waiters(3);
        var batch = new ProposalBatch();
        foreach (var waiter in waiters)
        {
            batch.Add(new byte[] { 1 }, waiter);
        }

        desk.Add(batch);
        var propose = desk.Next(hasLeader: true);
        Assert.NotNull(propose);
        Assert.True(desk.OnProposed(propose, new ProposeOutcome(ProposeResult.Forwarded, default, new NodeId(2))));
        desk.OnForwarded(new ForwardOutcome(propose.RequestId, Accepted: true, Id(1, 5), Offset: 0, Count: 1));
        desk.OnForwarded(new ForwardOutcome(propose.RequestId, Accepted: false, default, Offset: 2, Count: 1));
        Settle(pending, Entry(1, 5));
        Assert.True(waiters[0].Task.IsCompletedSuccessfully);
        Assert.IsType<NoLeaderException>(waiters[2].Task.Exception!.InnerException);
        Assert.False(waiters[1].Task.IsCompleted);
        desk.OnLeaderChanged();
        Assert.IsType<OutcomeUnknownException>(waiters[1].Task.Exception!.InnerException);
    }

    [Fact]
    public void Reads_that_wait_for_a_quorum_take_places_of_the_inbox()
    {
        var inbox = new ReplicaInbox(callersMax: 2, bytesMax: 1000);
        inbox.Add(Read());
        inbox.Add(Read());
        List<Input> inputs = [];
        List<PendingRead> reads = [];
        inbox.Drain(ref inputs, ref reads, out _);
        Assert.Throws<OverloadedException>(() => inbox.Add(Read()));

        var pending = new PendingReads();
        var desk = new ReadDesk(pending, _completions, new NodeMetrics(), lastRequestId: 7);
        desk.Add(reads);
        Assert.Equal(2, desk.Count);
        var barrier = desk.Next(hasLeader: true);
        Assert.Equal(2, desk.Count);
        desk.OnOutcome(new ReadOutcome(barrier!.RequestId, Accepted: true, new LogIndex(7)));
        Assert.Equal(2, desk.Count);
        pending.Applied(new LogIndex(7), _completions);
        inbox.HoldReads(desk.Count);
        inbox.Add(Read());
    }

    [Fact]
    public void Forwarded_proposals_take_places_of_the_inbox_until_the_leader_answers()
    {
        var inbox = new ReplicaInbox(callersMax: 1, bytesMax: 1000);
        var desk = new ProposalDesk(
            inbox, new PendingProposals(), _completions, new NodeMetrics(), 100, lastRequestId: 7);
        inbox.Add(TestCluster.PutOf("key", "value"), new PendingProposal(deadlineTick: 10));
        List<Input> inputs = [];
        List<PendingRead> reads = [];
        inbox.Drain(ref inputs, ref reads, out var batch);
        desk.Add(batch);
        var propose = desk.Next(hasLeader: true);
        desk.OnProposed(propose!, new ProposeOutcome(ProposeResult.Forwarded, default, new NodeId(2)));
        Assert.Throws<OverloadedException>(() => inbox.Add(TestCluster.PutOf("key", "2"), new PendingProposal(10)));
        desk.OnForwarded(new ForwardOutcome(propose!.RequestId, Accepted: true, Id(1, 5), Offset: 0, Count: 1));
        inbox.Add(TestCluster.PutOf("key", "2"), new PendingProposal(10));
    }

    [Fact]
    public void Sessions_idle_for_longer_than_the_limit_are_expired_by_the_leader_only()
    {
        var clock = new SessionClock(idleTicksMax: 80);
        var follower = new SessionClock(idleTicksMax: 80);
        ExpireSessions? expired = null;
        for (var now = 0L; now <= 80; now++)
        {
            var state = (new LogIndex((ulong)now + 100), 0UL, 1);
            expired = clock.Tick(now, isLeader: true, state) ?? expired;
            Assert.Null(follower.Tick(now, isLeader: false, state));
        }

        Assert.Equal(100UL, expired?.LastUsedBefore);
    }

    private void Settle(PendingProposals pending, params LogEntry[] entries)
    {
        pending.Settle(
            entries, [.. entries.Select(entry => new CommandResult(CommandStatus.Ok, (long)entry.Index.Value))], _completions);
        _completions.Flush();
    }

    private static PendingRead Read() => new(new RangeQuery("k"u8.ToArray(), default), 100);

    private static PendingProposal[] Waiters(int count) =>
        [.. Enumerable.Range(0, count).Select(_ => new PendingProposal(deadlineTick: 1000))];

    private static EntryId Id(ulong term, ulong index) => new(new Term(term), new LogIndex(index));

    private static LogEntry Entry(ulong term, ulong index) => new(Id(term, index), EntryKind.Command, default);

    private sealed class Inline : IExecutor
    {
        public IWorker Attach(string name, Action turn, TimeSpan? every = null) => throw new NotSupportedException("These tests have no workers.");

        public void Queue(IThreadPoolWorkItem work) => work.Execute();
    }
}
