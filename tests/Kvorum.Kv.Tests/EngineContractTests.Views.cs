namespace Kvorum.Kv.Tests;

/// <summary>Views stay as they are, and reach back.</summary>
public abstract partial class EngineContractTests
{
    [Fact]
    public void A_view_sees_nothing_that_is_published_after_it_was_opened()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "2");
        script.Publish();
        using var view = script.Engine.OpenView();
        script.Put("a", "3");
        script.Delete("b");
        script.Put("c", "4");
        Assert.Equal("a=3 c=4", script.Show());
        Assert.Equal("a=1 b=2", EngineScript.Show(view));
        Assert.Equal("a@2=1 b@3=2", EngineScript.ShowAll(view));
        Assert.Equal("-", EngineScript.Get(view, "c", view.Revision));
        Assert.Equal((3L, 1UL), (view.Revision, view.Applied.Value));
    }

    [Fact]
    public void Views_of_different_moments_stay_open_side_by_side()
    {
        using var script = Script();
        var views = new List<IEngineView>();
        for (var round = 0; round < 50; round++)
        {
            script.Put("a", $"{round}");
            script.Publish();
            views.Add(script.Engine.OpenView());
        }

        for (var round = 49; round >= 0; round--)
        {
            Assert.Equal($"a={round}", EngineScript.Show(views[round]));
            views[round].Dispose();
        }
    }

    [Fact]
    public void A_view_does_not_change_while_ten_thousand_keys_are_put_and_deleted_around_its_own()
    {
        using var script = Script();
        for (var number = 0; number < 100; number++)
        {
            script.Put($"{number * 100:D5}", $"{number}");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        var before = EngineScript.Show(view);
        for (var number = 0; number < 10_000; number++)
        {
            script.Put($"{number * 7_919L % 10_000:D5}", "new");
        }

        script.Publish();
        Assert.Equal(before, EngineScript.Show(view));
        for (var number = 0; number < 10_000; number += 3)
        {
            script.Delete($"{number:D5}");
        }

        script.Compact(script.Revision);
        Assert.Equal(before, EngineScript.Show(view));
        Assert.Equal(100, EngineScript.ShowAll(view).Split(' ').Length);
    }

    [Fact]
    public void Each_revision_shows_the_version_of_then()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Put("b", "x");
        script.Put("a", "2");
        script.Delete("a");
        script.Put("b", "y");
        script.Put("a", "3");
        script.Publish();
        using var view = script.Engine.OpenView();
        Assert.Equal(
            ["", "a=1", "a=1 b=x", "a=2 b=x", "b=x", "b=y", "a=3 b=y"],
            Enumerable.Range(1, 7).Select(revision => EngineScript.Show(view, revision)));
        Assert.Equal(
            ["-", "1", "1", "2", "-", "-", "3"],
            Enumerable.Range(1, 7).Select(revision => EngineScript.Get(view, "a", revision)));
    }

    [Fact]
    public void A_key_with_five_thousand_versions_is_read_at_each_of_them()
    {
        using var script = Script();
        for (var version = 1; version <= 5_000; version++)
        {
            script.Put("a", $"{version}");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        for (var version = 1; version <= 5_000; version += 7)
        {
            Assert.Equal($"{version}", EngineScript.Get(view, "a", version + 1));
        }

        var collector = new RowCollector();
        view.ScanAll(ref collector);
        Assert.Equal(Enumerable.Range(2, 5_000), collector.Rows.Select(row => (int)row.Header.Mod.Main));
    }

    [Fact]
    public void The_spans_of_a_row_stay_valid_while_their_view_is_open()
    {
        using var script = Script();
        var text = new string('x', 1_000);
        for (var number = 0; number < 200; number++)
        {
            script.Put($"{number:D3}", text);
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        Assert.True(view.TryGet("077"u8, view.Revision, out var row));
        for (var round = 0; round < 20; round++)
        {
            for (var number = 0; number < 200; number++)
            {
                script.Put($"{number:D3}", new string((char)('a' + round), 1_000));
            }

            script.Compact(script.Revision);
            using var other = script.Engine.OpenView();
            Assert.Equal(new string((char)('a' + round), 1_000), EngineScript.Get(other, "077", other.Revision));
        }

        Assert.Equal(text, EngineScript.Text(row.Value));
        Assert.Equal("077", EngineScript.Text(row.Key));
    }

    [Fact]
    public void Disposing_a_view_twice_takes_nothing_from_other_views()
    {
        using var script = Script();
        script.Put("a", "1");
        script.Publish();
        var first = script.Engine.OpenView();
        using var second = script.Engine.OpenView();
        first.Dispose();
        first.Dispose();
        script.Delete("a");
        script.Compact(script.Revision);
        Assert.Equal("a=1", EngineScript.Show(second));
    }

    [Fact]
    public void A_visitor_may_read_other_keys_of_its_view()
    {
        using var script = FourKeys();
        using var view = script.Engine.OpenView();
        var visitor = new RereadingVisitor(view);
        view.Scan(KeyRange.From(default), view.Revision, ref visitor);
        Assert.Equal(4, visitor.Found);
    }

    private sealed class RereadingVisitor(IEngineView view) : IRowVisitor
    {
        public int Found { get; private set; }

        public bool Visit(in Row row)
        {
            Found += view.TryGet(row.Key, view.Revision, out _) ? 1 : 0;
            return true;
        }
    }
}
