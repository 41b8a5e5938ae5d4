namespace Kvorum.Kv.Tests;

/// <summary>What a compaction drops, what it keeps, and that nobody can tell how far it has come.</summary>
public abstract partial class EngineContractTests
{
    [Fact]
    public void A_compaction_drops_what_was_superseded_at_or_before_its_revision()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("a", "2");
        script.Put("a", "3");
        script.Put("b", "4");
        script.Compact(3);
        Assert.Equal("a@3=2 a@4=3 b@5=4", script.ShowAll());
        script.Compact(4);
        Assert.Equal("a@4=3 b@5=4", script.ShowAll());
    }

    [Fact]
    public void A_compaction_keeps_the_newest_version_however_old_it_is()
    {
        using var script = Script();
        script.Put("a", "1");
        for (var round = 0; round < 100; round++)
        {
            script.Put("b", $"{round}");
        }

        script.Compact(script.Revision);
        Assert.Equal("a@2=1 b@102=99", script.ShowAll());
    }

    [Fact]
    public void Etcd_5_4_a_compaction_keeps_a_tombstone_at_its_revision_and_the_next_one_drops_it()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("a", "2");
        var deleted = script.Delete("a");
        script.Put("b", "3");
        script.Compact(deleted);
        Assert.Equal("a@4- b@5=3", script.ShowAll());
        Assert.Equal("b=3", script.Show());
        script.Put("a", "4");
        Assert.Equal("a@4- a@6=4 b@5=3", script.ShowAll());
        script.Delete("a");
        script.Compact(deleted + 1);
        Assert.Equal("a@6=4 a@7- b@5=3", script.ShowAll());
        script.Compact(script.Revision);
        Assert.Equal("a@7- b@5=3", script.ShowAll());
        script.Put("b", "3");
        script.Compact(script.Revision);
        Assert.Equal("b@8=3", script.ShowAll());
        Assert.Equal("b=3", script.Show());
        Assert.Equal(1, script.Engine.KeyCount);
    }

    [Fact]
    public void A_compaction_keeps_a_tombstone_above_its_revision()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "2");
        script.Delete("a");
        script.Compact(3);
        Assert.Equal("a@2=1 a@4- b@3=2", script.ShowAll());
    }

    [Fact]
    public void A_compaction_between_a_tombstone_and_the_next_version_keeps_the_next_version_only()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Delete("a");
        script.Put("b", "3");
        script.Put("a", "2");
        script.Compact(4);
        Assert.Equal("a@5=2 b@4=3", script.ShowAll());
        using var view = script.Engine.OpenView();
        Assert.Equal("-", EngineScript.Get(view, "a", 4));
        Assert.Equal("2", EngineScript.Get(view, "a", 5));
    }

    [Fact]
    public void Every_revision_from_the_compacted_one_on_reads_as_before()
    {
        using var script = Script();
        for (var round = 0; round < 40; round++)
        {
            script.Put($"{round % 7}", $"{round}");
            if (round % 5 == 4)
            {
                script.Delete($"{round % 7}");
            }
        }

        script.Publish();
        using var before = script.Engine.OpenView();
        script.Compact(20);
        using var after = script.Engine.OpenView();
        for (var revision = 20L; revision <= script.Revision; revision++)
        {
            Assert.Equal(EngineScript.Show(before, revision), EngineScript.Show(after, revision));
        }
    }

    [Fact]
    public void The_writes_of_the_compacted_revision_itself_are_kept_as_its_last_state()
    {
        using var script = Script();
        script.Put("a", "1");
        script.PutMore("a", "2");
        script.PutMore("b", "3");
        script.DeleteMore("b");
        script.Put("c", "4");
        script.Compact(2);
        Assert.Equal("a@2=2 b@2- c@3=4", script.ShowAll());
        script.Compact(3);
        Assert.Equal("a@2=2 c@3=4", script.ShowAll());
    }

    [Fact]
    public void A_compaction_counts_from_the_publish_on()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("a", "2");
        script.Publish();
        script.Engine.Compact(3);
        Assert.Equal(0, script.Engine.CompactedRevision);
        script.Maintain();
        using (var before = script.Engine.OpenView())
        {
            Assert.Equal(0, before.CompactedRevision);
            Assert.Equal("1", EngineScript.Get(before, "a", 2));
        }

        script.Publish();
        using var after = script.Engine.OpenView();
        Assert.Equal((3L, 3L), (script.Engine.CompactedRevision, after.CompactedRevision));
        Assert.Equal("a@3=2", EngineScript.ShowAll(after));
    }

    [Fact]
    public void What_a_view_shows_does_not_depend_on_how_far_a_compaction_has_come()
    {
        using var script = Script();
        for (var round = 0; round < 20_000; round++)
        {
            script.Put($"{round % 3_000:D4}", $"{round}");
        }

        for (var number = 0; number < 3_000; number += 2)
        {
            script.Delete($"{number:D4}");
        }

        script.Engine.Compact(script.Revision - 100);
        script.Publish();
        using var first = script.Engine.OpenView();
        var expected = EngineScript.ShowAll(first);
        while (script.Engine.DoMaintenance())
        {
            using var view = script.Engine.OpenView();
            Assert.Equal(expected, EngineScript.ShowAll(view));
        }

        Assert.Equal(expected, EngineScript.ShowAll(first));
    }

    [Fact]
    public void A_compaction_takes_nothing_from_a_view_opened_before_it()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("a", "2");
        script.Put("b", "3");
        script.Delete("b");
        script.Publish();
        var view = script.Engine.OpenView();
        script.Put("a", "4");
        script.Compact(script.Revision);
        Assert.Equal("a@2=1 a@3=2 b@4=3 b@5-", EngineScript.ShowAll(view));
        Assert.Equal("1", EngineScript.Get(view, "a", 2));
        Assert.Equal("3", EngineScript.Get(view, "b", 4));
        Assert.Equal("a@6=4", script.ShowAll());
        view.Dispose();
        script.Maintain();
        Assert.Equal("a@6=4", script.ShowAll());
    }

    [Fact]
    public void A_dropped_key_can_be_put_again()
    {
        using var script = Script();
        for (var round = 0; round < 100; round++)
        {
            script.Put("a", $"{round}");
            script.Delete("a");
            script.Compact(script.Revision);
            Assert.Equal($"a@{script.Revision}-", script.ShowAll());
        }

        script.Put("a", "at last");
        Assert.Equal("a=at last", script.Show());
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2_999)]
    [InlineData(1_741)]
    public void An_engine_is_emptied_and_filled_again_in_any_order(int stride)
    {
        using var script = Script();
        for (var round = 0; round < 3; round++)
        {
            for (var number = 0; number < 3_000; number++)
            {
                script.Put($"prefix/{number:D4}", $"{round}");
            }

            for (var number = 0; number < 3_000; number++)
            {
                script.Delete($"prefix/{(long)number * stride % 3_000:D4}");
                if (number % 1_000 == 500)
                {
                    script.Compact(script.Revision);
                    using var view = script.Engine.OpenView();
                    Assert.Equal(2_999 - number, EngineScript.Show(view).Split(' ').Length);
                }
            }

            script.Compact(script.Revision);
            Assert.Equal($"prefix/{2_999L * stride % 3_000:D4}@{script.Revision}-", script.ShowAll());
            Assert.Equal(0, script.Engine.KeyCount);
        }
    }
}
