using System.Text;

namespace Kvorum.Kv.Tests;

/// <summary>What happened to a range, read back in the order in which it happened.</summary>
public class HistoryQueryTests
{
    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    [Fact]
    public void Events_come_by_revision_with_deletes_among_them()
    {
        using var test = new TestMachine();
        test.Apply(new Put(Bytes("b"), Bytes("1")));
        test.Apply(new Put(Bytes("a"), Bytes("2")));
        test.Apply(new DeleteRange(Bytes("a"), Bytes("z")));
        test.Machine.Publish();
        Assert.Equal(["b=1@2", "a=2@3", "a-@4", "b-@4"], Read(test, "a", "z", 1));
        Assert.Equal(["a-@4", "b-@4"], Read(test, "a", "z", 4));
        Assert.Equal(["b=1@2", "b-@4"], Read(test, "b", "", 1));
    }

    [Fact]
    public void More_than_fits_is_read_in_parts_that_never_cut_a_revision()
    {
        using var test = new TestMachine();
        for (var i = 0; i < 50; i++)
        {
            test.Apply(new Put(Bytes($"k{i % 7}"), new byte[100]));
        }

        test.Apply(new DeleteRange(Bytes("k"), Bytes("l")));
        test.Machine.Publish();
        using var view = test.Machine.Engine.OpenView();
        var told = new List<KeyEvent>();
        var next = 1L;
        while (next <= view.Revision)
        {
            var part = new HistoryQuery(Bytes("k"), Bytes("l"), next).Execute(view, bytesMax: 700);
            Assert.NotNull(part);
            Assert.True(part.CompleteTo >= next && part.Events.All(happened => happened.Revision <= part.CompleteTo));
            told.AddRange(part.Events);
            next = part.CompleteTo + 1;
        }

        Assert.Equal(
            [.. Enumerable.Range(2, 50), .. Enumerable.Repeat(52, 7)], told.Select(happened => (int)happened.Revision));
    }

    /// <summary>Sorted once for each row, this took minutes.</summary>
    [Fact]
    public void One_revision_of_many_rows_is_read_as_a_whole()
    {
        const int Rows = 30_000;
        using var test = new TestMachine(engine: MemoryEngine.Create());
        for (var i = 0; i < Rows; i++)
        {
            test.Apply(new Put(Bytes($"k{i:00000}"), Bytes("x")));
        }

        test.Apply(new DeleteRange(Bytes("k"), Bytes("l")));
        test.Machine.Publish();
        using var view = test.Machine.Engine.OpenView();
        var found = new HistoryQuery(Bytes("k"), Bytes("l"), Rows + 2).Execute(view, bytesMax: 1_000);
        Assert.Equal((Rows, Rows + 2L), (found!.Events.Count, found.CompleteTo)); // Not null: nothing is compacted.
    }

    [Fact]
    public void What_is_compacted_cannot_be_told()
    {
        using var test = new TestMachine();
        test.Apply(new Put(Bytes("a"), Bytes("1")));
        test.Apply(new Put(Bytes("a"), Bytes("2")));
        test.Apply(new Compact(3));
        test.Machine.Publish();
        using var view = test.Machine.Engine.OpenView();
        Assert.Null(new HistoryQuery(Bytes("a"), default, 2).Execute(view));
        Assert.NotNull(new HistoryQuery(Bytes("a"), default, 3).Execute(view));
    }

    private static string[] Read(TestMachine test, string key, string end, long from)
    {
        using var view = test.Machine.Engine.OpenView();
        var found = new HistoryQuery(Bytes(key), Bytes(end), from).Execute(view);
        Assert.NotNull(found);
        Assert.Equal(view.Revision, found.CompleteTo);
        return
        [
            .. found.Events.Select(happened => Encoding.UTF8.GetString(happened.Row.Key)
                + (happened.IsDelete ? "-" : $"={Encoding.UTF8.GetString(happened.Row.Value)}")
                + $"@{happened.Revision}"),
        ];
    }
}
