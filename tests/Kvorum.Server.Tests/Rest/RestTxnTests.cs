using System.Net;

namespace Kvorum.Server.Tests.Rest;

/// <summary>Transactions and compaction as JSON.</summary>
public sealed class RestTxnTests
{
    [Fact]
    public async Task A_transaction_runs_the_branch_its_compares_choose_in_one_revision()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "1"u8.ToArray());
        const string Txn = """
            {
              "compare": [{"key": "a", "target": "value", "operator": "=", "value": "1"},
                          {"key": "b", "target": "version", "operator": "=", "value": 0}],
              "then": [{"put": {"key": "a", "value": "2"}},
                       {"put": {"key": {"base64": "/w=="}, "value": {"base64": "AA=="}}},
                       {"append": {"key": "list", "item": "cat"}}, {"get": {"key": "a"}}],
              "else": [{"get": {"prefix": ""}}]
            }
            """;

        using var first = await host.PostJsonAsync("/v1/txn", Txn);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal("3", first.Header("X-Kvorum-Revision"));
        Assert.Equal(
            """{"revision":3,"succeeded":true,"results":[{"put":{}},{"put":{}},{"append":{"count":1}},"""
            + """{"get":{"count":1,"more":false,"items":[{"key":"a","keyEncoding":"utf-"""
            + """8","value":"2","valueEncoding":"utf-8","createRevision":2,"modRevision":3,"version":2}]}}]}""",
            await first.TextAsync());
        Assert.Equal([0], await host.StoredAsync([0xFF]));
        Assert.Equal("""["cat"]"""u8.ToArray(), await host.StoredAsync("list"));

        using var second = await host.PostJsonAsync("/v1/txn", Txn);
        var answer = await second.JsonAsync();
        Assert.False(answer.GetProperty("succeeded").GetBoolean());
        Assert.Equal(3, answer.GetProperty("results")[0].GetProperty("get").GetProperty("count").GetInt64());
    }

    [Fact]
    public async Task A_transaction_deletes_by_key_and_by_prefix()
    {
        await using var host = await RestHost.StartAsync();
        foreach (var key in (string[])["a", "p/1", "p/2", "q"])
        {
            await host.StoreAsync(key, [1]);
        }

        using var answer = await host.PostJsonAsync(
            "/v1/txn",
            """{"then": [{"delete": {"key": "a"}}, {"delete": {"prefix": "p/"}}, {"delete": {"key": "none"}}]}""");
        Assert.Equal(
            """{"revision":6,"succeeded":true,"results":"""
            + """[{"delete":{"count":1}},{"delete":{"count":2}},{"delete":{"count":0}}]}""",
            await answer.TextAsync());
        Assert.NotNull(await host.StoredAsync("q"));
    }

    [Theory]
    [InlineData("createRevision", "=", 2, true)]
    [InlineData("modRevision", ">", 2, true)]
    [InlineData("version", "!=", 2, false)]
    [InlineData("modRevision", "<", 3, false)]
    public async Task Every_target_and_operator_is_understood(string target, string comparison, long value, bool holds)
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        await host.StoreAsync("a", [1]);
        using var answer = await host.PostJsonAsync(
            "/v1/txn",
            $$"""
            {"compare": [{"key": "a", "target": "{{target}}", "operator": "{{comparison}}", "value": {{value}}}]}
            """);
        Assert.Equal(holds, (await answer.JsonAsync()).GetProperty("succeeded").GetBoolean());
    }

    [Fact]
    public async Task A_read_in_a_transaction_is_limited_and_says_so()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        await host.StoreAsync("b", [1]);
        using var answer = await host.PostJsonAsync(
            "/v1/txn", """{"then": [{"get": {"prefix": "", "limit": 1, "keysOnly": true}}]}""");
        Assert.Contains(
            """{"count":2,"more":true,"items":[{"key":"a","keyEncoding":"utf-8","createRevision":2,""",
            await answer.TextAsync(),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_retried_transaction_is_applied_once()
    {
        await using var host = await RestHost.StartAsync();
        const string Txn = """{"then": [{"append": {"key": "a", "item": "x"}}]}""";
        using var first = await host.PostJsonAsync("/v1/txn", Txn, idempotencyKey: "t");
        using var retry = await host.PostJsonAsync("/v1/txn", Txn, idempotencyKey: "t");
        Assert.Equal(await first.TextAsync(), await retry.TextAsync());
        Assert.Equal("""["x"]"""u8.ToArray(), await host.StoredAsync("a"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("""{"then": []} {}""")]
    [InlineData("""{"thne": []}""")]
    [InlineData("""{"then": [], "then": []}""")]
    [InlineData("""{"then": {}}""")]
    [InlineData("""{"then": [{}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": "x"}, "delete": {"key": "a"}}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a"}}]}""")]
    [InlineData("""{"then": [{"put": {"value": "a"}}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": 1}}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": {"base64": "?"}}}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": {"base64": "AA==", "more": 1}}}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": "\ud800"}}]}""")]
    [InlineData("""{"then": [{"append": {"key": "a", "item": ["x"]}}]}""")]
    [InlineData("""{"then": [{"delete": {}}]}""")]
    [InlineData("""{"then": [{"delete": {"key": "a", "prefix": "a"}}]}""")]
    [InlineData("""{"then": [{"get": {"key": "a", "limit": 1001}}]}""")]
    [InlineData("""{"then": [{"get": {"key": "a", "keysOnly": 1}}]}""")]
    [InlineData("""{"then": [{"jump": {}}]}""")]
    [InlineData("""{"then": [1]}""")]
    [InlineData("""{"compare": [{"key": "a", "target": "colour", "operator": "=", "value": 1}]}""")]
    [InlineData("""{"compare": [{"key": "a", "target": "version", "operator": "==", "value": 1}]}""")]
    [InlineData("""{"compare": [{"key": "a", "target": "version", "operator": "=", "value": "1"}]}""")]
    [InlineData("""{"compare": [{"key": "a", "target": "version", "operator": "=", "value": -1}]}""")]
    [InlineData("""{"compare": [{"key": "a", "target": "\ud800", "operator": "=", "value": 1}]}""")]
    [InlineData("""{"then": [{"put": {"key": "a", "value": "1"}}, {"put": {"key": "a", "value": "2"}}]}""")]
    [InlineData("""{"\ud800": 1}""")]
    [InlineData("""{"then": [{"\ud800": {}}]}""")]
    public async Task A_wrong_transaction_changes_nothing_and_is_told_what_was_expected(string body)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.PostJsonAsync("/v1/txn", body);
        var problem = await answer.IsProblemAsync(400, "bad-body");
        Assert.Contains("expected", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Null(await host.StoredAsync("a"));
    }

    [Fact]
    public async Task An_empty_key_in_a_transaction_is_refused()
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.PostJsonAsync("/v1/txn", """{"then": [{"put": {"key": "", "value": "x"}}]}""");
        await answer.IsProblemAsync(400, "empty-key");
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_transaction_has_at_most_128_operations_in_a_branch()
    {
        await using var host = await RestHost.StartAsync();
        static string PutOf(int i) => $$$"""{"put": {"key": "k{{{i}}}", "value": ""}}""";
        static string TxnOf(int count) =>
            $$"""{"then": [{{string.Join(", ", Enumerable.Range(0, count).Select(PutOf))}}]}""";
        using var largest = await host.PostJsonAsync("/v1/txn", TxnOf(128));
        Assert.Equal(HttpStatusCode.OK, largest.StatusCode);
        using var larger = await host.PostJsonAsync("/v1/txn", TxnOf(129));
        await larger.IsProblemAsync(400, "bad-body");
        Assert.Single(host.Kvorum.Proposals);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/jsonx")]
    [InlineData("")]
    public async Task Only_json_is_taken(string contentType)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.PostJsonAsync("/v1/txn", "{}", contentType);
        await answer.IsProblemAsync(415, "unsupported-media-type");
    }

    [Fact]
    public async Task Appending_to_something_else_than_a_list_conflicts_and_changes_nothing()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "text"u8.ToArray());
        using var answer = await host.PostJsonAsync(
            "/v1/txn", """{"then": [{"put": {"key": "b", "value": "x"}}, {"append": {"key": "a", "item": "x"}}]}""");
        var problem = await answer.IsProblemAsync(409, "not-a-list");
        Assert.Equal("no-effect", problem.GetProperty("outcome").GetString());
        Assert.Null(await host.StoredAsync("b"));
    }

    [Fact]
    public async Task Compaction_answers_what_it_did_or_why_not()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        await host.StoreAsync("a", [2]);

        using var done = await host.PostJsonAsync("/v1/compact", """{"revision": 3}""");
        Assert.Equal("""{"revision":3,"compactedRevision":3}""", await done.TextAsync());
        using var again = await host.PostJsonAsync("/v1/compact", """{"revision": 2}""");
        await again.IsProblemAsync(410, "compacted");
        using var future = await host.PostJsonAsync("/v1/compact", """{"revision": 9}""");
        await future.IsProblemAsync(400, "future-revision");
        string[] bodies = ["{}", """{"revision": 0}""", """{"revision": "3"}""", """{"revision": 1.5}"""];
        foreach (var body in bodies)
        {
            using var wrong = await host.PostJsonAsync("/v1/compact", body);
            await wrong.IsProblemAsync(400, "bad-body");
        }
    }
}
