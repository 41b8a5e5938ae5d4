using Kvorum.Raft;
using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>
/// What single commands do to revisions and rows (etcd v3 API), and what the state machine refuses to apply.
/// </summary>
public class KvMachineTests
{
    [Fact]
    public void An_empty_store_has_revision_1_and_the_first_put_makes_2()
    {
        using var test = new TestMachine();
        Assert.Equal(1, test.Machine.Revision);
        Assert.Equal(2, test.Put("a", "1").Revision);
        Assert.Equal(2, test.Machine.Revision);
    }

    [Fact]
    public void A_put_counts_versions_and_keeps_the_create_revision()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "1");
        test.Put("a", "2");
        var row = test.Row("a")!;
        Assert.Equal((2, 4, 2), (row.CreateRevision, row.ModRevision, row.Version));
        Assert.Equal("2", Text(row.Value));
    }

    [Fact]
    public void A_key_deleted_and_put_again_starts_anew_at_version_1()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("a", "2");
        Assert.Equal(1, test.Delete("a").Count);
        Assert.Equal(5, test.Put("a", "3").Revision);
        var row = test.Row("a")!;
        Assert.Equal((5, 5, 1), (row.CreateRevision, row.ModRevision, row.Version));
    }

    [Fact]
    public void A_put_of_the_same_value_makes_a_new_revision()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        Assert.Equal(3, test.Put("a", "1").Revision);
        Assert.Equal(2, test.Row("a")!.Version);
    }

    [Fact]
    public void A_put_with_a_lease_shows_it_and_one_without_takes_it_off()
    {
        using var test = new TestMachine();
        test.Apply(new LeaseGrant(77, 10));
        test.Apply(new Put(Bytes("a"), Bytes("1")) { Lease = 77 });
        Assert.Equal(77, test.Row("a")!.Lease);
        test.Put("a", "2");
        Assert.Equal(0, test.Row("a")!.Lease);
        Assert.Equal(77, test.Row("a", atRevision: 2)!.Lease);
    }

    [Fact]
    public void A_put_returns_the_previous_row_only_when_asked_and_there()
    {
        using var test = new TestMachine();
        Assert.Null(test.Apply(new Put(Bytes("a"), Bytes("1")) { ReturnPrevious = true }).Detail);
        var previous = (KeyValue)test.Apply(new Put(Bytes("a"), Bytes("2")) { ReturnPrevious = true }).Detail!;
        Assert.Equal(("a", "1"), (Text(previous.Key), Text(previous.Value)));
        Assert.Equal((2L, 1L), (previous.ModRevision, previous.Version));
        Assert.Null(test.Put("a", "3").Detail);
    }

    [Fact]
    public void An_empty_value_is_a_value()
    {
        using var test = new TestMachine();
        test.Put("a", "");
        Assert.Equal("", test.Get("a"));
    }

    [Fact]
    public void A_delete_of_a_range_takes_one_revision_and_counts_the_keys()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "2");
        test.Put("c", "3");
        var result = test.Delete("a", "c");
        Assert.Equal((CommandStatus.Ok, 5L, 2L), (result.Status, result.Revision, result.Count));
        Assert.Null(test.Get("a"));
        Assert.Equal("3", test.Get("c"));
        Assert.Equal("2", test.Get("b", atRevision: 4));
    }

    [Theory]
    [InlineData("x", "")]
    [InlineData("x", "z")]
    [InlineData("c", "a")]
    [InlineData("b", "b")]
    public void A_delete_that_matches_nothing_takes_no_revision(string key, string rangeEnd)
    {
        using var test = new TestMachine();
        test.Put("b", "1");
        var result = test.Delete(key, rangeEnd);
        Assert.Equal((CommandStatus.Ok, 2L, 0L), (result.Status, result.Revision, result.Count));
        Assert.Equal(3, test.Put("b", "2").Revision);
    }

    [Fact]
    public void A_delete_with_a_zero_byte_as_end_deletes_every_key_from_there()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "1");
        test.Put("zzz", "1");
        Assert.Equal(2, test.Delete("b", "\0").Count);
        Assert.NotNull(test.Get("a"));
    }

    [Fact]
    public void A_delete_returns_the_previous_rows_when_asked()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "2");
        var all = test.Apply(new DeleteRange(Bytes("a"), Bytes("z")) { ReturnPrevious = true });
        var previous = Assert.IsType<KeyValue[]>(all.Detail);
        Assert.Equal(["1", "2"], previous.Select(row => Text(row.Value)));
        var none = test.Apply(new DeleteRange(Bytes("a"), default) { ReturnPrevious = true });
        Assert.Empty(Assert.IsType<KeyValue[]>(none.Detail));
    }

    /// <summary>Keys are gathered a bounded number at a time; the bound must not show.</summary>
    [Theory]
    [InlineData(KvTransaction.DeletedKeysBatchMax - 1)]
    [InlineData(KvTransaction.DeletedKeysBatchMax)]
    [InlineData(KvTransaction.DeletedKeysBatchMax + 1)]
    [InlineData((2 * KvTransaction.DeletedKeysBatchMax) + 1)]
    public void A_delete_of_many_keys_deletes_each_of_them_in_one_revision(int count)
    {
        foreach (var rangeEnd in new[] { "l", "\0" })
        {
            using var test = new TestMachine(engine: MemoryEngine.Create());
            test.Put("a", "stays");
            for (var i = 0; i < count; i++)
            {
                test.Put($"k{i:00000}", $"{i}");
            }

            var result = test.Apply(new DeleteRange(Bytes("k"), Bytes(rangeEnd)) { ReturnPrevious = true });
            Assert.Equal((count, count + 3), (result.Count, result.Revision));
            var previous = (KeyValue[])result.Detail!;
            Assert.Equal(Enumerable.Range(0, count).Select(i => $"{i}"), previous.Select(row => Text(row.Value)));
            Assert.Equal(["a"], test.Query(RangeQuery.Prefix(default)).Rows.Select(row => Text(row.Key)));
        }
    }

    [Fact]
    public void Keys_order_as_unsigned_bytes()
    {
        using var test = new TestMachine();
        byte[][] keys = [[0x80], [0x7F], [0xFF, 0x00], [0x00], [0x7F, 0x00]];
        foreach (var key in keys)
        {
            test.Apply(new Put(key, key));
        }

        var rows = test.Query(RangeQuery.Prefix(default)).Rows;
        byte[][] expected = [[0x00], [0x7F], [0x7F, 0x00], [0x80], [0xFF, 0x00]];
        Assert.Equal(expected, rows.Select(row => row.Key));
    }

    [Fact]
    public void Views_see_nothing_before_the_publish()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        using (var view = test.Engine.OpenView())
        {
            Assert.Equal(0, RangeQuery.Prefix(default).Execute(view).Count);
        }

        Assert.Equal(1, test.Query(RangeQuery.Prefix(default)).Count);
        Assert.Equal(test.Machine.Applied, test.Engine.Applied);
    }

    [Fact]
    public void Entries_that_are_not_commands_advance_applied_and_hash_but_no_revision()
    {
        using var test = new TestMachine();
        var before = test.Machine.StateHash;
        Assert.Equal(default, test.Apply(EntryKind.NoOp, []));
        var afterNoOp = test.Machine.StateHash;
        Assert.Equal(default, test.Apply(EntryKind.Membership, [1, 2, 3]));
        Assert.Equal(new LogIndex(2), test.Machine.Applied);
        Assert.Equal(1, test.Machine.Revision);
        Assert.NotEqual(before, afterNoOp);
        Assert.NotEqual(afterNoOp, test.Machine.StateHash);
    }

    [Theory]
    [InlineData(0UL)]
    [InlineData(1UL)]
    [InlineData(3UL)]
    public void An_entry_out_of_order_stops_the_replica(ulong index)
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        var entry = new LogEntry(new EntryId(new Term(1), new LogIndex(index)), EntryKind.NoOp, default);
        Assert.Throws<InvariantException>(() => test.Machine.Apply(entry));
        Assert.Equal(new LogIndex(1), test.Machine.Applied);
    }

    [Theory]
    [InlineData(new byte[0])]
    [InlineData(new byte[] { 1 })]
    [InlineData(new byte[] { 2, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0 })] // Another version.
    [InlineData(new byte[] { 1, 99, 0 })] // An unknown kind.
    [InlineData(new byte[] { 1, 1, 0, 1, 0, 9, 0, 0, 0, 65 })] // A put whose value is not there.
    [InlineData(new byte[] { 1, 1, 0, 0, 0, 0, 0, 0, 0 })] // A put without a key.
    [InlineData(new byte[] { 1, 1, 32, 1, 0, 0, 0, 0, 0, 65 })] // A put with an unknown flag.
    public void A_malformed_command_stops_the_replica(byte[] payload)
    {
        using var test = new TestMachine();
        Assert.Throws<InvariantException>(() => test.Apply(EntryKind.Command, payload));
        Assert.Equal(LogIndex.Zero, test.Machine.Applied);
    }

    [Fact]
    public void An_unknown_kind_of_entry_stops_the_replica()
    {
        using var test = new TestMachine();
        Assert.Throws<InvariantException>(() => test.Apply((EntryKind)9, []));
    }

    [Fact]
    public void A_state_machine_starts_on_an_empty_engine_only()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Machine.Publish();
        Assert.Throws<InvariantException>(() => new KvMachine(test.Engine, new KvOptions()));
    }
}
