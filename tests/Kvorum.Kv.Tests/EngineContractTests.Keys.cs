namespace Kvorum.Kv.Tests;

/// <summary>Order of keys, and ranges of them.</summary>
public abstract partial class EngineContractTests
{
    [Fact]
    public void Keys_come_in_the_order_of_their_unsigned_bytes()
    {
        using var script = Script();
        foreach (var key in new[] { "\x80", "\xFF", "\x00", "\x7F", "\xFE\x00" })
        {
            script.Put(key, "");
        }

        Assert.Equal("\x00= \x7F= \x80= \xFE\x00= \xFF=", script.Show());
    }

    [Fact]
    public void A_key_comes_before_the_keys_it_is_a_prefix_of()
    {
        using var script = Script();
        script.Put("abc", "3");
        script.Put("a", "1");
        script.Put("ab", "2");
        Assert.Equal("a=1 ab=2 abc=3", script.Show());
    }

    [Fact]
    public void Zero_bytes_at_the_end_of_a_key_count()
    {
        using var script = Script();
        script.Put("a\0\0", "3");
        script.Put("a", "1");
        script.Put("a\0", "2");
        Assert.Equal("a=1 a\0=2 a\0\0=3", script.Show());
    }

    [Fact]
    public void The_empty_key_is_a_key_and_comes_first()
    {
        using var script = Script();
        script.Put("\0", "later");
        script.Put("", "first");
        Assert.Equal("=first \0=later", script.Show());
    }

    [Fact]
    public void Two_hundred_keys_of_zero_bytes_only_are_told_apart_by_their_length()
    {
        using var script = Script();
        for (var length = 200; length >= 0; length--)
        {
            script.Put(new string('\0', length), $"{length}");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        var collector = new RowCollector();
        view.Scan(KeyRange.From(default), view.Revision, ref collector);
        Assert.Equal(Enumerable.Range(0, 201), collector.Rows.Select(row => row.Key.Length));
        Assert.Equal("77", EngineScript.Get(view, new string('\0', 77), view.Revision));
    }

    [Fact]
    public void Keys_that_differ_only_behind_a_long_common_prefix_are_told_apart()
    {
        using var script = Script();
        var prefix = new string('p', 1_000);
        for (var number = 0; number < 500; number++)
        {
            script.Put($"{prefix}{number * 7 % 500:D3}{prefix}", $"{number * 7 % 500}");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        for (var number = 0; number < 500; number++)
        {
            Assert.Equal($"{number}", EngineScript.Get(view, $"{prefix}{number:D3}{prefix}", view.Revision));
            Assert.Equal("-", EngineScript.Get(view, $"{prefix}{number:D3}", view.Revision));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(9_999)]
    [InlineData(7_919)]
    public void Ten_thousand_keys_come_in_order_in_whatever_order_they_are_put(int stride)
    {
        using var script = Script();
        for (var number = 0; number < 10_000; number++)
        {
            script.Put($"{(long)number * stride % 10_000:D5}", "");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        var collector = new RowCollector();
        view.Scan(KeyRange.From(default), view.Revision, ref collector);
        Assert.Equal(Enumerable.Range(0, 10_000), collector.Rows.Select(row => int.Parse(EngineScript.Text(row.Key), null)));
    }

    [Fact]
    public void An_empty_engine_has_nothing_in_any_range()
    {
        using var script = Script();
        Assert.Equal("", script.Show());
        Assert.Equal("", script.ShowAll());
        Assert.False(script.Engine.TryGetNewest("a"u8, out _));
    }

    [Theory]
    [InlineData("b", "d", "b= c=")]
    [InlineData("b", "b", "")]
    [InlineData("d", "b", "")]
    [InlineData("b", "b\0", "b=")]
    [InlineData("bb", "c", "")]
    [InlineData("bb", "cc", "c=")]
    [InlineData("", "b", "a=")]
    [InlineData("a", "", "")]
    [InlineData("", "\xFF", "a= b= c= d=")]
    [InlineData("e", "z", "")]
    public void A_range_has_its_start_and_not_its_end(string start, string end, string expected)
    {
        using var script = FourKeys();
        using var view = script.Engine.OpenView();
        var range = KeyRange.Between(EngineScript.Bytes(start), EngineScript.Bytes(end));
        Assert.Equal(expected, EngineScript.Show(view, range, view.Revision));
    }

    [Theory]
    [InlineData("", "a= b= c= d= \xFF\xFF=")]
    [InlineData("bb", "c= d= \xFF\xFF=")]
    [InlineData("\xFF", "\xFF\xFF=")]
    [InlineData("\xFF\xFF\xFF", "")]
    public void A_range_without_end_reaches_the_last_key(string start, string expected)
    {
        using var script = FourKeys();
        script.Put("\xFF\xFF", "");
        script.Publish();
        using var view = script.Engine.OpenView();
        Assert.Equal(expected, EngineScript.Show(view, KeyRange.From(EngineScript.Bytes(start)), view.Revision));
    }

    [Fact]
    public void A_range_over_a_thousand_keys_can_begin_and_end_anywhere()
    {
        using var script = Script();
        for (var number = 0; number < 1_000; number++)
        {
            script.Put($"{number:D4}", "");
        }

        script.Publish();
        using var view = script.Engine.OpenView();
        for (var start = 0; start < 1_000; start += 37)
        {
            var collector = new RowCollector();
            var range = KeyRange.Between(EngineScript.Bytes($"{start:D4}"), EngineScript.Bytes($"{start + 300:D4}"));
            view.Scan(range, view.Revision, ref collector);
            Assert.Equal(
                Enumerable.Range(start, Math.Min(300, 1_000 - start)),
                collector.Rows.Select(row => int.Parse(EngineScript.Text(row.Key), null)));
        }
    }

    [Fact]
    public void A_visitor_that_says_stop_is_not_asked_again()
    {
        using var script = FourKeys();
        using var view = script.Engine.OpenView();
        var scan = new RowCollector(2);
        view.Scan(KeyRange.From(default), view.Revision, ref scan);
        var all = new RowCollector(3);
        view.ScanAll(ref all);
        var newest = new RowCollector(1);
        script.Engine.ScanNewest(KeyRange.From(default), ref newest);
        Assert.Equal((2, 3, 1), (scan.Rows.Count, all.Rows.Count, newest.Rows.Count));
    }

    private EngineScript Script() => new(Open());

    private EngineScript FourKeys()
    {
        var script = Script();
        foreach (var key in new[] { "c", "a", "d", "b" })
        {
            script.Put(key, "");
        }

        script.Publish();
        return script;
    }
}
