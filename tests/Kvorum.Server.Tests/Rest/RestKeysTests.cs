using System.Net;
using System.Text;

namespace Kvorum.Server.Tests.Rest;

/// <summary>The keys API: lists of strings under <c>/keys/{key}</c>, with its answers word by word.</summary>
public sealed class RestKeysTests
{
    [Fact]
    public async Task A_put_list_reads_back()
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PostJsonAsync(
            "/keys/a", """{ "type": "PUT", "value": ["cat", "dög", "\"\u0041\n"] }""");
        Assert.Equal(HttpStatusCode.NoContent, put.StatusCode);
        Assert.Equal("", await put.TextAsync());

        using var get = await host.GetAsync("/keys/a");
        Assert.Equal(HttpStatusCode.OK, get.StatusCode);
        Assert.Equal("application/json", get.Header("Content-Type"));
        Assert.Equal("""["cat","dög","\"A\n"]""", await get.TextAsync());
        Assert.Equal("""["cat","dög","\"A\n"]""", Encoding.UTF8.GetString((await host.StoredAsync("a"))!));
    }

    [Fact]
    public async Task Appending_to_a_missing_key_makes_a_list_of_one()
    {
        await using var host = await RestHost.StartAsync();
        using var first = await host.PostJsonAsync("/keys/a", """{"type":"APPEND","value":"x"}""");
        Assert.Equal(HttpStatusCode.NoContent, first.StatusCode);
        using var second = await host.PostJsonAsync("/keys/a", """{"value":"y","type":"APPEND"}""");
        using var get = await host.GetAsync("/keys/a");
        Assert.Equal("""["x","y"]""", await get.TextAsync());
    }

    [Fact]
    public async Task Deleting_removes_the_key_and_a_missing_key_is_no_failure()
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.PostJsonAsync("/keys/a", """{"type":"PUT","value":[]}""");
        for (var i = 0; i < 2; i++)
        {
            using var delete = await host.PostJsonAsync("/keys/a", """{"type":"DELETE"}""");
            Assert.Equal(HttpStatusCode.NoContent, delete.StatusCode);
        }

        Assert.Null(await host.StoredAsync("a"));
    }

    [Fact]
    public async Task A_missing_key_is_404_with_an_empty_body()
    {
        await using var host = await RestHost.StartAsync();
        using var get = await host.GetAsync("/keys/missing");
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
        Assert.Equal(0, get.Content.Headers.ContentLength);
    }

    [Theory]
    [InlineData("text")]
    [InlineData("")]
    [InlineData("""{"a":1}""")]
    [InlineData("""["a",1]""")]
    [InlineData("""["a"] ["b"]""")]
    [InlineData("""["\ud800"]""")]
    public async Task A_value_that_is_no_list_is_400_with_an_empty_body(string value)
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", Encoding.UTF8.GetBytes(value));
        using var get = await host.GetAsync("/keys/a");
        Assert.Equal(HttpStatusCode.BadRequest, get.StatusCode);
        Assert.Equal(0, get.Content.Headers.ContentLength);

        using var append = await host.PostJsonAsync("/keys/a", """{"type":"APPEND","value":"x"}""");
        Assert.Equal(HttpStatusCode.BadRequest, append.StatusCode);
        Assert.Equal("The request is not valid", await append.TextAsync());
        Assert.Equal(value, Encoding.UTF8.GetString((await host.StoredAsync("a"))!));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"PUT\"")]
    [InlineData("{}")]
    [InlineData("""{"value":["a"]}""")]
    [InlineData("""{"type":"PUT"}""")]
    [InlineData("""{"type":"APPEND"}""")]
    [InlineData("""{"type":"PUT","value":["a"],"more":1}""")]
    [InlineData("""{"type":"PUT","type":"PUT","value":["a"]}""")]
    [InlineData("""{"type":"PUT","value":["a"],"value":["a"]}""")]
    [InlineData("""{"type":"PUT","value":["a"]} x""")]
    [InlineData("""{"type":"PUT","value":["a",]}""")]
    [InlineData("""{'type':'PUT','value':['a']}""")]
    [InlineData("""{"Type":"PUT","value":["a"]}""")]
    [InlineData("""{"type":"DELETE","value":["a"]}""")]
    [InlineData("""{"\ud800":"PUT","value":["a"]}""")]
    [InlineData("""{"type":"PUT","value":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}""")]
    public async Task A_body_that_is_no_request_is_not_valid(string body) =>
        await IsRefusedAsync(body, "The request is not valid");

    [Theory]
    [InlineData("""{"type":"PUT","value":"a"}""")]
    [InlineData("""{"type":"PUT","value":null}""")]
    [InlineData("""{"type":"PUT","value":["a",1]}""")]
    [InlineData("""{"type":"PUT","value":["a",null]}""")]
    [InlineData("""{"type":"PUT","value":[["a"]]}""")]
    [InlineData("""{"type":"PUT","value":{}}""")]
    [InlineData("""{"type":"PUT","value":["\ud800"]}""")]
    [InlineData("""{"type":"APPEND","value":["a"]}""")]
    [InlineData("""{"type":"APPEND","value":1}""")]
    [InlineData("""{"type":"APPEND","value":"\udc00"}""")]
    public async Task A_value_of_the_wrong_kind_is_named(string body) =>
        await IsRefusedAsync(body, "The request value is not valid");

    [Theory]
    [InlineData("""{"type":"put","value":["a"]}""")]
    [InlineData("""{"type":"REMOVE","value":["a"]}""")]
    [InlineData("""{"type":1,"value":["a"]}""")]
    [InlineData("""{"type":null,"value":"a"}""")]
    [InlineData("""{"type":"","value":"a"}""")]
    [InlineData("""{"type":"\ud800","value":"a"}""")]
    public async Task A_type_that_is_none_is_named(string body) =>
        await IsRefusedAsync(body, "The request type is not correct");

    [Fact]
    public async Task A_body_that_is_not_utf8_is_not_valid()
    {
        await using var host = await RestHost.StartAsync();
        byte[] body = [.. """{"type":"PUT","value":["""u8, (byte)'"', 0xFF, (byte)'"', .. "]}"u8];
        using var post = await host.SendAsync("POST", "/keys/a", body, ("Content-Type", "application/json"));
        Assert.Equal(HttpStatusCode.BadRequest, post.StatusCode);
        Assert.Null(await host.StoredAsync("a"));
    }

    [Theory]
    [InlineData("application/json; charset=utf-8", true)]
    [InlineData("application/json;charset=utf-8", true)]
    [InlineData("Application/JSON", true)]
    [InlineData("text/plain", false)]
    [InlineData("application/json+x", false)]
    [InlineData("", false)]
    public async Task The_content_type_is_json_whatever_its_parameters(string contentType, bool isTaken)
    {
        await using var host = await RestHost.StartAsync();
        using var post = await host.PostJsonAsync("/keys/a", """{"type":"PUT","value":["a"]}""", contentType);
        Assert.Equal(isTaken ? HttpStatusCode.NoContent : HttpStatusCode.BadRequest, post.StatusCode);
        Assert.Equal(isTaken ? "" : "The request is not valid", await post.TextAsync());
        Assert.Equal(isTaken, await host.StoredAsync("a") is not null);
    }

    [Theory]
    [InlineData("/keys/cluster", "cluster")]
    [InlineData("/keys/start", "start")]
    [InlineData("/keys/stop", "stop")]
    [InlineData("/keys/keys", "keys")]
    [InlineData("/keys/admin", "admin")]
    [InlineData("/keys/admin/status", "admin/status")]
    [InlineData("/keys/a%2Fb", "a/b")]
    [InlineData("/keys/a/b", "a/b")]
    [InlineData("/keys/a%20b%E2%82%AC", "a b€")]
    [InlineData("/keys/%2e%2e", "..")]
    public async Task Every_key_is_like_any_other(string target, string key)
    {
        await using var host = await RestHost.StartAsync();
        using var request = await host.SendAsync(
            "POST", target, """{"type":"PUT","value":["x"]}"""u8.ToArray(), ("Content-Type", "application/json"));
        Assert.Equal(HttpStatusCode.NoContent, request.StatusCode);
        Assert.NotNull(await host.StoredAsync(key));
        using var get = await host.GetAsync(target);
        Assert.Equal("""["x"]""", await get.TextAsync());
    }

    [Fact]
    public async Task An_append_with_an_idempotency_key_is_applied_once()
    {
        await using var host = await RestHost.StartAsync();
        for (var i = 0; i < 2; i++)
        {
            using var append = await host.PostJsonAsync(
                "/keys/a", """{"type":"APPEND","value":"x"}""", idempotencyKey: "once");
            Assert.Equal(HttpStatusCode.NoContent, append.StatusCode);
        }

        Assert.Equal("""["x"]"""u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task A_list_larger_than_a_value_is_refused()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [.. "[\""u8, .. Enumerable.Repeat((byte)'x', 1_572_860), .. "\"]"u8]);
        using var append = await host.PostJsonAsync("/keys/a", """{"type":"APPEND","value":"x"}""");
        await append.IsProblemAsync(413, "too-large");
    }

    [Theory]
    [InlineData("PUT")]
    [InlineData("DELETE")]
    [InlineData("PATCH")]
    public async Task Other_methods_are_not_allowed(string method)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.SendAsync(method, "/keys/a");
        await answer.IsProblemAsync(405, "method-not-allowed");
        Assert.Equal("GET, HEAD, POST, OPTIONS", answer.Header("Allow"));
    }

    private static async Task IsRefusedAsync(string body, string text)
    {
        await using var host = await RestHost.StartAsync();
        using var post = await host.PostJsonAsync("/keys/a", body);
        Assert.Equal(HttpStatusCode.BadRequest, post.StatusCode);
        Assert.Equal("text/plain", post.Header("Content-Type"));
        Assert.Equal(text, await post.TextAsync());
        Assert.Empty(host.Kvorum.Proposals);
    }
}
