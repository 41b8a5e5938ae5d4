using System.Net;
using System.Text.Json;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Rest;

/// <summary>Pages of keys: <c>GET /v1/kv</c>.</summary>
public sealed class RestListTests
{
    [Fact]
    public async Task A_page_tells_keys_values_and_history()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a/1", "ä\0"u8.ToArray());
        await host.StoreAsync("a/2", [0xFF]);
        await host.StoreAsync("b", [1]);
        using var binary = await host.PutAsync("/v1/kv/a%2F%FE", "x");

        using var answer = await host.GetAsync("/v1/kv?prefix=a/");
        Assert.Equal("application/json", answer.Header("Content-Type"));
        Assert.Equal("5", answer.Header("X-Kvorum-Revision"));
        var page = await answer.JsonAsync();
        Assert.Equal(5, page.GetProperty("revision").GetInt64());
        Assert.Equal(3, page.GetProperty("count").GetInt64());
        Assert.Equal(JsonValueKind.Null, page.GetProperty("next").ValueKind);
        var items = page.GetProperty("items").EnumerateArray().ToArray();
        Assert.Equal(3, items.Length);
        Assert.Equal(
            """{"key":"a/1","keyEncoding":"utf-8","value":"ä\u0000","valueEncod"""
            + """ing":"utf-8","createRevision":2,"modRevision":2,"version":1}""",
            items[0].GetRawText());
        Assert.Equal(
            """{"key":"a/2","keyEncoding":"utf-8","value":"/w==","valueEncod"""
            + """ing":"base64","createRevision":3,"modRevision":3,"version":1}""",
            items[1].GetRawText());
        Assert.Equal("YS/+", items[2].GetProperty("key").GetString());
        Assert.Equal("base64", items[2].GetProperty("keyEncoding").GetString());
    }

    [Theory]
    [InlineData("key")]
    [InlineData("-key")]
    [InlineData("modRevision")]
    [InlineData("-modRevision")]
    [InlineData("createRevision")]
    [InlineData("-version")]
    public async Task Pages_join_to_the_whole_list_at_one_revision(string sort)
    {
        await using var host = await RestHost.StartAsync();
        foreach (var i in (int[])[3, 1, 4, 0, 5, 9, 2, 6])
        {
            await host.StoreAsync($"k{i}", [(byte)i]);
        }

        await host.StoreAsync("k4", [44]);
        var whole = await ItemsOf(host, $"/v1/kv?prefix=k&sort={sort}");
        Assert.Equal(8, whole.Count);

        var joined = new List<string>();
        var next = "";
        do
        {
            using var answer = await host.GetAsync($"/v1/kv?prefix=k&sort={sort}&limit=3{next}");
            var page = await answer.JsonAsync();
            Assert.Equal(10, page.GetProperty("revision").GetInt64());
            Assert.Equal(8, page.GetProperty("count").GetInt64());
            joined.AddRange(page.GetProperty("items").EnumerateArray().Select(item => item.GetRawText()));
            next = page.GetProperty("next").GetString() is { } cursor ? "&cursor=" + cursor : "";

            // Writes between two pages are not seen by the later one.
            await host.StoreAsync("k" + joined.Count, [99]);
            using var delete = await host.SendAsync("DELETE", "/v1/kv/k9");
        }
        while (next.Length > 0);

        Assert.Equal(whole, joined);
    }

    [Theory]
    [InlineData("key", "a b c")]
    [InlineData("-key", "c b a")]
    [InlineData("createRevision", "b a c")]
    [InlineData("-modRevision", "b c a")]
    [InlineData("-version", "b a c")]
    public async Task The_order_is_the_one_asked_for(string sort, string keys)
    {
        await using var host = await RestHost.StartAsync();
        foreach (var key in (string[])["b", "a", "c", "b"])
        {
            await host.StoreAsync(key, [1]);
        }

        var items = await ItemsOf(host, $"/v1/kv?sort={sort}");
        var found = items.Select(item => JsonDocument.Parse(item).RootElement.GetProperty("key").GetString());
        Assert.Equal(keys, string.Join(' ', found));
    }

    [Fact]
    public async Task A_page_is_a_hundred_items_when_nobody_says_otherwise()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 101; i++)
        {
            await host.StoreAsync($"k{i:d3}", [1]);
        }

        Assert.Equal(100, (await ItemsOf(host, "/v1/kv")).Count);
        Assert.Equal(101, (await ItemsOf(host, "/v1/kv?limit=10000")).Count);
    }

    [Fact]
    public async Task A_page_ends_at_its_byte_limit_and_the_next_goes_on_there()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 5; i++)
        {
            await host.StoreAsync($"k{i}", new byte[1_500_000]);
        }

        using var first = await host.GetAsync("/v1/kv");
        var page = await first.JsonAsync();
        Assert.Equal(3, page.GetProperty("items").GetArrayLength());
        Assert.Equal(5, page.GetProperty("count").GetInt64());
        using var second = await host.GetAsync("/v1/kv?cursor=" + page.GetProperty("next").GetString());
        var rest = await second.JsonAsync();
        Assert.Equal(2, rest.GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.Null, rest.GetProperty("next").ValueKind);
    }

    [Fact]
    public async Task Keys_only_leaves_the_values_out_and_count_only_the_items()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        await host.StoreAsync("b", [1]);

        var item = Assert.Single(await ItemsOf(host, "/v1/kv?prefix=b&keysOnly"));
        Assert.Equal("""{"key":"b","keyEncoding":"utf-8","createRevision":3,"modRevision":3,"version":1}""", item);
        using var count = await host.GetAsync("/v1/kv?countOnly=true");
        Assert.Equal("""{"revision":3,"count":2}""", await count.TextAsync());
        using var none = await host.GetAsync("/v1/kv?prefix=zz");
        Assert.Equal("""{"revision":3,"count":0,"items":[],"next":null}""", await none.TextAsync());
    }

    [Fact]
    public async Task A_list_can_be_read_at_an_old_revision()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "old"u8.ToArray());
        await host.StoreAsync("a", "new"u8.ToArray());
        await host.StoreAsync("b", [1]);

        var item = Assert.Single(await ItemsOf(host, "/v1/kv?at=2"));
        Assert.Contains("\"old\"", item, StringComparison.Ordinal);
        using var future = await host.GetAsync("/v1/kv?at=5");
        await future.IsProblemAsync(400, "future-revision");
    }

    [Fact]
    public async Task A_compaction_between_two_pages_is_told_not_hidden()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 4; i++)
        {
            await host.StoreAsync($"k{i}", [1]);
        }

        using var first = await host.GetAsync("/v1/kv?limit=2");
        var next = (await first.JsonAsync()).GetProperty("next").GetString();
        await host.StoreAsync("k9", [1]);
        using var compact = await host.PostJsonAsync("/v1/compact", """{"revision":6}""");
        using var second = await host.GetAsync("/v1/kv?limit=2&cursor=" + next);
        await second.IsProblemAsync(410, "compacted");
    }

    [Fact]
    public async Task A_compaction_within_a_page_ends_the_page_where_it_is_still_right()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 4; i++)
        {
            await host.StoreAsync($"k{i}", [1]);
        }

        var reads = 0;
        host.Kvorum.BeforeRead = _ =>
        {
            if (++reads == 4)
            {
                host.Kvorum.BeforeRead = null;
                host.StoreAsync("k9", [1]).GetAwaiter().GetResult();
                var compact = host.Kvorum.ProposeAsync(new Compact(6), TimeSpan.Zero, RestHost.Cancel);
                Assert.Equal(CommandStatus.Ok, compact.GetAwaiter().GetResult().Status);
            }
        };

        using var answer = await host.GetAsync("/v1/kv");
        var page = await answer.JsonAsync();
        Assert.Equal(2, page.GetProperty("items").GetArrayLength());
        Assert.Equal(JsonValueKind.String, page.GetProperty("next").ValueKind);
    }

    [Fact]
    public async Task Only_the_keys_are_read_with_a_quorum_and_the_values_locally()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        using var answer = await host.GetAsync("/v1/kv");
        Assert.Equal([Consistency.Linearizable, Consistency.Local], host.Kvorum.Reads);
        host.Kvorum.Reads.Clear();
        using var local = await host.GetAsync("/v1/kv?consistency=local");
        Assert.Equal([Consistency.Local, Consistency.Local], host.Kvorum.Reads);
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=10001", "limit")]
    [InlineData("limit=ten", "limit")]
    [InlineData("limit=%31%30%3", "limit")]
    [InlineData("sort=value", "sort")]
    [InlineData("sort=--key", "sort")]
    [InlineData("keysOnly=yes", "keysOnly")]
    [InlineData("countOnly=", "countOnly")]
    [InlineData("cursor=abc", "cursor")]
    [InlineData("cursor=*", "cursor")]
    [InlineData("prefix=%", "prefix")]
    [InlineData("prefx=a", "prefx")]
    [InlineData("at=one", "at")]
    public async Task A_wrong_parameter_is_named(string query, string name)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.GetAsync("/v1/kv?" + query);
        var problem = await answer.IsProblemAsync(400, "bad-query");
        Assert.Contains($"'{name}'", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_cursor_belongs_to_its_list()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        await host.StoreAsync("b", [1]);
        using var first = await host.GetAsync("/v1/kv?limit=1");
        var cursor = (await first.JsonAsync()).GetProperty("next").GetString();
        foreach (var query in (string[])["prefix=a", "sort=-key", "at=2"])
        {
            using var answer = await host.GetAsync($"/v1/kv?cursor={cursor}&{query}");
            await answer.IsProblemAsync(400, "bad-query");
        }

        using var right = await host.GetAsync($"/v1/kv?cursor={cursor}&at=3");
        Assert.Equal(HttpStatusCode.OK, right.StatusCode);
    }

    [Fact]
    public async Task A_prefix_may_be_any_bytes()
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PutAsync("/v1/kv/AAE?keyEncoding=base64url", "x");
        using var space = await host.PutAsync("/v1/kv/a%20b", "x");
        Assert.Single(await ItemsOf(host, "/v1/kv?prefix=%00"));
        Assert.Single(await ItemsOf(host, "/v1/kv?prefix=a+b"));
        Assert.Equal(2, (await ItemsOf(host, "/v1/kv?prefix=")).Count);
    }

    private static async Task<List<string>> ItemsOf(RestHost host, string target)
    {
        using var answer = await host.GetAsync(target);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var page = await answer.JsonAsync();
        return [.. page.GetProperty("items").EnumerateArray().Select(item => item.GetRawText())];
    }
}
