using System.Net;
using System.Text;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Rest;

/// <summary>The short form: <c>GET /{key}</c> and <c>POST /{key}</c>.</summary>
public sealed class RestShortFormTests
{
    private const string Form = "application/x-www-form-urlencoded";

    [Fact]
    public async Task A_posted_value_reads_back_in_the_agreed_shape()
    {
        await using var host = await RestHost.StartAsync();
        using var post = await PostAsync(host, "/color", "value=dark+blue%21");
        Assert.Equal(HttpStatusCode.OK, post.StatusCode);
        Assert.Equal("""{"ok":true,"key":"color","value":"dark blue!"}""", await post.TextAsync());
        Assert.Equal("dark blue!"u8.ToArray(), await host.StoredAsync("color"));

        using var get = await host.GetAsync("/color");
        Assert.Equal("application/json", get.Header("Content-Type"));
        Assert.Equal("""{"ok":true,"key":"color","value":"dark blue!"}""", await get.TextAsync());
        Assert.Equal([Consistency.Local, Consistency.Linearizable], host.Kvorum.Reads);
    }

    [Fact]
    public async Task A_missing_key_is_a_null_value_and_no_failure()
    {
        await using var host = await RestHost.StartAsync();
        using var get = await host.GetAsync("/missing");
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        Assert.Equal("""{"ok":true,"key":"missing","value":null}""", await get.TextAsync());
    }

    [Fact]
    public async Task Key_and_value_lose_the_white_space_around_them()
    {
        await using var host = await RestHost.StartAsync();
        using var post = await PostAsync(host, "/%20a%20b%09", "other=1&value=%20x%20y%0A");
        Assert.Equal("""{"ok":true,"key":"a b","value":"x y"}""", await post.TextAsync());
        Assert.Equal("x y"u8.ToArray(), await host.StoredAsync("a b"));
    }

    [Fact]
    public async Task Multipart_forms_are_taken_too()
    {
        await using var host = await RestHost.StartAsync();
        using var form = new MultipartFormDataContent
        {
            { new StringContent("ignored"), "other" },
            { new StringContent("größer"), "value" },
        };
        using var post = await host.Client.PostAsync("/a", form, RestHost.Cancel);
        Assert.Equal("""{"ok":true,"key":"a","value":"größer"}""", await post.TextAsync());
        Assert.Equal("größer"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Theory]
    [InlineData("/a", "value=")]
    [InlineData("/a", "value=+%20")]
    [InlineData("/a", "other=x")]
    [InlineData("/a", "")]
    [InlineData("/%20", "value=x")]
    public async Task An_empty_key_or_value_is_refused_in_the_agreed_words(string target, string form)
    {
        await using var host = await RestHost.StartAsync();
        using var post = await PostAsync(host, target, form);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, post.StatusCode);
        Assert.Equal("""{"ok":false,"error":"empty key or value"}""", await post.TextAsync());
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Theory]
    [InlineData("value=%zz", "")]
    [InlineData("value=%ff", "")]
    [InlineData("value=x", "text/plain")]
    public async Task A_body_that_is_no_form_of_text_is_refused(string form, string contentType)
    {
        await using var host = await RestHost.StartAsync();
        using var post = await PostAsync(host, "/a", form, contentType.Length > 0 ? contentType : Form);
        Assert.Equal(contentType.Length > 0 ? 415 : 400, (int)post.StatusCode);
        Assert.False((await post.JsonAsync()).GetProperty("ok").GetBoolean());
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_form_with_an_endless_boundary_is_refused()
    {
        await using var host = await RestHost.StartAsync();
        var type = "multipart/form-data; boundary=" + new string('b', 5000);
        using var post = await PostAsync(host, "/a", "value=x", type);
        Assert.Equal(HttpStatusCode.BadRequest, post.StatusCode);
        Assert.False((await post.JsonAsync()).GetProperty("ok").GetBoolean());
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_follower_sends_readers_and_writers_to_the_leader_with_path_and_query()
    {
        await using var host = await RestHost.StartAsync(leaderUrl: "http://leader.test:2389");
        host.Kvorum.Role = NodeRole.Follower;
        host.Kvorum.Leader = 2;

        using var get = await host.GetAsync("/a%2Fb?x=1");
        Assert.Equal(HttpStatusCode.Found, get.StatusCode);
        Assert.Equal("http://leader.test:2389/a%2Fb?x=1", get.Header("Location"));
        using var post = await PostAsync(host, "/a?x=1", "value=x");
        Assert.Equal(HttpStatusCode.TemporaryRedirect, post.StatusCode);
        Assert.Equal("http://leader.test:2389/a?x=1", post.Header("Location"));
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task Following_redirects_from_any_node_writes_and_reads_at_the_leader()
    {
        await using var leader = await RestHost.StartAsync();
        await using var follower = await RestHost.StartAsync(leaderUrl: leader.Url.AbsoluteUri.TrimEnd('/'));
        follower.Kvorum.Role = NodeRole.Follower;
        follower.Kvorum.Leader = 2;
        using var client = new HttpClient { BaseAddress = follower.Url };

        using var form = new FormUrlEncodedContent([new("value", "x")]);
        using var post = await client.PostAsync("/a", form, RestHost.Cancel);
        Assert.Equal("""{"ok":true,"key":"a","value":"x"}""", await post.TextAsync());
        using var get = await client.GetAsync("/a", RestHost.Cancel);
        Assert.Equal("""{"ok":true,"key":"a","value":"x"}""", await get.TextAsync());
        Assert.NotNull(await leader.StoredAsync("a"));
    }

    [Theory]
    [InlineData(null, "http://leader.test:2389")]
    [InlineData(2, null)]
    [InlineData(1, "http://leader.test:2389")]
    [InlineData(2, "http://127.0.0.1:2379")]
    public async Task Without_a_leader_elsewhere_nobody_is_redirected(int? leader, string? leaderUrl)
    {
        await using var host = await RestHost.StartAsync(leaderUrl);
        host.Kvorum.Role = NodeRole.Follower;
        host.Kvorum.Leader = (ulong?)leader;
        using var get = await host.GetAsync("/a");
        using var post = await PostAsync(host, "/a", "value=x");
        foreach (var answer in (HttpResponseMessage[])[get, post])
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.Equal("""{"ok":false,"error":"no leader"}""", await answer.TextAsync());
            Assert.Null(answer.Header("Location"));
        }
    }

    [Fact]
    public async Task Failures_keep_the_shape_and_tell_the_outcome()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ProposalFailure = new NoLeaderException();
        using var noLeader = await PostAsync(host, "/a", "value=x");
        Assert.Equal("""{"ok":false,"error":"no leader"}""", await noLeader.TextAsync());

        host.Kvorum.ProposalFailure = new OutcomeUnknownException("timed out");
        using var unknown = await PostAsync(host, "/a", "value=x");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unknown.StatusCode);
        var json = await unknown.JsonAsync();
        Assert.StartsWith("system error: ", json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("unknown", json.GetProperty("outcome").GetString());

        host.Kvorum.ReadFailure = new ReadTimeoutException();
        using var read = await host.GetAsync("/a");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, read.StatusCode);
        Assert.False((await read.JsonAsync()).GetProperty("ok").GetBoolean());
    }

    [Fact]
    public async Task A_value_that_is_no_text_is_shown_as_base64()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [0xFF]);
        using var get = await host.GetAsync("/a");
        Assert.Equal("""{"ok":true,"key":"a","value":"/w==","encoding":"base64"}""", await get.TextAsync());
    }

    [Theory]
    [InlineData("/v1")]
    [InlineData("/keys")]
    [InlineData("/admin")]
    [InlineData("/stop")]
    [InlineData("/start")]
    [InlineData("/%73top")]
    [InlineData("/a/b")]
    [InlineData("/a/")]
    [InlineData("//")]
    [InlineData("/v1/nothing")]
    [InlineData("/admin/other")]
    public async Task Reserved_and_longer_paths_are_no_keys(string target)
    {
        await using var host = await RestHost.StartAsync();
        foreach (var method in (string[])["GET", "POST"])
        {
            using var answer = await host.SendAsync(method, target);
            await answer.IsProblemAsync(404, "route-not-found");
        }

        Assert.Empty(host.Kvorum.Proposals);
        Assert.Empty(host.Kvorum.Reads);
    }

    [Fact]
    public async Task A_key_that_is_no_text_is_refused()
    {
        await using var host = await RestHost.StartAsync();
        using var get = await host.GetAsync("/%ff");
        Assert.Equal(HttpStatusCode.BadRequest, get.StatusCode);
        Assert.False((await get.JsonAsync()).GetProperty("ok").GetBoolean());
    }

    [Fact]
    public async Task A_retried_post_is_applied_once()
    {
        await using var host = await RestHost.StartAsync();
        using var first = await PostAsync(host, "/a", "value=1", idempotencyKey: "k");
        await host.StoreAsync("a", "later"u8.ToArray());
        using var retry = await PostAsync(host, "/a", "value=1", idempotencyKey: "k");
        Assert.Equal(HttpStatusCode.OK, retry.StatusCode);
        Assert.Equal("later"u8.ToArray(), await host.StoredAsync("a"));
        using var reused = await PostAsync(host, "/a", "value=2", idempotencyKey: "k");
        Assert.Equal(422, (int)reused.StatusCode);
    }

    private static async Task<HttpResponseMessage> PostAsync(
        RestHost host, string target, string form, string contentType = Form, string? idempotencyKey = null)
    {
        (string, string)[] headers = idempotencyKey is null
            ? [("Content-Type", contentType)]
            : [("Content-Type", contentType), ("Idempotency-Key", idempotencyKey)];
        return await host.SendAsync("POST", target, Encoding.ASCII.GetBytes(form), headers);
    }
}
