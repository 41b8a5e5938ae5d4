using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>What is refused before it is proposed, and that the refusal names what was expected and found.</summary>
public class CommandValidationTests
{
    private static readonly byte[] LongKey = new byte[KvLimits.KeyBytesMax + 1];
    private static readonly byte[] LongValue = new byte[KvLimits.ValueBytesMax + 1];

    private static TxnOperation Delete(string key) => new() { DeleteRange = new DeleteRange(Bytes(key), default) };

    private static TxnOperation[] Many(int count) => [.. Enumerable.Repeat(Delete("k"), count)];

    private static TxnOperation Nested(params TxnOperation[] then) => new() { Txn = new Txn([], then, []) };

    private static void Refused(Command command, params string[] words)
    {
        var message = CommandValidation.Check(command);
        Assert.NotNull(message);
        Assert.Contains("expected", message, StringComparison.Ordinal);
        Assert.Contains("found", message, StringComparison.Ordinal);
        Assert.All(words, word => Assert.Contains(word, message, StringComparison.Ordinal));
    }

    private static void RefusedInside(TxnOperation operation, params string[] words)
    {
        Refused(new Txn([], [operation], []), words);
        Refused(new Txn([], [], [Nested(operation)]), words);
    }

    [Fact]
    public void Commands_inside_all_limits_are_in_order()
    {
        Command[] commands =
        [
            new Put(Bytes("k"), default),
            new Put(LongKey.AsMemory(1), LongValue.AsMemory(1)) { Session = new SessionStamp(0, 1), Lease = 1 },
            new Append(Bytes("k"), Bytes("é")),
            new DeleteRange(Bytes("k"), LongKey.AsMemory(1)),
            new Txn([], [], []),
            new Txn([], Many(128), Many(128)),
            new Compact(0),
            new ExpireSessions(0),
        ];
        Assert.All(commands, command => Assert.Null(CommandValidation.Check(command)));
    }

    [Fact]
    public void The_largest_put_fits_a_command() =>
        Assert.True(CommandCodec.Size(new Put(LongKey.AsMemory(1), LongValue.AsMemory(1)) { Lease = 1 }) <= KvLimits.CommandBytesMax);

    [Fact]
    public void An_empty_key_is_refused()
    {
        Refused(new Put(default, Bytes("v")), "key", "found 0");
        Refused(new Append(default, Bytes("v")), "key", "found 0");
        Refused(new DeleteRange(default, Bytes("v")), "key", "found 0");
        RefusedInside(new TxnOperation { Put = new Put(default, default) }, "key", "found 0");
        RefusedInside(new TxnOperation { Append = new Append(default, default) }, "key", "found 0");
        RefusedInside(new TxnOperation { DeleteRange = new DeleteRange(default, default) }, "key", "found 0");
        RefusedInside(new TxnOperation { Range = new RangeQuery(default, default) }, "key", "found 0");
        Refused(new Txn([new Compare(default, CompareTarget.Version, CompareOperator.Equal)], [], []), "key", "found 0");
        Assert.NotNull(CommandValidation.CheckQuery(new RangeQuery(default, default)));
    }

    [Fact]
    public void A_key_range_end_or_value_too_large_is_refused()
    {
        Refused(new Put(LongKey, default), "key", "65535", "65536");
        Refused(new Put(Bytes("k"), LongValue), "value", "1572864", "1572865");
        Refused(new Append(LongKey, default), "key", "65536");
        Refused(new Append(Bytes("k"), LongValue), "item", "1572865");
        Refused(new DeleteRange(LongKey, default), "key", "65536");
        Refused(new DeleteRange(Bytes("k"), LongKey), "range end", "65536");
        RefusedInside(new TxnOperation { Put = new Put(Bytes("k"), LongValue) }, "value", "1572865");
        RefusedInside(new TxnOperation { Range = new RangeQuery(Bytes("k"), LongKey) }, "range end", "65536");
        var compare = new Compare(Bytes("k"), CompareTarget.Value, CompareOperator.Equal);
        Refused(new Txn([compare with { RangeEnd = LongKey }], [], []), "range end", "65536");
        Refused(new Txn([compare with { Value = LongValue }], [], []), "compared value", "1572865");
    }

    [Fact]
    public void An_item_that_is_no_text_is_refused() =>
        Refused(new Append(Bytes("k"), new byte[] { 0xC3 }), "item", "UTF-8");

    [Fact]
    public void Sequence_0_is_refused() =>
        Refused(new Compact(1) { Session = new SessionStamp(1, 0) }, "sequence", "found 0");

    [Fact]
    public void A_session_inside_a_transaction_is_refused()
    {
        var put = new Put(Bytes("k"), default) { Session = new SessionStamp(1, 1) };
        RefusedInside(new TxnOperation { Put = put }, "session");
    }

    [Fact]
    public void An_operation_has_exactly_one_part()
    {
        RefusedInside(new TxnOperation(), "one part", "found 0");
        RefusedInside(Delete("a") with { Put = new Put(Bytes("b"), default) }, "one part", "found 2");
    }

    [Fact]
    public void Too_many_operations_or_compares_are_refused()
    {
        Refused(new Txn([], Many(129), []), "128", "129");
        Refused(new Txn([], [], Many(129)), "128", "129");
        var compare = new Compare(Bytes("k"), CompareTarget.Version, CompareOperator.Equal);
        Refused(new Txn([.. Enumerable.Repeat(compare, 129)], [], []), "128", "129");
    }

    /// <summary>etcd: a nested transaction may have 128 less what its parent has.</summary>
    [Fact]
    public void A_nested_transaction_may_have_what_the_ones_around_it_leave()
    {
        Assert.Null(CommandValidation.Check(new Txn([], [Nested(Many(127))], [])));
        Refused(new Txn([], [Nested(Many(128))], []), "127", "128", "level 2");
        Refused(new Txn([], [Nested(Many(1))], Many(128)), "at most 0", "found 1");
        Refused(new Txn([], [Nested(Nested(Many(127)))], []), "at most 126", "level 3");
    }

    [Fact]
    public void All_levels_together_have_a_limit()
    {
        var wide = Enumerable.Repeat(Nested(Many(60)), 64).ToArray(); // 64 + 64 * 60 = 3,904.
        Assert.Null(CommandValidation.Check(new Txn([], wide, [])));
        Refused(new Txn([], wide, [Nested(Many(60)), Nested(Many(60)), Nested(Many(60)), Nested(Many(60))]), "4096");
    }

    [Fact]
    public void Too_many_levels_are_refused()
    {
        var operation = Delete("k");
        for (var level = 1; level < Txn.DepthMax; level++)
        {
            operation = Nested(operation);
        }

        Assert.Null(CommandValidation.Check(new Txn([], [operation], [])));
        Refused(new Txn([], [Nested(operation)], []), "16 levels");
    }

    [Fact]
    public void A_duplicate_key_is_refused()
    {
        var put = new TxnOperation { Put = new Put(Bytes("k"), default) };
        Refused(new Txn([], [put, put], []), "duplicate key");
        Refused(new Txn([], [], [Nested(put, Delete("k"))]), "duplicate key");
    }

    [Fact]
    public void Unknown_numbers_are_refused()
    {
        var compare = new Compare(Bytes("k"), CompareTarget.Version, CompareOperator.Equal);
        Refused(new Txn([compare with { Target = (CompareTarget)5 }], [], []), "target", "found 5");
        Refused(new Txn([compare with { Operator = (CompareOperator)4 }], [], []), "operator", "found 4");
        var query = new RangeQuery(Bytes("k"), default);
        RefusedInside(new TxnOperation { Range = query with { SortOrder = (SortOrder)3 } }, "order", "found 3");
        RefusedInside(new TxnOperation { Range = query with { SortTarget = (SortTarget)5 } }, "target", "found 5");
    }

    [Fact]
    public void A_command_whose_parts_are_too_large_together_is_refused()
    {
        TxnOperation Put(string key) => new() { Put = new Put(Bytes(key), new byte[KvLimits.ValueBytesMax]) };
        Refused(new Txn([], [Put("a"), Put("b")], []), "command", $"{KvLimits.CommandBytesMax}");
    }

    /// <summary>The size of what is far too large may not overflow into something that looks small.</summary>
    [Fact]
    public void A_command_of_gigabytes_is_refused()
    {
        var value = new byte[KvLimits.ValueBytesMax];
        var compare = new Compare(Bytes("k"), CompareTarget.Value, CompareOperator.Equal) { Value = value };
        TxnOperation If(int compares, params TxnOperation[] then) =>
            new() { Txn = new Txn([.. Enumerable.Repeat(compare, compares)], then, []) };

        var nested = Enumerable.Repeat(If(60), 60).ToArray();
        Refused(new Txn([], nested, []), "command");
    }

    /// <summary>What passes the check is never malformed for the one who applies it.</summary>
    [Fact]
    public void What_is_in_order_can_be_decoded_and_applied()
    {
        var commands = new CommandGenerator(21);
        using var test = new TestMachine();
        var inOrder = 0;
        for (var i = 0; i < 1_000; i++)
        {
            var command = commands.Next(test.Machine.Revision);
            if (CommandValidation.Check(command) is null)
            {
                inOrder++;
                Assert.NotEqual(CommandStatus.DuplicateKey, test.Apply(command).Status);
            }
            else
            {
                Assert.Equal(CommandKind.Txn, command.Kind);
            }
        }

        Assert.InRange(inOrder, 500, 999);
    }
}
