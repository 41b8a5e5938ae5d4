using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>What is written comes back: numbers, sizes, what is staged, what counts.</summary>
public abstract partial class EngineContractTests
{
    [Fact]
    public void A_new_engine_has_revision_1_and_nothing_applied()
    {
        using var engine = Open();
        Assert.Equal((0UL, 1L, 0L, 0L), (engine.Applied.Value, engine.Revision, engine.CompactedRevision, engine.KeyCount));
        using var view = engine.OpenView();
        Assert.Equal((0UL, 1L, 0L), (view.Applied.Value, view.Revision, view.CompactedRevision));
    }

    [Fact]
    public void A_row_comes_back_with_all_its_numbers()
    {
        using var engine = Open();
        var header = new RowHeader(new Revision(long.MaxValue - 1, int.MaxValue), 7, long.MaxValue, long.MinValue, false);
        engine.Put("key"u8, "value"u8, header);
        Assert.True(engine.TryGetNewest("key"u8, out var staged));
        Assert.Equal(header, staged.Header);
        engine.Publish(new LogIndex(9), long.MaxValue - 1);
        using var view = engine.OpenView();
        Assert.True(view.TryGet("key"u8, view.Revision, out var row));
        Assert.Equal(header, row.Header);
        Assert.Equal("value", EngineScript.Text(row.Value));
        Assert.Equal("key", EngineScript.Text(row.Key));
    }

    [Fact]
    public void A_second_put_replaces_the_first()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("a", "2");
        Assert.Equal("a=2", script.Show());
        Assert.True(script.Engine.TryGetNewest("a"u8, out var row));
        Assert.Equal(new RowHeader(new Revision(3, 0), 2, 2, 0, false), row.Header);
    }

    [Fact]
    public void A_deleted_key_is_not_found()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "2");
        script.Delete("a");
        Assert.False(script.Engine.TryGetNewest("a"u8, out _));
        Assert.Equal("b=2", script.Show());
    }

    [Fact]
    public void A_key_put_again_after_its_delete_is_created_anew()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Delete("a");
        var again = script.Put("a", "2");
        Assert.True(script.Engine.TryGetNewest("a"u8, out var row));
        Assert.Equal(new RowHeader(new Revision(again, 0), again, 1, 0, false), row.Header);
        Assert.Equal("a@2=1 a@3- a@4=2", script.ShowAll());
    }

    [Fact]
    public void A_tombstone_has_its_revision_and_no_value()
    {
        using var script = Script();
        script.Put("a", "1", lease: 5);
        script.Delete("a");
        script.Publish();
        using var view = script.Engine.OpenView();
        var collector = new RowCollector();
        view.ScanAll(ref collector);
        Assert.Equal(2, collector.Rows.Count);
        Assert.True(collector.Rows[1].Header.IsTombstone);
        Assert.Equal(new Revision(3, 0), collector.Rows[1].Header.Mod);
        Assert.Empty(collector.Rows[1].Value);
    }

    [Fact]
    public void An_empty_value_is_a_value()
    {
        using var script = Script();
        script.Put("a", "");
        Assert.Equal("a=", script.Show());
        Assert.Equal(1, script.Engine.KeyCount);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(255)]
    [InlineData(65_536)]
    [InlineData(131_072)]
    [InlineData(1_048_576)]
    [InlineData(1_572_864)]
    public void A_large_value_comes_back_byte_for_byte(int length)
    {
        using var engine = Open();
        var value = new byte[length];
        new Random(length).NextBytes(value);
        for (var main = 2; main < 6; main++)
        {
            value[0] = (byte)main;
            engine.Put([(byte)main], value, new RowHeader(new Revision(main, 0), main, 1, 0, false));
        }

        engine.Publish(new LogIndex(1), 5);
        using var view = engine.OpenView();
        for (var main = 2; main < 6; main++)
        {
            value[0] = (byte)main;
            Assert.True(view.TryGet([(byte)main], 5, out var row));
            Assert.True(row.Value.SequenceEqual(value));
        }
    }

    [Fact]
    public void Keys_of_65535_bytes_that_differ_in_the_last_one_are_told_apart()
    {
        using var script = Script();
        var prefix = new string('k', 65_534);
        for (var last = 'z'; last >= 'a'; last--)
        {
            script.Put(prefix + last, $"{last}");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        for (var last = 'a'; last <= 'z'; last++)
        {
            Assert.Equal($"{last}", EngineScript.Get(view, prefix + last, view.Revision));
        }
    }

    [Fact]
    public void A_hundred_keys_of_65535_bytes_are_put_deleted_and_dropped()
    {
        using var script = Script();
        var prefix = new string('k', 65_532);
        for (var number = 0; number < 100; number++)
        {
            script.Put($"{prefix}{number:D3}", $"{number}");
        }

        for (var number = 0; number < 100; number += 2)
        {
            script.Delete($"{prefix}{number:D3}");
        }

        script.Compact(script.Revision);
        using var view = script.Engine.OpenView();
        for (var number = 0; number < 100; number++)
        {
            var expected = number % 2 == 0 ? "-" : $"{number}";
            Assert.Equal(expected, EngineScript.Get(view, $"{prefix}{number:D3}", view.Revision));
        }
    }

    [Fact]
    public void The_key_count_is_that_of_live_keys_at_the_last_publish()
    {
        using var script = Script();
        script.Put("a", "");
        script.Put("b", "");
        script.Put("a", "again");
        Assert.Equal(0, script.Engine.KeyCount);
        script.Publish();
        Assert.Equal(2, script.Engine.KeyCount);
        script.Delete("a");
        Assert.Equal(2, script.Engine.KeyCount);
        script.Publish();
        Assert.Equal(1, script.Engine.KeyCount);
        script.Put("a", "anew");
        script.Publish();
        Assert.Equal(2, script.Engine.KeyCount);
    }

    [Fact]
    public void The_writer_reads_what_it_staged()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "2");
        script.Publish();
        script.Put("b", "3");
        script.Delete("a");
        script.Put("c", "4");
        var collector = new RowCollector();
        script.Engine.ScanNewest(KeyRange.From(default), ref collector);
        Assert.Equal(["b=3", "c=4"], collector.Rows.Select(
            row => $"{EngineScript.Text(row.Key)}={EngineScript.Text(row.Value)}"));
        Assert.False(script.Engine.TryGetNewest("a"u8, out _));
        Assert.True(script.Engine.TryGetNewest("c"u8, out _));
    }

    [Fact]
    public void What_is_staged_is_in_no_view()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "2");
        script.Publish();
        script.Put("a", "3");
        script.Delete("b");
        script.Put("c", "4");
        using var view = script.Engine.OpenView();
        Assert.Equal("a=1 b=2", EngineScript.Show(view));
        Assert.Equal("a@2=1 b@3=2", EngineScript.ShowAll(view));
        Assert.Equal("-", EngineScript.Get(view, "c", view.Revision));
        Assert.Equal("2", EngineScript.Get(view, "b", view.Revision));
    }

    [Fact]
    public void A_publish_sets_the_applied_index_and_the_revision()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Engine.Publish(new LogIndex(41), 2);
        Assert.Equal((41UL, 2L), (script.Engine.Applied.Value, script.Engine.Revision));
        using var view = script.Engine.OpenView();
        Assert.Equal((41UL, 2L), (view.Applied.Value, view.Revision));
    }

    [Fact]
    public void A_publish_without_writes_only_moves_the_applied_index()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Publish();
        script.Engine.Publish(new LogIndex(50), 2);
        using var view = script.Engine.OpenView();
        Assert.Equal((50UL, 2L, "a=1"), (view.Applied.Value, view.Revision, EngineScript.Show(view)));
    }

    [Fact]
    public void Of_several_writes_in_one_revision_the_last_wins()
    {
        using var script = Script();
        var revision = script.Put("a", "1");
        script.PutMore("b", "2");
        script.PutMore("a", "3");
        script.Put("a", "4");
        script.Publish();
        using var view = script.Engine.OpenView();
        Assert.Equal("a=3 b=2", EngineScript.Show(view, revision));
        Assert.Equal("a=4 b=2", EngineScript.Show(view));
        Assert.Equal("a@2=1 a@2=3 a@3=4 b@2=2", EngineScript.ShowAll(view));
    }

    [Fact]
    public void A_key_put_and_deleted_in_one_revision_does_not_exist_at_it()
    {
        using var script = Script();
        script.Put("a", "1");
        script.DeleteMore("a");
        script.PutMore("b", "2");
        Assert.Equal("b=2", script.Show());
        Assert.Equal(1, script.Engine.KeyCount);
    }

    [Fact]
    public void A_key_deleted_and_put_in_one_revision_exists_at_it()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Delete("a");
        var revision = script.PutMore("a", "2");
        script.Publish();
        using var view = script.Engine.OpenView();
        Assert.Equal("2", EngineScript.Get(view, "a", revision));
        Assert.Equal("1", EngineScript.Get(view, "a", revision - 1));
        Assert.Equal("a@2=1 a@3- a@3=2", EngineScript.ShowAll(view));
    }
}
