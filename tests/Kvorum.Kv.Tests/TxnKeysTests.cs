using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Which transactions put a key twice (etcd: duplicate key given in txn request).</summary>
public class TxnKeysTests
{
    private static readonly TxnOperation PutA = new() { Put = new Put(Bytes("a"), Bytes("1")) };
    private static readonly TxnOperation PutB = new() { Put = new Put(Bytes("b"), Bytes("1")) };
    private static readonly TxnOperation AppendA = new() { Append = new Append(Bytes("a"), Bytes("1")) };
    private static readonly TxnOperation DeleteA = Delete("a", "");
    private static readonly TxnOperation RangeA = new() { Range = new RangeQuery(Bytes("a"), default) };

    private static TxnOperation Delete(string key, string rangeEnd) =>
        new() { DeleteRange = new DeleteRange(Bytes(key), Bytes(rangeEnd)) };

    private static TxnOperation Nested(TxnOperation[] then, TxnOperation[] @else) =>
        new() { Txn = new Txn([], then, @else) };

    private static bool IsRefused(params TxnOperation[] branch)
    {
        var inThen = TxnKeys.HasDuplicate(new Txn([], branch, []));
        var inElse = TxnKeys.HasDuplicate(new Txn([], [], branch));
        Assert.Equal(inThen, inElse);
        return inThen;
    }

    [Fact]
    public void Two_puts_of_one_key_are_refused() => Assert.True(IsRefused(PutA, PutB, PutA));

    [Fact]
    public void A_put_and_an_append_of_one_key_are_refused()
    {
        Assert.True(IsRefused(PutA, AppendA));
        Assert.True(IsRefused(AppendA, AppendA));
    }

    [Fact]
    public void A_put_inside_a_deleted_range_is_refused_in_either_order()
    {
        Assert.True(IsRefused(PutA, DeleteA));
        Assert.True(IsRefused(DeleteA, PutA));
        Assert.True(IsRefused(Delete("a", "b"), PutA));
        Assert.True(IsRefused(PutB, Delete("a", "\0")));
        Assert.True(IsRefused(Delete("a", "\0"), AppendA));
    }

    [Fact]
    public void A_put_beside_a_deleted_range_is_legal()
    {
        Assert.False(IsRefused(Delete("a", "b"), PutB));
        Assert.False(IsRefused(Delete("aa", ""), PutA));
        Assert.False(IsRefused(Delete("b", "a"), PutA, PutB));
    }

    [Fact]
    public void The_same_key_in_then_and_else_is_legal()
    {
        Assert.False(TxnKeys.HasDuplicate(new Txn([], [PutA], [PutA])));
        Assert.False(IsRefused(Nested([PutA], [PutA])));
        Assert.False(IsRefused(Nested([PutA], [DeleteA])));
    }

    [Fact]
    public void Overlapping_deletes_and_reads_of_a_put_key_are_legal()
    {
        Assert.False(IsRefused(DeleteA, Delete("a", "z"), Delete("a", "\0")));
        Assert.False(IsRefused(RangeA, PutA, RangeA));
    }

    [Fact]
    public void A_put_of_a_key_that_a_nested_transaction_puts_is_refused()
    {
        Assert.True(IsRefused(PutA, Nested([PutA], [])));
        Assert.True(IsRefused(Nested([], [PutA]), PutA));
        Assert.True(IsRefused(Nested([PutA], []), Nested([], [PutA])));
        Assert.True(IsRefused(Nested([Nested([], [PutA])], []), PutA));
    }

    [Fact]
    public void A_nested_put_inside_a_range_deleted_outside_is_refused()
    {
        Assert.True(IsRefused(Nested([PutA], []), DeleteA));
        Assert.True(IsRefused(DeleteA, Nested([], [AppendA])));
        Assert.True(IsRefused(PutA, Nested([DeleteA], [])));
        Assert.True(IsRefused(Nested([DeleteA], []), Nested([PutA], [])));
    }

    /// <summary>etcd's check goes in order here: what a later sibling deletes is legal to put before.</summary>
    [Fact]
    public void A_put_in_an_earlier_sibling_of_a_nested_delete_is_legal() =>
        Assert.False(IsRefused(Nested([PutA], []), Nested([DeleteA], [])));

    [Fact]
    public void A_duplicate_inside_a_nested_branch_is_refused() => Assert.True(IsRefused(Nested([], [PutA, PutA])));

    [Fact]
    public void A_legal_order_of_nested_put_and_delete_runs_in_that_order()
    {
        using var test = new TestMachine();
        var append = new TxnOperation { Append = new Append(Bytes("a"), Bytes("x")) };
        var result = test.Apply(new Txn([], [Nested([append], []), Nested([DeleteA], [])], []));
        Assert.Equal(CommandStatus.Ok, result.Status);
        Assert.Null(test.Get("a"));
        var results = ((TxnResult)result.Detail!).Results;
        var deleted = (TxnResult)((CommandResult)results[1]).Detail!;
        Assert.Equal(1, ((CommandResult)deleted.Results[0]).Count);
    }
}
