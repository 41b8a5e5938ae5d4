using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>Clearing, and loading the rows of a snapshot.</summary>
public abstract partial class EngineContractTests
{
    [Fact]
    public void Loaded_rows_come_back_as_they_were_stored()
    {
        using var source = History();
        using var view = source.Engine.OpenView();
        using var copy = new EngineScript(CopyOf(view));
        using var loaded = copy.Engine.OpenView();
        Assert.Equal(EngineScript.ShowAll(view), EngineScript.ShowAll(loaded));
        Assert.Equal(source.Engine.KeyCount, copy.Engine.KeyCount);
        Assert.Equal(
            (view.Applied, view.Revision, view.CompactedRevision),
            (loaded.Applied, loaded.Revision, loaded.CompactedRevision));
    }

    [Fact]
    public void A_loaded_engine_answers_like_its_source_at_every_revision()
    {
        using var source = History();
        using var view = source.Engine.OpenView();
        using var copy = new EngineScript(CopyOf(view));
        using var loaded = copy.Engine.OpenView();
        for (var revision = view.CompactedRevision; revision <= view.Revision; revision += 11)
        {
            Assert.Equal(EngineScript.Show(view, revision), EngineScript.Show(loaded, revision));
        }
    }

    [Fact]
    public void A_loaded_engine_is_written_and_compacted_like_its_source()
    {
        using var source = History();
        using var view = source.Engine.OpenView();
        using var copy = new EngineScript(CopyOf(view));
        foreach (var script in new[] { source, copy })
        {
            for (var number = 0; number < 100; number++)
            {
                script.Put($"{number:D3}", "after");
            }

            script.Delete("050");
            script.Put("new", "key");
            script.Compact(script.Revision - 50);
        }

        Assert.Equal(source.ShowAll(), copy.ShowAll());
        Assert.Equal(source.Engine.KeyCount, copy.Engine.KeyCount);
    }

    [Fact]
    public void A_hundred_thousand_rows_are_loaded_in_order()
    {
        using var engine = Open();
        engine.Clear();
        for (var number = 0; number < 100_000; number++)
        {
            var header = new RowHeader(new Revision(number + 2, 0), number + 2, 1, 0, false);
            engine.Load(new Row(EngineScript.Bytes($"key/{number:D6}"), EngineScript.Bytes($"{number}"), header));
        }

        engine.Publish(new LogIndex(7), 100_001);
        Assert.Equal(100_000, engine.KeyCount);
        using var view = engine.OpenView();
        for (var number = 0; number < 100_000; number += 97)
        {
            Assert.Equal($"{number}", EngineScript.Get(view, $"key/{number:D6}", 100_001));
            Assert.Equal("-", EngineScript.Get(view, $"key/{number:D6}/", 100_001));
        }
    }

    [Fact]
    public void A_cleared_engine_is_empty_from_the_next_publish_on()
    {
        using var script = FourKeys();
        script.Engine.Clear();
        Assert.False(script.Engine.TryGetNewest("a"u8, out _));
        script.Engine.Publish(LogIndex.Zero, 1);
        Assert.Equal((0UL, 1L, 0L, 0L), (
            script.Engine.Applied.Value, script.Engine.Revision, script.Engine.CompactedRevision, script.Engine.KeyCount));
        using var view = script.Engine.OpenView();
        Assert.Equal("", EngineScript.ShowAll(view));
    }

    [Fact]
    public void Clearing_and_loading_leaves_open_views_as_they_are()
    {
        using var script = FourKeys();
        using var view = script.Engine.OpenView();
        script.Engine.Clear();
        script.Engine.Load(new Row("x"u8, "y"u8, new RowHeader(new Revision(90, 3), 80, 5, 6, false)));
        script.Engine.LoadCompacted(85);
        script.Engine.Publish(new LogIndex(70), 91);
        script.Maintain();
        Assert.Equal("a= b= c= d=", EngineScript.Show(view));
        Assert.Equal(5, view.Revision);
        using var after = script.Engine.OpenView();
        Assert.Equal("x@90=y", EngineScript.ShowAll(after));
        Assert.Equal((91L, 85L, 70UL), (after.Revision, after.CompactedRevision, after.Applied.Value));
    }

    [Fact]
    public void An_engine_is_cleared_and_loaded_many_times()
    {
        using var script = Script();
        for (var round = 2; round < 30; round++)
        {
            using var view = script.Engine.OpenView();
            var before = EngineScript.ShowAll(view);
            script.Engine.Clear();
            for (var number = 0; number < 200; number++)
            {
                var header = new RowHeader(new Revision(round, number), round, 1, 0, false);
                script.Engine.Load(new Row(EngineScript.Bytes($"{number:D3}"), EngineScript.Bytes($"{round}"), header));
            }

            script.Engine.Publish(new LogIndex((ulong)round), round);
            Assert.Equal(200, script.Engine.KeyCount);
            Assert.Equal(before, EngineScript.ShowAll(view));
        }
    }

    private EngineScript History()
    {
        var script = Script();
        for (var round = 0; round < 1_000; round++)
        {
            script.Put($"{round * 37 % 211:D3}", $"{round}");
            if (round % 3 == 0)
            {
                script.DeleteMore($"{round * 37 % 211:D3}");
                script.PutMore($"{round % 50:D3}", "more");
            }
        }

        script.Compact(400);
        return script;
    }

    private IEngine CopyOf(IEngineView view)
    {
        var copy = Open();
        copy.Clear();
        var loader = new Loader(copy);
        view.ScanAll(ref loader);
        copy.LoadCompacted(view.CompactedRevision);
        copy.Publish(view.Applied, view.Revision);
        return copy;
    }

    private sealed class Loader(IEngine engine) : IRowVisitor
    {
        public bool Visit(in Row row)
        {
            engine.Load(row);
            return true;
        }
    }
}
