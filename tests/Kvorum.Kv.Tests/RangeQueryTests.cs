using static Kvorum.Kv.Tests.TestMachine;

namespace Kvorum.Kv.Tests;

/// <summary>Reads (etcd v3 API, RangeRequest): ranges, limits, orders, filters, and reads of the past.</summary>
public class RangeQueryTests
{
    private static string[] Keys(RangeResult result) => [.. result.Rows.Select(row => Text(row.Key))];

    private static RangeQuery All => RangeQuery.Prefix(default);

    /// <summary>Keys a to e; versions a 1, b 2, c 3, d 2, e 1; values e, d, c, b, a.</summary>
    private static TestMachine Five()
    {
        var test = new TestMachine();
        (string, string, int)[] rows = [("c", "c", 3), ("b", "d", 2), ("e", "a", 1), ("a", "e", 1), ("d", "b", 2)];
        foreach (var (key, value, puts) in rows)
        {
            for (var i = 0; i < puts; i++)
            {
                test.Put(key, value);
            }
        }

        return test;
    }

    [Theory]
    [InlineData("b", "", "b")]
    [InlineData("b", "d", "bc")]
    [InlineData("b", "\0", "bcde")]
    [InlineData("\0", "\0", "abcde")]
    [InlineData("x", "", "")]
    [InlineData("d", "b", "")]
    [InlineData("b", "b", "")]
    [InlineData("aa", "bb", "b")]
    public void A_range_is_half_open_and_its_special_ends_are_etcds(string key, string rangeEnd, string expected)
    {
        using var test = Five();
        var result = test.Query(new RangeQuery(Bytes(key), Bytes(rangeEnd)));
        Assert.Equal(CommandStatus.Ok, result.Status);
        Assert.Equal(expected, string.Concat(Keys(result)));
        Assert.Equal(expected.Length, result.Count);
        Assert.False(result.HasMore);
        Assert.Equal(10, result.Revision);
    }

    [Fact]
    public void A_prefix_finds_what_starts_with_it_and_an_empty_one_everything()
    {
        using var test = new TestMachine();
        byte[][] keys = [[0], [1, 0xFE], [1, 0xFF], [1, 0xFF, 0], [1, 0xFF, 0xFF, 7], [2], [0xFF], [0xFF, 0xFF, 1]];
        foreach (var key in keys)
        {
            test.Apply(new Put(key, key));
        }

        IEnumerable<byte[]> Found(params byte[] prefix) =>
            test.Query(RangeQuery.Prefix(prefix)).Rows.Select(row => row.Key);

        Assert.Equal([[1, 0xFF], [1, 0xFF, 0], [1, 0xFF, 0xFF, 7]], Found(1, 0xFF));
        Assert.Equal([[0xFF], [0xFF, 0xFF, 1]], Found(0xFF));
        Assert.Equal([[0xFF, 0xFF, 1]], Found(0xFF, 0xFF));
        Assert.Equal(keys, Found());
    }

    [Theory]
    [InlineData(2, "ab", true)]
    [InlineData(4, "abcd", true)]
    [InlineData(5, "abcde", false)]
    [InlineData(6, "abcde", false)]
    [InlineData(0, "abcde", false)]
    [InlineData(-1, "abcde", false)]
    [InlineData(long.MaxValue, "abcde", false)]
    public void The_limit_cuts_the_rows_but_not_the_count(long limit, string expected, bool hasMore)
    {
        using var test = Five();
        var result = test.Query(All with { Limit = limit });
        Assert.Equal(expected, string.Concat(Keys(result)));
        Assert.Equal((5L, hasMore), (result.Count, result.HasMore));
    }

    [Fact]
    public void Pages_at_the_first_pages_revision_are_one_consistent_read()
    {
        using var test = Five();
        var first = test.Query(All with { Limit = 2 });
        test.Delete("d");
        test.Put("cc", "new");
        byte[] next = [.. first.Rows[^1].Key, 0];
        var second = test.Query(new RangeQuery(next, Bytes("\0")) { AtRevision = first.Revision });
        Assert.Equal("cde", string.Concat(Keys(second)));
        Assert.Equal(first.Revision + 2, second.Revision);
    }

    [Theory]
    [InlineData(SortTarget.Key, SortOrder.None, "abcde")]
    [InlineData(SortTarget.Key, SortOrder.Ascend, "abcde")]
    [InlineData(SortTarget.Key, SortOrder.Descend, "edcba")]
    [InlineData(SortTarget.Version, SortOrder.None, "aebdc")]
    [InlineData(SortTarget.Version, SortOrder.Ascend, "aebdc")]
    [InlineData(SortTarget.Version, SortOrder.Descend, "cbdae")]
    [InlineData(SortTarget.CreateRevision, SortOrder.Ascend, "cbead")]
    [InlineData(SortTarget.CreateRevision, SortOrder.Descend, "daebc")]
    [InlineData(SortTarget.ModRevision, SortOrder.None, "cbead")]
    [InlineData(SortTarget.ModRevision, SortOrder.Descend, "daebc")]
    [InlineData(SortTarget.Value, SortOrder.Ascend, "edcba")]
    [InlineData(SortTarget.Value, SortOrder.Descend, "abcde")]
    public void Rows_sort_by_every_target_and_are_cut_after_that(SortTarget target, SortOrder order, string expected)
    {
        using var test = Five();
        var query = All with { SortTarget = target, SortOrder = order };
        Assert.Equal(expected, string.Concat(Keys(test.Query(query))));
        for (var limit = 1; limit <= 5; limit++)
        {
            var cut = test.Query(query with { Limit = limit });
            Assert.Equal(expected[..limit], string.Concat(Keys(cut)));
            Assert.Equal((5L, limit < 5), (cut.Count, cut.HasMore));
        }
    }

    [Fact]
    public void Keys_only_leaves_values_out_even_when_sorted_by_them()
    {
        using var test = Five();
        var plain = test.Query(All with { KeysOnly = true });
        var sorted = test.Query(All with { KeysOnly = true, SortTarget = SortTarget.Value });
        Assert.Equal("abcde", string.Concat(Keys(plain)));
        Assert.Equal("edcba", string.Concat(Keys(sorted)));
        Assert.All(plain.Rows.Concat(sorted.Rows), row => Assert.Empty(row.Value));
        Assert.Equal(3, plain.Rows[2].Version);
    }

    [Fact]
    public void Count_only_counts_everything_and_answers_no_rows()
    {
        using var test = Five();
        var result = test.Query(All with { CountOnly = true, Limit = 2 });
        Assert.Empty(result.Rows);
        Assert.Equal((5L, false), (result.Count, result.HasMore));
    }

    [Fact]
    public void Filters_take_rows_before_the_limit_and_leave_the_count()
    {
        using var test = Five(); // c made at 2, last put at 4; b 5, 6; e 7, 7; a 8, 8; d 9, 10.
        string Found(RangeQuery query)
        {
            var result = test.Query(query);
            Assert.Equal(5, result.Count);
            return string.Concat(Keys(result)) + (result.HasMore ? "+" : "");
        }

        Assert.Equal("abde", Found(All with { ModRevisionMin = 6 }));
        Assert.Equal("bc", Found(All with { ModRevisionMax = 6 }));
        Assert.Equal("ad", Found(All with { CreateRevisionMin = 8 }));
        Assert.Equal("bc", Found(All with { CreateRevisionMax = 5 }));
        Assert.Equal("be", Found(All with { ModRevisionMin = 6, ModRevisionMax = 7 }));
        Assert.Equal("a+", Found(All with { ModRevisionMin = 6, Limit = 1 }));
        Assert.Equal("bc", Found(All with { ModRevisionMax = 6, Limit = 2 }));
        Assert.Equal("abcde", Found(All with { ModRevisionMax = 0, CreateRevisionMax = 0 }));
        Assert.Equal("e+", Found(All with { ModRevisionMin = 6, Limit = 1, SortOrder = SortOrder.Descend }));
    }

    [Fact]
    public void An_old_revision_shows_the_keys_as_they_were()
    {
        using var test = new TestMachine();
        test.Put("a", "1");
        test.Put("b", "1");
        test.Put("a", "2");
        test.Delete("b");
        Assert.Equal(("1", null), (test.Get("a", 2), test.Get("b", 2)));
        Assert.Equal(("1", "1"), (test.Get("a", 3), test.Get("b", 3)));
        Assert.Equal(("2", "1"), (test.Get("a", 4), test.Get("b", 4)));
        Assert.Equal(("2", null), (test.Get("a", 5), test.Get("b", 5)));
        Assert.Equal(5, test.Query(All with { AtRevision = 2 }).Revision);
        Assert.Equal("2", test.Get("a", -1));
    }

    [Fact]
    public void A_revision_not_yet_made_is_a_future_revision()
    {
        using var test = Five();
        var result = test.Query(All with { AtRevision = 11 });
        Assert.Equal(CommandStatus.FutureRevision, result.Status);
        Assert.Equal((10L, 0L, 0L), (result.Revision, result.CompactedRevision, result.Count));
        Assert.Empty(result.Rows);
        Assert.Equal(CommandStatus.Ok, test.Query(All with { AtRevision = 10 }).Status);
    }

    [Fact]
    public void A_revision_below_the_compacted_one_is_gone_and_the_compacted_one_is_not()
    {
        using var test = Five();
        Assert.Equal(CommandStatus.Ok, test.Apply(new Compact(6)).Status);
        var result = test.Query(All with { AtRevision = 5 });
        Assert.Equal(CommandStatus.Compacted, result.Status);
        Assert.Equal((10L, 6L), (result.Revision, result.CompactedRevision));
        Assert.Equal("bc", string.Concat(Keys(test.Query(All with { AtRevision = 6 }))));
    }

    [Fact]
    public void An_answer_holds_no_more_bytes_than_its_limit_and_says_that_there_is_more()
    {
        using var test = new TestMachine();
        var value = new byte[KvLimits.ValueBytesMax];
        var full = (int)(RangeQuery.AnswerBytesMax / (value.Length + 3));
        for (var i = 0; i < full + 2; i++)
        {
            test.Apply(new Put(Bytes($"k{i:00}"), value));
        }

        foreach (var order in new[] { SortOrder.None, SortOrder.Descend })
        {
            var result = test.Query(All with { SortOrder = order });
            Assert.Equal((full, full + 2L, true), (result.Rows.Count, result.Count, result.HasMore));
        }

        Assert.Equal(full + 2, test.Query(All with { KeysOnly = true }).Rows.Count);
    }

    /// <summary>The collector cuts while it gathers; the outcome is that of sorting everything first.</summary>
    [Fact]
    public void A_sorted_cut_of_many_rows_is_that_of_sorting_them_all()
    {
        using var test = new TestMachine();
        var random = new Random(1);
        var rows = new List<(string Key, string Value)>();
        for (var i = 0; i < 500; i++)
        {
            var row = (Key: $"k{i:000}", Value: $"v{random.Next(100):00}");
            rows.Add(row);
            test.Put(row.Key, row.Value);
        }

        foreach (var limit in new[] { 1, 7, 249, 499, 500 })
        {
            var query = All with { SortTarget = SortTarget.Value, SortOrder = SortOrder.Descend, Limit = limit };
            var expected = rows
                .OrderByDescending(row => row.Value, StringComparer.Ordinal)
                .ThenBy(row => row.Key, StringComparer.Ordinal)
                .Select(row => row.Key);
            Assert.Equal(expected.Take(limit), Keys(test.Query(query)));
        }
    }

    [Fact]
    public void A_sorted_answer_cut_by_its_bytes_has_no_gap()
    {
        var collector = new RangeCollector(All with { SortTarget = SortTarget.Version }, bytesMax: 100);
        foreach (var (key, version, valueBytes) in (ReadOnlySpan<(string, long, int)>)
            [("a", 1, 60), ("b", 2, 90), ("x", 9, 100), ("c", 3, 10)])
        {
            var header = new RowHeader(new Revision(2, 0), 2, version, 0, IsTombstone: false);
            collector.Visit(new Row(Bytes(key).Span, new byte[valueBytes], header));
        }

        var left = 100L;
        var found = collector.ToResult(2, 0, ref left);
        Assert.Equal(["a"], Keys(found)); // c would fit, but b before it does not.
        Assert.True(found.HasMore);
        Assert.Equal(4, found.Count);
    }

    [Theory]
    [InlineData("a", "", "a", true)]
    [InlineData("a", "", "aa", false)]
    [InlineData("a", "c", "a", true)]
    [InlineData("a", "c", "bzzz", true)]
    [InlineData("a", "c", "c", false)]
    [InlineData("b", "c", "a", false)]
    [InlineData("b", "\0", "zz", true)]
    [InlineData("b", "\0", "a", false)]
    [InlineData("c", "a", "b", false)]
    public void A_range_contains_a_key_as_its_scan_does(string key, string rangeEnd, string candidate, bool expected)
    {
        Assert.Equal(expected, Ranges.Contains(Bytes(key).Span, Bytes(rangeEnd).Span, Bytes(candidate).Span));
        using var test = new TestMachine();
        test.Put(candidate, "1");
        Assert.Equal(expected ? 1 : 0, test.Query(new RangeQuery(Bytes(key), Bytes(rangeEnd))).Count);
    }
}
