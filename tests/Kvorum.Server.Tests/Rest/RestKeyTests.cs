using System.Net;
using System.Text;

namespace Kvorum.Server.Tests.Rest;

/// <summary>Raw bytes under <c>/v1/kv/{key}</c>.</summary>
public sealed class RestKeyTests
{
    [Fact]
    public async Task A_written_value_reads_back_byte_for_byte_with_its_history()
    {
        await using var host = await RestHost.StartAsync();
        byte[] value = [0, 1, 0xFF, (byte)'<', (byte)'b', (byte)'>'];

        using var put = await host.SendAsync("PUT", "/v1/kv/a", value);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal("\"2\"", put.Header("ETag"));
        Assert.Equal("2", put.Header("X-Kvorum-Revision"));
        using var again = await host.SendAsync("PUT", "/v1/kv/a", value);
        await host.StoreAsync("other", [1]);

        using var get = await host.GetAsync("/v1/kv/a");
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        Assert.Equal(value, await get.Content.ReadAsByteArrayAsync(RestHost.Cancel));
        Assert.Equal("application/octet-stream", get.Header("Content-Type"));
        Assert.Equal("nosniff", get.Header("X-Content-Type-Options"));
        Assert.Equal("\"3\"", get.Header("ETag"));
        Assert.Equal("4", get.Header("X-Kvorum-Revision"));
        Assert.Equal("2", get.Header("X-Kvorum-Create-Revision"));
        Assert.Equal("2", get.Header("X-Kvorum-Version"));
    }

    [Fact]
    public async Task An_empty_value_is_a_value()
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.SendAsync("PUT", "/v1/kv/a", []);
        using var bodiless = await host.SendAsync("PUT", "/v1/kv/b");
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, bodiless.StatusCode);

        using var get = await host.GetAsync("/v1/kv/a");
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        Assert.Equal(0, get.Content.Headers.ContentLength);
        Assert.Empty((await host.StoredAsync("b"))!);
    }

    [Fact]
    public async Task A_deleted_key_is_gone_and_its_second_delete_says_so()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);

        using var delete = await host.SendAsync("DELETE", "/v1/kv/a");
        Assert.Equal(HttpStatusCode.NoContent, delete.StatusCode);
        Assert.Equal("3", delete.Header("X-Kvorum-Revision"));

        using var second = await host.SendAsync("DELETE", "/v1/kv/a");
        var problem = await second.IsProblemAsync(404, "key-not-found");
        Assert.Equal("no-effect", problem.GetProperty("outcome").GetString());
        using var get = await host.GetAsync("/v1/kv/a");
        await get.IsProblemAsync(404, "key-not-found");
    }

    [Fact]
    public async Task A_key_can_be_read_as_it_was_at_an_old_revision()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "old"u8.ToArray());
        await host.StoreAsync("a", "new"u8.ToArray());

        using var old = await host.GetAsync("/v1/kv/a?at=2");
        Assert.Equal("old", await old.TextAsync());
        Assert.Equal("\"2\"", old.Header("ETag"));
        using var newest = await host.GetAsync("/v1/kv/a?at=3");
        Assert.Equal("new", await newest.TextAsync());
        using var future = await host.GetAsync("/v1/kv/a?at=4");
        await future.IsProblemAsync(400, "future-revision");

        using var compact = await host.PostJsonAsync("/v1/compact", """{"revision":3}""");
        Assert.Equal(HttpStatusCode.OK, compact.StatusCode);
        using var compacted = await host.GetAsync("/v1/kv/a?at=2");
        await compacted.IsProblemAsync(410, "compacted");
    }

    [Fact]
    public async Task If_none_match_star_creates_a_key_only_once()
    {
        await using var host = await RestHost.StartAsync();

        using var first = await host.PutAsync("/v1/kv/a", "first", ("If-None-Match", "*"));
        Assert.Equal(HttpStatusCode.Created, first.StatusCode);
        Assert.Equal("\"2\"", first.Header("ETag"));

        using var second = await host.PutAsync("/v1/kv/a", "second", ("If-None-Match", "*"));
        var problem = await second.IsProblemAsync(412, "precondition-failed");
        Assert.Equal(2, problem.GetProperty("currentRevision").GetInt64());
        Assert.Equal("no-effect", problem.GetProperty("outcome").GetString());
        Assert.Equal("\"2\"", second.Header("ETag"));
        Assert.Equal("first"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task If_match_writes_only_over_the_revision_it_names()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "one"u8.ToArray());

        using var right = await host.PutAsync("/v1/kv/a", "two", ("If-Match", "\"2\""));
        Assert.Equal(HttpStatusCode.NoContent, right.StatusCode);
        Assert.Equal("\"3\"", right.Header("ETag"));

        using var wrong = await host.PutAsync("/v1/kv/a", "three", ("If-Match", "\"2\""));
        var problem = await wrong.IsProblemAsync(412, "precondition-failed");
        Assert.Equal(3, problem.GetProperty("currentRevision").GetInt64());

        using var missing = await host.PutAsync("/v1/kv/b", "x", ("If-Match", "*"));
        problem = await missing.IsProblemAsync(412, "precondition-failed");
        Assert.Equal(0, problem.GetProperty("currentRevision").GetInt64());
        Assert.Null(await host.StoredAsync("b"));
        Assert.Equal("two"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task A_delete_obeys_its_condition()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);

        using var wrong = await host.SendAsync("DELETE", "/v1/kv/a", null, ("If-Match", "\"7\""));
        await wrong.IsProblemAsync(412, "precondition-failed");
        Assert.NotNull(await host.StoredAsync("a"));

        using var right = await host.SendAsync("DELETE", "/v1/kv/a", null, ("If-Match", "\"2\""));
        Assert.Equal(HttpStatusCode.NoContent, right.StatusCode);
        Assert.Null(await host.StoredAsync("a"));
        using var gone = await host.SendAsync("DELETE", "/v1/kv/a", null, ("If-None-Match", "*"));
        await gone.IsProblemAsync(404, "key-not-found");
    }

    [Theory]
    [InlineData("If-Match", "2")]
    [InlineData("If-Match", "\"abc\"")]
    [InlineData("If-Match", "\"1\", \"2\"")]
    [InlineData("If-None-Match", "W/\"2\"")]
    public async Task A_condition_that_cannot_be_read_refuses_the_write(string header, string value)
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PutAsync("/v1/kv/a", "x", (header, value));
        var problem = await put.IsProblemAsync(400, "bad-header");
        Assert.Contains(header, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task Both_conditions_at_once_are_refused()
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PutAsync("/v1/kv/a", "x", ("If-Match", "*"), ("If-None-Match", "*"));
        await put.IsProblemAsync(400, "bad-header");
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Theory]
    [InlineData("\"2\"", true)]
    [InlineData("W/\"2\"", true)]
    [InlineData("\"1\", \"2\"", true)]
    [InlineData("*", true)]
    [InlineData("\"1\"", false)]
    [InlineData("nonsense", false)]
    public async Task A_reader_that_has_the_value_is_told_so(string tags, bool isKnown)
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "value"u8.ToArray());
        using var get = await host.GetAsync("/v1/kv/a", ("If-None-Match", tags));
        Assert.Equal(isKnown ? HttpStatusCode.NotModified : HttpStatusCode.OK, get.StatusCode);
        Assert.Equal("\"2\"", get.Header("ETag"));
        Assert.Equal(isKnown ? "" : "value", await get.TextAsync());
    }

    [Fact]
    public async Task The_same_idempotency_key_applies_a_write_once_and_answers_alike()
    {
        await using var host = await RestHost.StartAsync();

        using var first = await host.PutAsync("/v1/kv/a", "x", ("Idempotency-Key", "order-17"));
        await host.StoreAsync("a", "later"u8.ToArray());
        using var retry = await host.PutAsync("/v1/kv/a", "x", ("Idempotency-Key", "order-17"));

        Assert.Equal(HttpStatusCode.NoContent, retry.StatusCode);
        Assert.Equal(first.Header("ETag"), retry.Header("ETag"));
        Assert.Equal(first.Header("X-Kvorum-Revision"), retry.Header("X-Kvorum-Revision"));
        Assert.Equal("later"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task A_retried_conditional_write_hears_the_answer_of_the_first_try()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 2; i++)
        {
            using var put = await host.PutAsync("/v1/kv/a", "x", ("If-None-Match", "*"), ("Idempotency-Key", "k"));
            Assert.Equal(HttpStatusCode.Created, put.StatusCode);
            Assert.Equal("\"2\"", put.Header("ETag"));
        }

        for (var i = 0; i < 2; i++)
        {
            using var delete = await host.SendAsync("DELETE", "/v1/kv/a", null, ("Idempotency-Key", "d"));
            Assert.Equal(HttpStatusCode.NoContent, delete.StatusCode);
        }
    }

    [Fact]
    public async Task An_idempotency_key_is_refused_for_another_request()
    {
        await using var host = await RestHost.StartAsync();
        using var first = await host.PutAsync("/v1/kv/a", "x", ("Idempotency-Key", "k"));
        using var other = await host.PutAsync("/v1/kv/a", "y", ("Idempotency-Key", "k"));
        var problem = await other.IsProblemAsync(422, "idempotency-key-reused");
        Assert.Equal("no-effect", problem.GetProperty("outcome").GetString());
        Assert.Equal("x"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task An_idempotency_key_has_1_to_255_visible_characters()
    {
        await using var host = await RestHost.StartAsync();
        using var longest = await host.PutAsync("/v1/kv/a", "x", ("Idempotency-Key", new string('~', 255)));
        Assert.Equal(HttpStatusCode.NoContent, longest.StatusCode);
        foreach (var bad in (string[])[new string('k', 256), "two words", ""])
        {
            using var put = await host.PutAsync("/v1/kv/b", "x", ("Idempotency-Key", bad));
            await put.IsProblemAsync(400, "bad-header");
        }

        Assert.Null(await host.StoredAsync("b"));
    }

    [Fact]
    public async Task Reads_are_linearizable_unless_the_caller_asks_for_local_ones()
    {
        await using var host = await RestHost.StartAsync();
        using var byDefault = await host.GetAsync("/v1/kv/a");
        using var asked = await host.GetAsync("/v1/kv/a?consistency=linearizable");
        using var local = await host.GetAsync("/v1/kv/a?consistency=local");
        Assert.Equal(
            [Node.Consistency.Linearizable, Node.Consistency.Linearizable, Node.Consistency.Local], host.Kvorum.Reads);
    }

    [Theory]
    [InlineData("/v1/kv/a?at=0", "at")]
    [InlineData("/v1/kv/a?at=-1", "at")]
    [InlineData("/v1/kv/a?at=x", "at")]
    [InlineData("/v1/kv/a?at=99999999999999999999", "at")]
    [InlineData("/v1/kv/a?at=2&at=3", "at")]
    [InlineData("/v1/kv/a?consistency=eventual", "consistency")]
    [InlineData("/v1/kv/a?consistency", "consistency")]
    [InlineData("/v1/kv/a?keyEncoding=hex", "keyEncoding")]
    [InlineData("/v1/kv/a?nonsense=1", "nonsense")]
    [InlineData("/v1/kv/a?limit=1", "limit")]
    [InlineData("/v1/kv/a?at=%zz", "at")]
    [InlineData("/v1/kv/a?%ff=1", "%ff")]
    public async Task A_wrong_query_value_is_named(string target, string name)
    {
        await using var host = await RestHost.StartAsync();
        using var get = await host.GetAsync(target);
        var problem = await get.IsProblemAsync(400, "bad-query");
        Assert.Contains(name, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Contains("expected", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Reads);
    }

    [Fact]
    public async Task Head_answers_like_get_without_the_value()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", "value"u8.ToArray());
        using var head = await host.SendAsync("HEAD", "/v1/kv/a");
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(5, head.Content.Headers.ContentLength);
        Assert.Equal("\"2\"", head.Header("ETag"));
        Assert.Equal("", await head.TextAsync());
        using var missing = await host.SendAsync("HEAD", "/v1/kv/b");
        Assert.Equal(HttpStatusCode.NotFound, missing.StatusCode);
        Assert.Equal("", await missing.TextAsync());
    }

    [Theory]
    [InlineData("/v1/kv/keys/start", "keys/start")]
    [InlineData("/v1/kv/a%2Fb", "a/b")]
    [InlineData("/v1/kv/a/b/", "a/b/")]
    [InlineData("/v1/kv//", "/")]
    [InlineData("/v1/kv/a//b", "a//b")]
    [InlineData("/v1/kv/a/../b", "a/../b")]
    [InlineData("/v1/kv/..", "..")]
    [InlineData("/v1/kv/%2e%2e/%2e", "../.")]
    [InlineData("/v1/kv/a%20b", "a b")]
    [InlineData("/v1/kv/a+b", "a+b")]
    [InlineData("/v1/kv/%25", "%")]
    [InlineData("/v1/kv/%2541", "%41")]
    [InlineData("/v1/kv/%C3%A4%F0%9F%98%80", "ä😀")]
    [InlineData("/v1/kv/a%3Fb%23c", "a?b#c")]
    [InlineData("/v1/kv/txn", "txn")]
    [InlineData("/v1/kv/aGk?keyEncoding=base64url", "hi")]
    [InlineData("/v1/kv/%E2%88%9A;x=1,2", "√;x=1,2")]
    public async Task A_key_is_decoded_exactly_once(string target, string key)
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PutAsync(target, "value");
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal("value"u8.ToArray(), await host.StoredAsync(key));
        using var get = await host.GetAsync(target);
        Assert.Equal("value", await get.TextAsync());
        using var delete = await host.SendAsync("DELETE", target);
        Assert.Null(await host.StoredAsync(key));
    }

    [Fact]
    public async Task A_key_may_be_any_bytes()
    {
        await using var host = await RestHost.StartAsync();
        using var percent = await host.PutAsync("/v1/kv/%FF%01%80", "x");
        Assert.Equal(HttpStatusCode.NoContent, percent.StatusCode);
        Assert.NotNull(await host.StoredAsync([0xFF, 1, 0x80]));

        // The host refuses a zero byte in a path before any route sees it: base64url is the way around.
        using var base64 = await host.PutAsync("/v1/kv/AP8?keyEncoding=base64url", "x");
        Assert.Equal(HttpStatusCode.NoContent, base64.StatusCode);
        Assert.NotNull(await host.StoredAsync([0, 0xFF]));
    }

    [Theory]
    [InlineData("/v1/kv/%zz", "bad-target")]
    [InlineData("/v1/kv/a%", "bad-target")]
    [InlineData("/v1/kv/a%4", "bad-target")]
    [InlineData("/v1/kv/", "empty-key")]
    [InlineData("/v1/kv/?keyEncoding=base64url", "empty-key")]
    [InlineData("/v1/kv/!?keyEncoding=base64url", "bad-target")]
    public async Task A_key_that_is_none_is_refused(string target, string problem)
    {
        await using var host = await RestHost.StartAsync();
        foreach (var method in (string[])["GET", "PUT", "DELETE"])
        {
            using var answer = await host.SendAsync(method, target, method == "PUT" ? [1] : null);
            await answer.IsProblemAsync(400, problem);
        }

        Assert.Empty(host.Kvorum.Proposals);
        Assert.Empty(host.Kvorum.Reads);
    }

    [Fact]
    public async Task The_longest_key_fits_and_one_byte_more_does_not()
    {
        await using var host = await RestHost.StartAsync();
        var longest = new StringBuilder().Insert(0, "%ff", 65_535).ToString();
        using var put = await host.PutAsync("/v1/kv/" + longest, "x");
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        using var tooLong = await host.PutAsync("/v1/kv/a" + longest, "x");
        await tooLong.IsProblemAsync(414, "key-too-large");
        Assert.Single(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task The_largest_value_fits_and_one_byte_more_does_not()
    {
        await using var host = await RestHost.StartAsync();
        var largest = new byte[1_572_864];
        Random.Shared.NextBytes(largest);
        using var put = await host.SendAsync("PUT", "/v1/kv/a", largest);
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        using var get = await host.GetAsync("/v1/kv/a");
        Assert.Equal(largest, await get.Content.ReadAsByteArrayAsync(RestHost.Cancel));

        using var tooLarge = await host.SendAsync("PUT", "/v1/kv/a", new byte[1_572_865]);
        await tooLarge.IsProblemAsync(413, "too-large");
        Assert.Equal(largest, await host.StoredAsync("a"));
    }
}
