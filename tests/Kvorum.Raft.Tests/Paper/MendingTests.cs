using static Kvorum.Raft.Tests.Replicas;

namespace Kvorum.Raft.Tests;

/// <summary>A broken log becomes exactly what it was, by what peers have of it; or it stays broken.</summary>
public sealed class MendingTests
{
    /// <summary>Entries 1 to 10 in terms 1, 2 and 3.</summary>
    private static readonly LogEntry[] _whole = Entries(0, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3);

    [Fact]
    public void What_is_missing_comes_from_a_peer_that_has_the_entry_behind_it()
    {
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        Assert.Equal((5UL, 6UL), (mender.MissingFirst.Value, mender.MissingLast.Value));
        var asked = Assert.IsType<MendRequest>(mender.OnTick());
        Assert.Equal((Id(2, 7), 5UL), (asked.Before, asked.First.Value));
        Assert.Null(mender.OnMessage(AnswerOf(Peer(_whole), asked)));
        AssertWhole(mender);
    }

    /// <summary>
    /// The seeded bug this is for: a peer that answers by index alone. Its entries 5 and 6 are of another branch, and
    /// with them the log would be one that nobody ever had.
    /// </summary>
    [Fact]
    public void A_peer_with_another_entry_there_has_nothing_to_say()
    {
        var other = Peer(Entries(0, 1, 1, 1, 2, 2, 3, 3, 3));
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        var reply = AnswerOf(other, mender.OnTick()!);
        Assert.Equal(MendResult.Unknown, reply.Result);
        Assert.Empty(reply.Entries.ToArray());
        mender.OnMessage(reply);
        Assert.Null(mender.Mended);
    }

    [Fact]
    public void What_was_read_in_front_gives_way_where_the_lost_part_had_replaced_it()
    {
        // It had 1 to 6 once, of which a leader of term 2 replaced 4 to 6; that is in what is lost.
        var stale = new LogRun(EntryId.Start, Entries(0, 1, 1, 1, 1, 1, 1));
        var mender = Mender(Broken(stale, Run(7, 10)));
        var asked = (MendRequest)mender.OnTick()!;
        Assert.Equal(7UL, asked.First.Value); // Only whether 6 is the one before.
        var next = (MendRequest)mender.OnMessage(AnswerOf(Peer(_whole), asked))!;
        Assert.Equal(1UL, next.First.Value);
        Assert.Null(mender.OnMessage(AnswerOf(Peer(_whole), next)));
        AssertWhole(mender);
    }

    [Fact]
    public void What_a_snapshot_covers_is_not_asked_for()
    {
        var mender = Mender(Broken(Run(1, 2), Run(8, 10)), covered: 5);
        var asked = (MendRequest)mender.OnTick()!;
        Assert.Equal(6UL, asked.First.Value);
        mender.OnMessage(AnswerOf(Peer(_whole), asked));
        Assert.Equal(Id(2, 5), mender.Mended!.LogStart);
        Assert.Equal(_whole[5..].Select(Show), mender.Mended.Entries.Select(Show));

        var covered = Mender(Broken(Run(1, 2), Run(8, 10)), covered: 9);
        Assert.Equal(Id(3, 8), covered.Mended!.LogStart);
    }

    [Fact]
    public void Pieces_of_any_size_add_up_and_copies_of_answers_change_nothing()
    {
        var options = Options(id: 2) with { AppendEntriesMax = 2 };
        var peer = Started(log: [1, 1, 1, 2, 2, 2, 2, 3, 3, 3], options: options);
        var mender = Mender(Broken(new LogRun(EntryId.Start, []), Run(9, 10)));
        var question = mender.OnTick();
        var earlier = new List<MendReply>();
        while (question is not null)
        {
            var reply = AnswerOf(peer, question);
            Assert.InRange(reply.Entries.Length, 1, 2);
            question = mender.OnMessage(reply);
            earlier.Add(reply);
            Assert.All(earlier, copy => Assert.Null(mender.OnMessage(copy)));
        }

        AssertWhole(mender);
    }

    [Fact]
    public void Logs_that_are_broken_at_different_places_mend_one_another()
    {
        var menders = new[]
        {
            Mender(Broken(Run(1, 2), Run(5, 8), Run(10, 10)), id: 1),
            Mender(Broken(Run(2, 6), Run(8, 10)), id: 2),
            Mender(Broken(Run(1, 4), Run(6, 10)), id: 3),
        };
        Talk(menders);
        Assert.All(menders, AssertWhole);
    }

    [Fact]
    public void Logs_that_are_broken_at_the_same_place_stay_so()
    {
        var menders = new[]
        {
            Mender(Broken(Run(1, 4), Run(7, 10)), id: 1),
            Mender(Broken(Run(1, 5), Run(7, 10)), id: 2),
            Mender(Broken(Run(1, 4), Run(6, 10)), id: 3),
        };
        Talk(menders);
        Assert.All(menders, mender => Assert.Null(mender.Mended));
        Assert.All(menders, mender => Assert.False(mender.IsHopeless)); // No leader: to wait costs nothing.
    }

    [Fact]
    public void Another_peer_is_asked_when_one_says_nothing()
    {
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        var asked = new List<NodeId>();
        for (var tick = 0; tick < 100; tick++)
        {
            if (mender.OnTick() is { } question)
            {
                asked.Add(question.To);
            }
        }

        Assert.Equal([new NodeId(3), new NodeId(2), new NodeId(3), new NodeId(2), new NodeId(3)], asked);
    }

    [Fact]
    public void Under_a_leader_it_is_given_up_after_a_while_without_getting_on()
    {
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        for (var tick = 0; tick < 400; tick++)
        {
            mender.OnTick();
        }

        Assert.False(mender.IsHopeless);
        for (var tick = 0; tick < 1000; tick++)
        {
            mender.OnMessage(Messages.Heartbeat(from: 2, term: 3));
            mender.OnTick();
        }

        Assert.False(mender.IsHopeless); // Nobody hears it, so the leader could not readmit it either.
        var refusal = AnswerOf(Peer(Entries(0, 1)), Ask(mender));
        Assert.Equal(MendResult.Unknown, refusal.Result);
        mender.OnMessage(refusal);
        Assert.True(mender.IsHopeless);

        mender.OnMessage(Messages.Heartbeat(from: 3, term: 3)); // Another leader.
        Assert.False(mender.IsHopeless);
        for (var tick = 0; tick < 299; tick++)
        {
            mender.OnMessage(Messages.Heartbeat(from: 2, term: 3));
            if (mender.OnTick() is MendRequest { To.Value: 2 } question)
            {
                mender.OnMessage(AnswerOf(Peer(Entries(0, 1)), question));
            }
        }

        Assert.False(mender.IsHopeless);
        mender.OnMessage(Messages.Heartbeat(from: 2, term: 2)); // Of a term that is over.
        mender.OnMessage(Messages.Heartbeat(from: 2, term: 3));
        mender.OnTick();
        mender.OnTick();
        Assert.True(mender.IsHopeless);
        mender.OnMessage(AnswerOf(Peer(_whole), mender.OnTick() ?? Ask(mender)));
        AssertWhole(mender);
        Assert.False(mender.IsHopeless);
    }

    [Fact]
    public void A_removed_node_need_not_wait()
    {
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        var membership = new Membership([new NodeId(2)], [], [], [], [], [new NodeId(1)]);
        mender.OnMessage(new MembershipNotice(
            Group, new NodeId(2), new NodeId(1), new Term(3), new LogIndex(9), membership));
        Assert.True(mender.IsHopeless);
    }

    [Fact]
    public void A_replica_reads_for_the_broken_log_what_memory_no_longer_has()
    {
        var options = Options(id: 2) with { CacheBytesMax = 0, LogBlockBits = 1 };
        var peer = Started(log: [1, 1, 1, 2, 2, 2, 2, 3, 3, 3], options: options, applied: 10);
        var mender = Mender(Broken(Run(1, 2), Run(7, 10)));
        var effects = peer.Step(new Receive(Ask(mender)));
        var fetch = Assert.Single(effects.Fetches);
        Assert.Equal((Id(2, 7), 3UL), (fetch.Before, fetch.From.Value));
        Assert.Empty(effects.Send);

        // A read knows no end, and may find what is not in the log any more.
        var read = new Fetched(fetch.Peer, _whole.AsMemory(2), fetch.Before);
        mender.OnMessage(Assert.Single(peer.Step(read).Send));
        AssertWhole(mender);
        var torn = new Fetched(fetch.Peer, Entries(2, 1, 9, 9), fetch.Before);
        var reply = Assert.IsType<MendReply>(Assert.Single(peer.Step(torn).Send));
        Assert.Equal(1, reply.Entries.Length);
    }

    [Fact]
    public void A_replica_says_when_it_has_nothing_in_front_any_more()
    {
        var options = Options(id: 2) with { TrailingEntries = 0 };
        var peer = Started(log: [1, 1, 1, 2, 2, 2, 2, 3, 3, 3], options: options, applied: 10);
        peer.Step(new SnapshotTaken(Snapshot(term: 2, index: 7)));
        var mender = Mender(Broken(Run(1, 4), Run(7, 10)));
        Assert.Equal(MendResult.Gone, AnswerOf(peer, mender.OnTick()!).Result);
    }

    /// <summary>
    /// Histories in which every node replaced its tail now and then, with holes anywhere: whatever comes out is the log
    /// that was there.
    /// </summary>
    [Fact]
    public void Whatever_is_mended_is_what_it_was()
    {
        var mended = 0;
        for (var seed = 0; seed < 500; seed++)
        {
            var random = new Random(seed);
            var logs = Branches(random);
            var menders = new List<LogMender>();
            foreach (var log in logs)
            {
                menders.Add(Mender(Break(log, random), id: (ulong)menders.Count + 1));
            }

            Talk([.. menders], random);
            for (var i = 0; i < menders.Count; i++)
            {
                if (menders[i].Mended is { } found)
                {
                    Assert.Equal(EntryId.Start, found.LogStart);
                    Assert.Equal(logs[i][^1].Select(Show), found.Entries.Select(Show));
                    mended++;
                }
            }
        }

        Assert.InRange(mended, 700, 1499);
    }

    /// <summary>For each of three nodes, its log at several moments, the last one as it is.</summary>
    private static List<List<LogEntry[]>> Branches(Random random)
    {
        // Leaders of rising terms extend one of the logs; the others copy a prefix of theirs, tail and all.
        var logs = new List<List<LogEntry[]>> { new(), new(), new() };
        for (ulong term = 1; term <= 6; term++)
        {
            var leader = logs[random.Next(3)];
            LogEntry[] log = [.. leader.LastOrDefault() ?? []];
            log = [.. log, .. Entries((ulong)log.Length, [.. Enumerable.Repeat(term, random.Next(1, 5))])];
            leader.Add(log);
            foreach (var follower in logs.Where(other => other != leader && random.Next(3) > 0))
            {
                var shared = log[..random.Next(1, log.Length + 1)];
                var own = follower.LastOrDefault() ?? [];
                if (own.Length < shared.Length || own[shared.Length - 1].Id != shared[^1].Id)
                {
                    follower.Add(shared);
                }
            }
        }

        foreach (var log in logs.Where(log => log.Count == 0))
        {
            log.Add(logs.First(other => other.Count > 0)[0]);
        }

        return logs;
    }

    private static BrokenLog Break(List<LogEntry[]> moments, Random random)
    {
        var last = moments[^1];
        var runs = new List<LogRun>();
        if (moments.Count > 1)
        {
            var earlier = moments[random.Next(moments.Count - 1)];
            runs.Add(new LogRun(EntryId.Start, earlier[..random.Next(earlier.Length + 1)]));
        }

        var end = random.Next(last.Length);
        if (end > 2)
        {
            var from = random.Next(end);
            runs.Add(new LogRun(null, last[from..random.Next(from, end)]));
        }

        return Broken([.. runs, new LogRun(null, last[end..])]);
    }

    /// <summary>Everybody asks everybody, until nobody gets on; some messages are lost or come twice.</summary>
    private static void Talk(LogMender[] menders, Random? random = null)
    {
        for (var i = 0; i < menders.Length; i++)
        {
            var own = new NodeId((ulong)i + 1);
            var all = Enumerable.Range(1, menders.Length).Select(id => new NodeId((ulong)id));
            menders[i].Peers = [.. all.Where(id => id != own)];
        }

        var messages = new Queue<Message>();
        for (var tick = 0; tick < 2_000; tick++)
        {
            foreach (var mender in menders)
            {
                Add(mender.OnTick());
            }

            for (var i = 0; i < 100 && messages.TryDequeue(out var message); i++)
            {
                var times = random?.Next(8) switch { 0 => 0, 1 => 2, _ => 1 };
                for (; times > 0; times--)
                {
                    Add(menders[(int)message.To.Value - 1].OnMessage(message));
                }
            }
        }

        void Add(Message? message)
        {
            if (message is not null)
            {
                messages.Enqueue(message);
            }
        }
    }

    private static MendRequest Ask(LogMender mender)
    {
        for (var tick = 0; tick < 100; tick++)
        {
            if (mender.OnTick() is MendRequest { To.Value: 2 } request)
            {
                return request;
            }
        }

        throw new InvalidOperationException("It asks nobody.");
    }

    private static RaftNode Peer(LogEntry[] log) =>
        Started(log: [.. log.Select(entry => entry.Term.Value)], options: Options(id: 2));

    private static MendReply AnswerOf(RaftNode peer, Message question)
    {
        var sent = peer.Step(new Receive(question with { To = peer.Node })).Send;
        return (MendReply)Assert.Single(sent) with { From = question.To };
    }

    private static LogMender Mender(BrokenLog log, ulong covered = 0, ulong id = 1)
    {
        var options = new MendingOptions { Node = new NodeId(id), Group = Group };
        return new LogMender(options, log, new LogIndex(covered)) { Peers = [new NodeId(2), new NodeId(3)] };
    }

    private static BrokenLog Broken(params LogRun[] runs) =>
        new(new HardState(runs[^1].Entries[^1].Term, null), runs);

    private static LogRun Run(int first, int last) =>
        new(first == 1 ? EntryId.Start : null, _whole[(first - 1)..last]);

    private static void AssertWhole(LogMender mender)
    {
        Assert.NotNull(mender.Mended);
        Assert.Equal(EntryId.Start, mender.Mended.LogStart);
        Assert.Equal(_whole.Select(Show), mender.Mended.Entries.Select(Show));
    }

    private static string Show(LogEntry entry) => $"{entry.Id} {entry.Kind} {Convert.ToHexString(entry.Payload.Span)}";
}
