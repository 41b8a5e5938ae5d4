using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Client sessions (thesis §6.3): a retried command takes effect once and hears the same answer.</summary>
public class SessionTests
{
    private static SessionStamp Stamp(int client, ulong sequence) => new((UInt128)client << 64 | 7, sequence);

    private static CommandResult Append(TestMachine test, int client, ulong sequence, string item = "x") =>
        test.Apply(new Append(Bytes("l"), Bytes(item)) { Session = Stamp(client, sequence) });

    [Fact]
    public void A_command_sent_twice_takes_effect_once_and_hears_the_same_answer()
    {
        using var test = new TestMachine();
        var first = Append(test, 1, 1);
        test.Put("other", "1");
        var second = Append(test, 1, 1);
        Assert.Equal(first, second);
        Assert.Equal("[\"x\"]", test.Get("l"));
        Assert.Equal(3, test.Machine.Revision);
    }

    [Fact]
    public void Commands_without_a_session_are_not_deduplicated()
    {
        using var test = new TestMachine();
        test.Append("l", "x");
        Assert.Equal(2, test.Append("l", "x").Count);
        Assert.Equal(0, test.Machine.SessionCount);
    }

    [Fact]
    public void Sessions_do_not_share_sequences()
    {
        using var test = new TestMachine();
        Append(test, 1, 1);
        Assert.Equal(2, Append(test, 2, 1).Count);
        Assert.Equal(2, test.Machine.SessionCount);
    }

    [Fact]
    public void A_refused_answer_is_repeated_too_even_when_the_command_would_succeed_now()
    {
        using var test = new TestMachine();
        test.Put("l", "no list");
        Assert.Equal(CommandStatus.NotAList, Append(test, 1, 1).Status);
        test.Put("l", "[]");
        Assert.Equal((CommandStatus.NotAList, 2L), (Append(test, 1, 1).Status, Append(test, 1, 1).Revision));
        Assert.Equal("[]", test.Get("l"));
    }

    [Theory]
    [InlineData(2UL)]
    [InlineData(ulong.MaxValue)]
    public void A_sequence_above_1_of_an_unknown_client_is_refused(ulong sequence)
    {
        using var test = new TestMachine();
        var result = Append(test, 1, sequence);
        Assert.Equal((CommandStatus.UnknownSession, 1L), (result.Status, result.Revision));
        Assert.Null(test.Get("l"));
        Assert.Equal(0, test.Machine.SessionCount);
    }

    [Fact]
    public void Another_command_under_a_used_sequence_is_refused_and_the_first_answer_stays()
    {
        using var test = new TestMachine();
        var first = Append(test, 1, 1, "x");
        Assert.Equal(CommandStatus.SequenceReused, Append(test, 1, 1, "y").Status);
        var put = new Put(Bytes("l"), Bytes("x")) { Session = Stamp(1, 1) };
        Assert.Equal(CommandStatus.SequenceReused, test.Apply(put).Status);
        Assert.Equal(first, Append(test, 1, 1, "x"));
        Assert.Equal("[\"x\"]", test.Get("l"));
    }

    [Fact]
    public void The_same_put_that_asks_for_the_previous_value_is_another_command()
    {
        using var test = new TestMachine();
        var put = new Put(Bytes("a"), Bytes("1")) { Session = Stamp(1, 1) };
        test.Apply(put);
        Assert.Equal(CommandStatus.SequenceReused, test.Apply(put with { ReturnPrevious = true }).Status);
    }

    [Fact]
    public void Commands_may_come_out_of_order_and_with_gaps_inside_the_window()
    {
        using var test = new TestMachine();
        Append(test, 1, 1, "1");
        Append(test, 1, 40, "40");
        Append(test, 1, 3, "3");
        Append(test, 1, 2, "2");
        Append(test, 1, 39, "39");
        Assert.Equal("[\"1\",\"40\",\"3\",\"2\",\"39\"]", test.Get("l"));
        (ulong, long)[] answers = [(1, 1), (40, 2), (3, 3), (2, 4), (39, 5)];
        foreach (var (sequence, count) in answers)
        {
            Assert.Equal(count, Append(test, 1, sequence, $"{sequence}").Count);
        }

        Assert.Equal(6, test.Machine.Revision);
    }

    [Fact]
    public void A_sequence_below_the_window_is_too_old_whether_it_was_used_or_not()
    {
        using var test = new TestMachine(new KvOptions { AnswersPerSessionMax = 4 });
        Append(test, 1, 1, "1");
        Append(test, 1, 3, "3");
        Append(test, 1, 6, "6");
        Assert.Equal(CommandStatus.SequenceTooOld, Append(test, 1, 1, "1").Status);
        Assert.Equal(CommandStatus.SequenceTooOld, Append(test, 1, 2, "2").Status);
        Assert.Equal((CommandStatus.Ok, 2L), (Append(test, 1, 3, "3").Status, Append(test, 1, 3, "3").Count));
        Assert.Equal((CommandStatus.Ok, 4L), (Append(test, 1, 4, "4").Status, Append(test, 1, 4, "4").Count));
        Assert.Equal("[\"1\",\"3\",\"6\",\"4\"]", test.Get("l"));
    }

    [Fact]
    public void The_window_holds_as_many_answers_as_the_options_say()
    {
        using var test = new TestMachine(new KvOptions { AnswersPerSessionMax = 3 });
        for (var sequence = 1UL; sequence <= 10; sequence++)
        {
            Append(test, 1, sequence);
        }

        Assert.Equal(CommandStatus.SequenceTooOld, Append(test, 1, 7).Status);
        for (var sequence = 8UL; sequence <= 10; sequence++)
        {
            Assert.Equal((long)sequence, Append(test, 1, sequence).Count);
        }
    }

    [Fact]
    public void The_highest_sequence_of_all_is_a_sequence()
    {
        using var test = new TestMachine();
        Append(test, 1, 1);
        Assert.Equal(2, Append(test, 1, ulong.MaxValue).Count);
        Assert.Equal(2, Append(test, 1, ulong.MaxValue).Count);
        Assert.Equal(3, Append(test, 1, ulong.MaxValue - 63).Count);
        Assert.Equal(CommandStatus.SequenceTooOld, Append(test, 1, ulong.MaxValue - 64).Status);
    }

    [Fact]
    public void The_session_used_least_recently_gives_way_to_a_new_one()
    {
        using var test = new TestMachine(new KvOptions { SessionsMax = 3 });
        Append(test, 1, 1);
        Append(test, 2, 1);
        Append(test, 3, 1);
        Append(test, 1, 1); // A retry is a use too.
        Append(test, 4, 1);
        Assert.Equal(3, test.Machine.SessionCount);
        Assert.Equal(CommandStatus.UnknownSession, Append(test, 2, 2).Status);
        Assert.Equal(CommandStatus.Ok, Append(test, 1, 2).Status);
        Assert.Equal(CommandStatus.Ok, Append(test, 3, 2).Status);
        Assert.Equal(CommandStatus.Ok, Append(test, 4, 2).Status);
    }

    [Fact]
    public void Many_sessions_come_and_go_in_order_of_their_use()
    {
        const int sessionsMax = 300;
        using var test = new TestMachine(new KvOptions { SessionsMax = sessionsMax });
        for (var client = 1; client <= 1_000; client++)
        {
            test.Put("a", $"{client}", Stamp(client, 1));
            Assert.Equal(Math.Min(client, sessionsMax), test.Machine.SessionCount);
        }

        for (var client = 1; client <= 1_000; client++)
        {
            var expected = client > 1_000 - sessionsMax ? CommandStatus.Ok : CommandStatus.UnknownSession;
            Assert.Equal(expected, test.Put("a", "last", Stamp(client, 2)).Status);
        }

        using var copy = new TestMachine(new KvOptions { SessionsMax = sessionsMax });
        copy.Machine.Restore(Source(test.Snapshot()));
        Assert.Equal(sessionsMax, copy.Machine.SessionCount);
        Assert.Equal(test.Snapshot(), copy.Snapshot());
    }

    [Fact]
    public void Expiry_drops_the_sessions_last_used_before_a_log_index()
    {
        using var test = new TestMachine();
        Append(test, 1, 1); // Log index 1.
        Append(test, 2, 1);
        Append(test, 3, 1);
        Append(test, 1, 2); // Log index 4.
        var result = test.Apply(new ExpireSessions(3));
        Assert.Equal((CommandStatus.Ok, 1L), (result.Status, result.Count));
        Assert.Equal(2, test.Machine.SessionCount);
        Assert.Equal(CommandStatus.UnknownSession, Append(test, 2, 2).Status);
        Assert.Equal(CommandStatus.Ok, Append(test, 3, 2).Status);
        Assert.Equal(CommandStatus.Ok, Append(test, 1, 3).Status);
        Assert.Equal(7, test.Machine.Revision);
    }

    [Fact]
    public void Expiry_of_all_sessions_leaves_none_and_new_ones_open()
    {
        using var test = new TestMachine();
        Append(test, 1, 1);
        Append(test, 2, 1);
        Assert.Equal(2, test.Apply(new ExpireSessions(ulong.MaxValue)).Count);
        Assert.Equal(0, test.Apply(new ExpireSessions(ulong.MaxValue)).Count);
        Assert.Equal(0, test.Machine.SessionCount);
        Assert.Equal(3, Append(test, 1, 1).Count);
        Assert.Equal(1, test.Machine.SessionCount);
    }

    [Fact]
    public void An_expiry_sent_in_a_session_that_it_drops_is_still_recorded()
    {
        using var test = new TestMachine();
        Append(test, 1, 1);
        var expire = new ExpireSessions(ulong.MaxValue) { Session = Stamp(1, 2) };
        Assert.Equal(1, test.Apply(expire).Count);
        Assert.Equal(1, test.Machine.SessionCount);
        Assert.Equal(1, test.Apply(expire).Count);
    }

    [Fact]
    public void A_repeated_answer_has_its_rows()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "2");
        var put = new Put(Bytes("a"), Bytes("3")) { ReturnPrevious = true, Session = Stamp(1, 1) };
        test.Apply(put);
        var previous = Assert.IsType<KeyValue>(test.Apply(put).Detail);
        Assert.Equal(("a", "1", 2L), (Text(previous.Key), Text(previous.Value), previous.ModRevision));

        var delete = new DeleteRange(Bytes("a"), Bytes("z")) { ReturnPrevious = true, Session = Stamp(1, 2) };
        test.Apply(delete);
        var rows = Assert.IsType<KeyValue[]>(test.Apply(delete).Detail);
        Assert.Equal(["3", "2"], rows.Select(row => Text(row.Value)));
    }

    [Fact]
    public void A_repeated_transaction_answers_as_the_first_time()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var range = new TxnOperation { Range = RangeQuery.Prefix(default) };
        var append = new TxnOperation { Append = new Append(Bytes("l"), Bytes("x")) };
        var inner = new TxnOperation { Txn = new Txn([], [append], []) };
        var compare = new Compare(Bytes("a"), CompareTarget.Value, CompareOperator.Equal) { Value = Bytes("1") };
        var txn = new Txn([compare], [range, inner], []) { Session = Stamp(1, 1) };
        test.Apply(txn);
        test.Put("a", "2");
        var result = test.Apply(txn);
        Assert.Equal((CommandStatus.Ok, 3L, false), (result.Status, result.Revision, result.IsDetailDropped));
        var detail = Assert.IsType<TxnResult>(result.Detail);
        Assert.True(detail.Succeeded);
        Assert.Equal("1", Text(Assert.IsType<RangeResult>(detail.Results[0]).Rows[0].Value));
        var nested = Assert.IsType<TxnResult>(Assert.IsType<CommandResult>(detail.Results[1]).Detail);
        Assert.Equal(1, Assert.IsType<CommandResult>(nested.Results[0]).Count);
        Assert.Equal("[\"x\"]", test.Get("l"));
    }

    [Fact]
    public void A_detail_too_large_to_keep_is_dropped_and_the_repeated_answer_says_so()
    {
        using var test = new TestMachine();
        test.Apply(new Put(Bytes("a"), new byte[KvLimits.RecordedDetailBytesMax]));
        var put = new Put(Bytes("a"), Bytes("1")) { ReturnPrevious = true, Session = Stamp(1, 1) };
        var first = test.Apply(put);
        Assert.NotNull(first.Detail);
        Assert.False(first.IsDetailDropped);
        var second = test.Apply(put);
        Assert.Null(second.Detail);
        Assert.True(second.IsDetailDropped);
        Assert.Equal(first.Revision, second.Revision);
    }

    [Fact]
    public void A_transaction_whose_rows_are_dropped_still_tells_whether_it_succeeded()
    {
        using var test = new TestMachine();
        test.Apply(new Put(Bytes("a"), new byte[KvLimits.RecordedDetailBytesMax]));
        var txn = new Txn([], [new TxnOperation { Range = new RangeQuery(Bytes("a"), default) }], [])
        {
            Session = Stamp(1, 1),
        };
        Assert.Single(((TxnResult)test.Apply(txn).Detail!).Results);
        var repeated = test.Apply(txn);
        Assert.True(repeated.IsDetailDropped);
        Assert.True(((TxnResult)repeated.Detail!).Succeeded);
        Assert.Empty(((TxnResult)repeated.Detail!).Results);
    }

    [Fact]
    public void Sessions_give_way_when_their_answers_take_too_many_bytes()
    {
        var bytesMax = SessionTable.AnswerBytes + KvLimits.RecordedDetailBytesMax;
        using var test = new TestMachine(new KvOptions { AnswersPerSessionMax = 1, RecordedBytesMax = bytesMax });
        test.Apply(new Put(Bytes("a"), new byte[40_000]));
        for (var client = 1; client <= 3; client++)
        {
            var txn = new Txn([], [new TxnOperation { Range = new RangeQuery(Bytes("a"), default) }], [])
            {
                Session = Stamp(client, 1),
            };
            test.Apply(txn);
            Assert.Equal(1, test.Machine.SessionCount);
            Assert.False(test.Apply(txn).IsDetailDropped);
        }

        Assert.Equal(CommandStatus.UnknownSession, Append(test, 2, 2).Status);
    }

    [Fact]
    public void Options_without_room_are_misuse()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => new SessionTable(new KvOptions { SessionsMax = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SessionTable(new KvOptions { AnswersPerSessionMax = 0 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new SessionTable(new KvOptions { RecordedBytesMax = 65_536 }));
    }

    /// <summary>
    /// Against a model with plain collections: the same answers, and the same number of bytes recorded.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_sessions_behave_as_the_model_says(int seed)
    {
        var random = new Random(seed);
        var options = new KvOptions { SessionsMax = 5, AnswersPerSessionMax = 4 };
        using var test = new TestMachine(options);
        var model = new SessionModel(options);
        for (var i = 0; i < 2_000; i++)
        {
            if (random.Next(50) == 0)
            {
                var before = test.Machine.Applied.Value - (ulong)random.Next(20) % (test.Machine.Applied.Value + 1);
                test.Apply(new ExpireSessions(before));
                model.Expire(before);
            }
            else
            {
                var client = random.Next(8);
                var sequence = (ulong)Math.Max(1, model.Highest(client) + random.Next(-5, 4));
                var item = random.Next(10) == 0 ? "other" : $"{client}/{sequence}";
                var result = Append(test, client, sequence, item);
                var expected = model.Apply(client, sequence, item, test.Machine.Applied.Value);
                Assert.Equal(expected, (result.Status, result.Count));
            }

            Assert.Equal(model.Count, test.Machine.SessionCount);
        }
    }

    private sealed class SessionModel(KvOptions options)
    {
        private readonly List<Session> _sessions = []; // In order of use.
        private long _items;

        public int Count => _sessions.Count;

        public int Highest(int client) => (int)(_sessions.Find(session => session.Client == client)?.Highest ?? 0);

        public void Expire(ulong before) => _sessions.RemoveAll(session => session.LastUsed < before);

        public (CommandStatus Status, long Count) Apply(int client, ulong sequence, string item, ulong index)
        {
            var session = _sessions.Find(session => session.Client == client);
            if (session is null)
            {
                if (sequence != 1)
                {
                    return (CommandStatus.UnknownSession, 0);
                }

                if (_sessions.Count == options.SessionsMax)
                {
                    _sessions.RemoveAt(0);
                }

                session = new Session(client);
            }

            _sessions.Remove(session);
            _sessions.Add(session);
            session.LastUsed = index;
            if (session.Answers.TryGetValue(sequence, out var answer))
            {
                return answer.Item == item ? (CommandStatus.Ok, answer.Count) : (CommandStatus.SequenceReused, 0);
            }

            if (sequence + (ulong)options.AnswersPerSessionMax <= session.Highest)
            {
                return (CommandStatus.SequenceTooOld, 0);
            }

            session.Highest = Math.Max(session.Highest, sequence);
            session.Answers.Add(sequence, (item, ++_items));
            foreach (var old in session.Answers.Keys.ToList())
            {
                if (old + (ulong)options.AnswersPerSessionMax <= session.Highest)
                {
                    session.Answers.Remove(old);
                }
            }

            return (CommandStatus.Ok, _items);
        }

        private sealed class Session(int client)
        {
            public int Client { get; } = client;

            public ulong Highest { get; set; }

            public ulong LastUsed { get; set; }

            public Dictionary<ulong, (string Item, long Count)> Answers { get; } = [];
        }
    }
}
