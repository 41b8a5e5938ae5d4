using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>
/// Transactions (etcd v3 API, TxnRequest): which branch runs, what it sees, and that it runs whole or not.
/// </summary>
public class TxnTests
{
    private static TxnOperation Put(string key, string value) => new() { Put = new Put(Bytes(key), Bytes(value)) };

    private static TxnOperation Append(string key, string item) =>
        new() { Append = new Append(Bytes(key), Bytes(item)) };

    private static TxnOperation Delete(string key, string rangeEnd = "") =>
        new() { DeleteRange = new DeleteRange(Bytes(key), Bytes(rangeEnd)) };

    private static TxnOperation Range(string key, string rangeEnd = "", long atRevision = 0) =>
        new() { Range = new RangeQuery(Bytes(key), Bytes(rangeEnd)) { AtRevision = atRevision } };

    private static TxnOperation Nested(Txn txn) => new() { Txn = txn };

    private static Txn Do(params TxnOperation[] then) => new([], then, []);

    private static Txn If(Compare compare, TxnOperation[] then, TxnOperation[] @else) => new([compare], then, @else);

    private static Compare ValueIs(string key, string value, CompareOperator @operator = CompareOperator.Equal) =>
        new(Bytes(key), CompareTarget.Value, @operator) { Value = Bytes(value) };

    private static Compare NumberIs(
        string key, CompareTarget target, long number, CompareOperator @operator = CompareOperator.Equal) =>
        new(Bytes(key), target, @operator) { Number = number };

    private static TxnResult Detail(CommandResult result) => Assert.IsType<TxnResult>(result.Detail);

    [Fact]
    public void All_writes_of_a_transaction_share_one_revision_and_number_themselves_inside_it()
    {
        using var test = new TestMachine();
        test.Put("gone", "1");
        var result = test.Apply(Do(Put("a", "1"), Put("b", "2"), Delete("gone")));
        Assert.Equal((CommandStatus.Ok, 3L), (result.Status, result.Revision));
        Assert.Equal(3, test.Row("a")!.ModRevision);
        Assert.Equal(3, test.Row("b")!.ModRevision);
        test.Machine.Publish();
        var revisions = new RevisionCollector();
        using var view = test.Engine.OpenView();
        view.ScanAll(ref revisions);
        Assert.Equal(["a@3/0", "b@3/1", "gone@2/0", "gone@3/2"], revisions.Found);
    }

    [Fact]
    public void A_transaction_that_writes_nothing_takes_no_revision()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var result = test.Apply(Do(Range("a"), Delete("missing")));
        Assert.Equal((CommandStatus.Ok, 2L), (result.Status, result.Revision));
        Assert.Equal(3, test.Put("b", "1").Revision);
    }

    [Fact]
    public void An_empty_compare_list_is_true_and_empty_branches_are_legal()
    {
        using var test = new TestMachine();
        var detail = Detail(test.Apply(new Txn([], [], [Put("a", "1")])));
        Assert.True(detail.Succeeded);
        Assert.Empty(detail.Results);
        Assert.Null(test.Get("a"));
    }

    [Fact]
    public void One_false_compare_runs_the_else_branch()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        Compare[] compares = [ValueIs("a", "1"), ValueIs("a", "2")];
        var detail = Detail(test.Apply(new Txn(compares, [Put("b", "then")], [Put("b", "else")])));
        Assert.False(detail.Succeeded);
        Assert.Equal("else", test.Get("b"));
    }

    [Fact]
    public void Operations_see_what_earlier_ones_of_the_same_transaction_wrote()
    {
        using var test = new TestMachine();
        test.Put("a", "old");
        var nested = Nested(Do(Delete("c")));
        var txn = Do(Range("a", "z"), Put("a", "new"), Put("b", "1"), Range("a", "z"), nested, Range("b"));
        var results = Detail(test.Apply(txn)).Results;
        Assert.Equal(6, results.Count);
        Assert.Equal(["old"], ((RangeResult)results[0]).Rows.Select(row => Text(row.Value)));
        Assert.Equal(["new", "1"], ((RangeResult)results[3]).Rows.Select(row => Text(row.Value)));
        Assert.Equal(3, ((RangeResult)results[3]).Rows[0].ModRevision);
        Assert.Equal(1, ((RangeResult)results[5]).Count);
    }

    [Fact]
    public void Results_stand_one_per_operation_in_order_and_kind()
    {
        using var test = new TestMachine();
        var txn = Do(Put("a", "1"), Append("l", "x"), Range("a"), Delete("m"), Nested(Do(Put("n", "1"))));
        var results = Detail(test.Apply(txn)).Results;
        Assert.Equal(0, Assert.IsType<CommandResult>(results[0]).Count);
        Assert.Equal(1, Assert.IsType<CommandResult>(results[1]).Count);
        Assert.Equal(1, Assert.IsType<RangeResult>(results[2]).Count);
        Assert.Equal(0, Assert.IsType<CommandResult>(results[3]).Count);
        var nested = Assert.IsType<TxnResult>(Assert.IsType<CommandResult>(results[4]).Detail);
        Assert.Single(nested.Results);
    }

    [Fact]
    public void A_put_in_a_transaction_returns_the_previous_row_when_asked()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var put = new TxnOperation { Put = new Put(Bytes("a"), Bytes("2")) { ReturnPrevious = true } };
        var result = (CommandResult)Detail(test.Apply(Do(put))).Results[0];
        Assert.Equal("1", Text(((KeyValue)result.Detail!).Value));
    }

    [Theory]
    [InlineData(CompareTarget.Version)]
    [InlineData(CompareTarget.CreateRevision)]
    [InlineData(CompareTarget.ModRevision)]
    [InlineData(CompareTarget.Lease)]
    public void A_missing_key_compares_its_numbers_as_0(CompareTarget target)
    {
        using var test = new TestMachine();
        Assert.True(Detail(test.Apply(If(NumberIs("x", target, 0), [], []))).Succeeded);
        Assert.True(Detail(test.Apply(If(NumberIs("x", target, 1, CompareOperator.Less), [], []))).Succeeded);
        Assert.False(Detail(test.Apply(If(NumberIs("x", target, 0, CompareOperator.NotEqual), [], []))).Succeeded);
    }

    [Theory]
    [InlineData(CompareOperator.Equal)]
    [InlineData(CompareOperator.NotEqual)]
    [InlineData(CompareOperator.Less)]
    [InlineData(CompareOperator.Greater)]
    public void Comparing_the_value_of_a_missing_key_is_false_even_for_not_equal(CompareOperator @operator)
    {
        using var test = new TestMachine();
        Assert.False(Detail(test.Apply(If(ValueIs("x", "v", @operator), [], []))).Succeeded);
        var range = ValueIs("x", "v", @operator) with { RangeEnd = Bytes("z") };
        Assert.False(Detail(test.Apply(If(range, [], []))).Succeeded);
    }

    [Theory]
    [InlineData(CompareTarget.Version, 2)]
    [InlineData(CompareTarget.CreateRevision, 3)]
    [InlineData(CompareTarget.ModRevision, 5)]
    [InlineData(CompareTarget.Lease, 9)]
    public void Numbers_compare_with_every_operator(CompareTarget target, long actual)
    {
        using var test = new TestMachine();
        test.Put("other", "1");
        test.Put("a", "1");
        test.Put("other", "2");
        test.Apply(new LeaseGrant(9, 10));
        test.Apply(new Put(Bytes("a"), Bytes("2")) { Lease = 9 });
        bool Holds(CompareOperator @operator, long number) =>
            Detail(test.Apply(If(NumberIs("a", target, number, @operator), [], []))).Succeeded;

        Assert.True(Holds(CompareOperator.Equal, actual));
        Assert.False(Holds(CompareOperator.Equal, actual + 1));
        Assert.True(Holds(CompareOperator.NotEqual, actual + 1));
        Assert.False(Holds(CompareOperator.NotEqual, actual));
        Assert.True(Holds(CompareOperator.Greater, actual - 1));
        Assert.False(Holds(CompareOperator.Greater, actual));
        Assert.True(Holds(CompareOperator.Less, actual + 1));
        Assert.False(Holds(CompareOperator.Less, actual));
    }

    [Fact]
    public void Values_compare_as_unsigned_bytes()
    {
        using var test = new TestMachine();
        test.Apply(new Put(Bytes("a"), new byte[] { 0x80 }));
        var compare = new Compare(Bytes("a"), CompareTarget.Value, CompareOperator.Greater)
        {
            Value = new byte[] { 0x7F, 0xFF },
        };
        Assert.True(Detail(test.Apply(If(compare, [], []))).Succeeded);
    }

    [Fact]
    public void A_compare_on_a_range_must_hold_for_every_key_of_it()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "1");
        test.Put("c", "2");
        bool Holds(string rangeEnd) =>
            Detail(test.Apply(If(ValueIs("a", "1") with { RangeEnd = Bytes(rangeEnd) }, [], []))).Succeeded;

        Assert.True(Holds("c"));
        Assert.False(Holds("d"));
        Assert.False(Holds("\0"));
    }

    [Fact]
    public void A_compare_on_an_empty_range_looks_at_one_row_of_zeros()
    {
        using var test = new TestMachine();
        var none = NumberIs("a", CompareTarget.CreateRevision, 0) with { RangeEnd = Bytes("z") };
        Assert.True(Detail(test.Apply(If(none, [], []))).Succeeded);
        Assert.False(Detail(test.Apply(If(none with { Number = 1 }, [], []))).Succeeded);
    }

    /// <summary>etcd decides the whole path on the state before the transaction.</summary>
    [Fact]
    public void A_nested_compare_looks_at_the_state_before_the_transaction()
    {
        using var test = new TestMachine();
        var nested = Nested(If(ValueIs("a", "1"), [Put("b", "seen")], [Put("b", "not seen")]));
        test.Apply(Do(Put("a", "1"), nested));
        Assert.Equal("not seen", test.Get("b"));
    }

    [Fact]
    public void Only_the_branch_of_a_nested_transaction_that_was_chosen_runs()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var inner = Nested(If(ValueIs("a", "2"), [Put("x", "then")], [Put("x", "else")]));
        var outer = If(ValueIs("a", "1"), [inner, Put("y", "then")], [Put("y", "else")]);
        var detail = Detail(test.Apply(outer));
        Assert.True(detail.Succeeded);
        Assert.False(((TxnResult)((CommandResult)detail.Results[0]).Detail!).Succeeded);
        Assert.Equal(("else", "then"), (test.Get("x"), test.Get("y")));
    }

    [Fact]
    public void A_key_put_twice_is_refused_and_nothing_changes()
    {
        using var test = new TestMachine();
        var result = test.Apply(Do(Put("a", "1"), Put("b", "1"), Put("a", "2")));
        Assert.Equal((CommandStatus.DuplicateKey, 1L), (result.Status, result.Revision));
        Assert.Null(test.Get("a"));
        Assert.Null(test.Get("b"));
        Assert.Equal(2, test.Put("c", "1").Revision);
    }

    [Fact]
    public void A_duplicate_in_the_branch_that_would_not_run_is_refused_too()
    {
        using var test = new TestMachine();
        var txn = If(ValueIs("x", "1"), [Put("a", "1"), Put("a", "2")], [Put("b", "1")]);
        Assert.Equal(CommandStatus.DuplicateKey, test.Apply(txn).Status);
        Assert.Null(test.Get("b"));
    }

    [Fact]
    public void An_append_that_cannot_be_done_makes_the_whole_transaction_change_nothing()
    {
        using var test = new TestMachine();
        test.Put("l", "no list");
        var result = test.Apply(Do(Put("a", "1"), Delete("b"), Append("l", "x")));
        Assert.Equal((CommandStatus.NotAList, 2L), (result.Status, result.Revision));
        Assert.Null(result.Detail);
        Assert.Null(test.Get("a"));
        Assert.Equal("no list", test.Get("l"));
    }

    [Fact]
    public void An_append_in_a_branch_that_does_not_run_is_not_checked()
    {
        using var test = new TestMachine();
        test.Put("l", "no list");
        var txn = If(ValueIs("l", "other"), [Append("l", "x")], [Put("a", "1")]);
        Assert.Equal(CommandStatus.Ok, test.Apply(txn).Status);
    }

    [Fact]
    public void A_range_at_an_old_revision_does_not_see_the_transaction()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("a", "2");
        var results = Detail(test.Apply(Do(Put("a", "3"), Range("a", "", 2), Range("a", "", 3), Range("a")))).Results;
        Assert.Equal(["1", "2", "3"], results.Skip(1).Select(result => Text(((RangeResult)result).Rows[0].Value)));
        Assert.Equal([4L, 4L, 4L], results.Skip(1).Select(result => ((RangeResult)result).Revision));
        Assert.Equal("3", test.Get("a"));
    }

    [Fact]
    public void A_range_at_an_old_revision_shows_views_only_whole_commands()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Apply(Do(Put("a", "2"), Range("a", "", 2)));
        using var view = test.Engine.OpenView();
        Assert.Equal((1UL, 2L), (view.Applied.Value, view.Revision));
        Assert.Equal("1", Text(new RangeQuery(Bytes("a"), default).Execute(view).Rows[0].Value));
    }

    [Fact]
    public void A_range_in_the_future_or_compacted_makes_the_whole_transaction_change_nothing()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("a", "2");
        test.Apply(new Compact(3));
        Assert.Equal(CommandStatus.FutureRevision, test.Apply(Do(Put("b", "1"), Range("a", "", 4))).Status);
        Assert.Equal(CommandStatus.Compacted, test.Apply(Do(Put("b", "1"), Nested(Do(Range("a", "", 2))))).Status);
        Assert.Equal(CommandStatus.Ok, test.Apply(Do(Range("a", "", 3))).Status);
        Assert.Null(test.Get("b"));
        Assert.Equal(3, test.Machine.Revision);
    }

    [Fact]
    public void The_answer_of_a_transaction_has_one_limit_of_bytes_for_all_its_ranges()
    {
        using var test = new TestMachine();
        var value = new byte[KvLimits.ValueBytesMax];
        test.Apply(new Put(Bytes("a"), value));
        var full = (int)(RangeQuery.AnswerBytesMax / (value.Length + 1));
        var txn = Do([.. Enumerable.Repeat(Range("a"), full + 1)]);
        var results = Detail(test.Apply(txn)).Results.Cast<RangeResult>().ToList();
        Assert.All(results.Take(full), result => Assert.Single(result.Rows));
        Assert.Empty(results[full].Rows);
        Assert.True(results[full].HasMore);
        Assert.Equal(1, results[full].Count);
    }

    private struct RevisionCollector() : IRowVisitor
    {
        public List<string> Found { get; } = [];

        public readonly bool Visit(in Row row)
        {
            Found.Add($"{Text(row.Key)}@{row.Header.Mod.Main}/{row.Header.Mod.Sub}");
            return true;
        }
    }
}
