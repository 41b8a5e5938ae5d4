using Kvorum.Raft;
using Kvorum.Storage.Tests;

namespace Kvorum.Node.Tests;

/// <summary>
/// A node loses power at every write, sync and rename while it mends its log. The next process mends it, too, or finds
/// it mended: with all that was acknowledged, and with the vote.
/// </summary>
public sealed class MendingCrashTests
{
    private const int EntriesMade = 24;
    private static readonly GroupId _group = NodeRecovery.Group;
    private static readonly NodeId _me = new(LoneNode.Id);

    [Theory]
    [InlineData("entry 5 ")]
    [InlineData("entry 5 ,entry 19 ")]
    [InlineData("vote")]
    public void A_crash_at_any_operation_while_mending_forgets_nothing(string damage)
    {
        var disk = Make();
        foreach (var what in damage.Split(','))
        {
            Rot(disk, what);
        }

        var (operation, crashes) = (0, 0);
        for (var isDone = false; !isDone; operation++)
        {
            var copy = disk.Copy();
            copy.PowerFailsAt = operation + 1;
            try
            {
                Live(copy, incarnation: 6, mustMend: true);
                isDone = true;
            }
            catch (PowerFailureException)
            {
                foreach (var survival in Enum.GetValues<Survival>())
                {
                    Live(copy.AfterCrash(survival, new Random(operation)), incarnation: 7, mustMend: false);
                    crashes++;
                }
            }
        }

        Assert.True(operation > 30 && crashes > 100, $"{operation} operations, {crashes} crashes");
    }

    /// <summary>A process mends the log, and remembers what it was asked before.</summary>
    private static void Live(CrashDisk disk, ulong incarnation, bool mustMend)
    {
        var sent = new Queue<Message>();
        var node = new LoneNode(disk, incarnation, observer: null, sent.Enqueue);
        Assert.True(!mustMend || node.Node.Status.Mending is not null);
        for (var tick = 0; tick < 100 && node.Node.Status.Mending is not null; tick++)
        {
            Refuses(node, sent);
            node.Tick();
            while (sent.TryDequeue(out var message))
            {
                if (message is MendRequest question)
                {
                    node.Deliver(AnswerTo(question));
                }
            }
        }

        var status = node.Node.Status;
        Assert.Null(status.Mending);
        Assert.Null(status.Damage);
        Assert.True(status.MayVote);
        Assert.Equal(5UL, status.Incarnation);
        Assert.Equal((EntriesMade, 4UL), ((int)status.LastLogIndex, status.Term));
        sent.Clear();
        node.Deliver(Vote(candidate: 1, term: 4));
        Assert.False(Assert.Single(sent.OfType<VoteReply>()).Granted); // It voted for node 2 in this term.
        sent.Clear();
        var last = new LogIndex(EntriesMade);
        node.Deliver(new AppendEntries(
            _group, new NodeId(2), _me, new Term(4), Log()[^1].Id, last, ReadOnlyMemory<LogEntry>.Empty));
        node.Tick();
        Assert.Equal(last, Assert.Single(sent.OfType<AppendReply>()).Match);
        Assert.Equal((ulong)EntriesMade, node.Node.Status.AppliedIndex);
        node.Stop();
    }

    /// <summary>A node that mends its log neither votes nor acknowledges.</summary>
    private static void Refuses(LoneNode node, Queue<Message> sent)
    {
        sent.Clear();
        node.Deliver(Vote(candidate: 1, term: 9));
        node.Deliver(new AppendEntries(
            _group, new NodeId(2), _me, new Term(4), EntryId.Start, LogIndex.Zero, Log().AsMemory(0, 3)));
        node.Deliver(new Heartbeat(_group, new NodeId(2), _me, new Term(4), EntryId.Start, 1));
        Assert.Empty(sent);
    }

    private static MendReply AnswerTo(MendRequest question)
    {
        var peer = new RaftNode(
            new RaftOptions { Node = question.To, Group = _group, Seed = 1, AppendEntriesMax = 5 },
            new RecoveredState(
                new HardState(new Term(4), null), EntryId.Start, null, LogIndex.Zero,
                new Membership([new NodeId(1), new NodeId(2), _me], []), Log(), true, []));
        return Assert.IsType<MendReply>(Assert.Single(peer.Step(new Receive(question)).Send));
    }

    private static RequestVote Vote(ulong candidate, ulong term) => new(
        _group, new NodeId(candidate), _me, new Term(term), Log()[^1].Id, IsPreVote: false, null, IsTransfer: true);

    private static LogEntry[] Log() =>
    [
        .. Enumerable.Range(1, EntriesMade).Select(index => CrashStory.Command(
            index <= 12 ? 3UL : 4, (ulong)index, $"key {index}", $"entry {index} ")),
    ];

    private static CrashDisk Make()
    {
        var disk = new CrashDisk();
        var node = new LoneNode(disk, incarnation: 5, observer: null, _ => { });
        node.Meet(peer: 1, incarnation: 101);
        node.Meet(peer: 2, incarnation: 102);
        for (var i = 0; i < EntriesMade; i += 3)
        {
            if (i == 12)
            {
                node.Deliver(Vote(candidate: 2, term: 4));
            }

            var previous = i == 0 ? EntryId.Start : Log()[i - 1].Id;
            var term = Log()[i].Term;
            var leader = new NodeId(term.Value == 3 ? 1UL : 2);
            node.Deliver(new AppendEntries(
                _group, leader, _me, term, previous, LogIndex.Zero, Log().AsMemory(i, 3)));
        }

        node.Stop();
        return disk.Copy();
    }

    private static void Rot(CrashDisk disk, string what)
    {
        foreach (var path in disk.Paths.Where(path => path.EndsWith(".wal", StringComparison.Ordinal)))
        {
            // A vote in the log: term 4, node 2.
            var at = disk[path].AsSpan().IndexOf(what == "vote"
                ? [4, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1]
                : System.Text.Encoding.UTF8.GetBytes(what));
            if (at > 0)
            {
                disk[path][at] ^= 1;
                return;
            }
        }

        Assert.Fail($"{what} is not in the log.");
    }
}
