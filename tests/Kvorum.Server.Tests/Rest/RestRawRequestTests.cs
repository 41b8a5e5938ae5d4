using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Kvorum.Server.Tests.Rest;

/// <summary>Requests no well-behaved client sends, as bytes on a socket.</summary>
public sealed class RestRawRequestTests
{
    [Theory]
    [InlineData("/v1/kv/a/../b", "a/../b")]
    [InlineData("/v1/kv/./a/.", "./a/.")]
    [InlineData("/v1/kv/../../etc/passwd", "../../etc/passwd")]
    [InlineData("/v1/kv/%2e%2e", "..")]
    [InlineData("/v1/kv//a//", "/a//")]
    [InlineData("/v1/kv/a%2Fb", "a/b")]
    [InlineData("/v1/kv/a\\b", "a\\b")]
    [InlineData("http://node/v1/kv/a%2Fb?keyEncoding=percent", "a/b")]
    [InlineData("/v1/kv/a#b", "a#b")]
    public async Task The_target_is_taken_as_it_was_sent(string target, string key)
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync(key, "found"u8.ToArray());
        var answer = await host.SendRawAsync("GET", target);
        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\nfound", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GET", "/v1/kv/a%00b")]
    [InlineData("GET", "/v1/kv/a b")]
    [InlineData("GET", "/v1/kv/\u00e9")]
    [InlineData("GET", "v1/kv/a")]
    [InlineData("G@T", "/v1/kv/a")]
    [InlineData("GET", "")]
    public async Task A_request_line_the_host_cannot_read_is_400(string method, string target)
    {
        await using var host = await RestHost.StartAsync();
        var answer = await host.SendRawAsync(method, target);
        Assert.StartsWith("HTTP/1.1 400 ", answer, StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Reads);
    }

    [Fact]
    public async Task A_chunked_body_over_the_limit_is_refused_and_changes_nothing()
    {
        await using var host = await RestHost.StartAsync();
        var chunk = new string('x', 0x10000);
        var body = new StringBuilder();
        for (var i = 0; i < 25; i++)
        {
            body.Append("10000\r\n").Append(chunk).Append("\r\n");
        }

        body.Append("0\r\n\r\n");
        var answer = await host.SendRawAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n" + body);
        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("urn:kvorum:problem:too-large", answer, StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_chunked_body_within_the_limit_is_taken_whole()
    {
        await using var host = await RestHost.StartAsync();
        var answer = await host.SendRawAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: node\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "3\r\nabc\r\n2;extension=1\r\nde\r\n0\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204 ", answer, StringComparison.Ordinal);
        Assert.Equal("abcde"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Fact]
    public async Task A_caller_that_waits_for_100_continue_is_refused_before_it_sends()
    {
        await using var host = await RestHost.StartAsync();
        using var tcp = await ConnectAsync(host);
        await tcp.GetStream().WriteAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1572865\r\n\r\n"u8.ToArray(),
            RestHost.Cancel);
        var answer = await ReadUntilAsync(tcp, "not-proposed\"}");
        Assert.StartsWith("HTTP/1.1 413 ", answer, StringComparison.Ordinal);
        Assert.Contains("Connection: close", answer, StringComparison.Ordinal);
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_caller_within_the_limit_hears_100_continue()
    {
        await using var host = await RestHost.StartAsync();
        using var tcp = await ConnectAsync(host);
        await tcp.GetStream().WriteAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: node\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"u8.ToArray(),
            RestHost.Cancel);
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", await ReadUntilAsync(tcp, "\r\n\r\n"));
        await tcp.GetStream().WriteAsync("x"u8.ToArray(), RestHost.Cancel);
        var answer = await ReadUntilAsync(tcp, "\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 204 ", answer, StringComparison.Ordinal);
        Assert.Equal("x"u8.ToArray(), await host.StoredAsync("a"));
    }

    [Theory]
    [InlineData(2_000_000)]
    [InlineData(12_000_000)]
    public async Task A_caller_that_sends_far_too_much_still_hears_why_it_was_refused(int bytes)
    {
        await using var host = await RestHost.StartAsync();
        using var put = await host.SendAsync("PUT", "/v1/kv/a", new byte[bytes]);
        await put.IsProblemAsync(413, "too-large");
        using var post = await host.SendAsync("POST", "/keys/a", new byte[bytes], ("Content-Type", "application/json"));
        await post.IsProblemAsync(413, "too-large");
        using var form = await host.SendAsync(
            "POST", "/a", new byte[bytes], ("Content-Type", "application/x-www-form-urlencoded"));
        await form.IsProblemAsync(413, "too-large");
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task A_body_cut_short_changes_nothing()
    {
        await using var host = await RestHost.StartAsync();
        using var tcp = await ConnectAsync(host);
        using var reader = new StreamReader(tcp.GetStream());
        await tcp.GetStream().WriteAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: node\r\nContent-Length: 10\r\n\r\nhalf"u8.ToArray(), RestHost.Cancel);
        tcp.Client.Shutdown(SocketShutdown.Send);
        var closed = await Record.ExceptionAsync(() => reader.ReadToEndAsync(RestHost.Cancel));
        Assert.True(closed is null or IOException, "The host closes or resets the connection.");
        Assert.Empty(host.Kvorum.Proposals);
    }

    [Fact]
    public async Task Requests_in_one_pipeline_are_answered_in_order()
    {
        await using var host = await RestHost.StartAsync();
        var answer = await host.SendRawAsync(
            "PUT /v1/kv/a HTTP/1.1\r\nHost: node\r\nContent-Length: 1\r\n\r\n1"
            + "GET /v1/kv/a HTTP/1.1\r\nHost: node\r\n\r\n"
            + "DELETE /v1/kv/a HTTP/1.1\r\nHost: node\r\n\r\n"
            + "GET /v1/kv/a HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        var statuses = answer.Split("HTTP/1.1 ")[1..].Select(part => part[..3]);
        Assert.Equal(["204", "200", "204", "404"], statuses);
    }

    [Fact]
    public async Task Options_tells_the_methods_of_a_path_and_of_the_whole_node()
    {
        await using var host = await RestHost.StartAsync();
        using var key = await host.SendAsync("OPTIONS", "/v1/kv/a");
        Assert.Equal(HttpStatusCode.NoContent, key.StatusCode);
        Assert.Equal("GET, HEAD, PUT, DELETE, OPTIONS", key.Header("Allow"));
        var all = await host.SendRawAsync("OPTIONS", "*");
        Assert.StartsWith("HTTP/1.1 204 ", all, StringComparison.Ordinal);
        Assert.Contains("Allow: GET, HEAD, PUT, POST, DELETE, OPTIONS\r\n", all, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("POST", "/v1/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS")]
    [InlineData("PATCH", "/v1/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS")]
    [InlineData("TRACE", "/v1/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS")]
    [InlineData("PUT", "/v1/kv", "GET, HEAD, OPTIONS")]
    [InlineData("GET", "/v1/txn", "POST, OPTIONS")]
    [InlineData("GET", "/v1/compact", "POST, OPTIONS")]
    [InlineData("DELETE", "/a", "GET, HEAD, POST, OPTIONS")]
    [InlineData("POST", "/", "GET, HEAD, OPTIONS")]
    [InlineData("POST", "/admin/status", "GET, HEAD, OPTIONS")]
    [InlineData("DELETE", "/openapi.json", "GET, HEAD, OPTIONS")]
    [InlineData("NONSENSE", "/v1/kv/a", "GET, HEAD, PUT, DELETE, OPTIONS")]
    public async Task A_wrong_method_is_told_the_right_ones(string method, string target, string allow)
    {
        await using var host = await RestHost.StartAsync();
        var answer = await host.SendRawAsync(method, target);
        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
        Assert.Contains($"\r\nAllow: {allow}\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("urn:kvorum:problem:method-not-allowed", answer, StringComparison.Ordinal);
    }

    private static async Task<TcpClient> ConnectAsync(RestHost host)
    {
        var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, host.Url.Port, RestHost.Cancel);
        return tcp;
    }

    private static async Task<string> ReadUntilAsync(TcpClient tcp, string end)
    {
        var text = new StringBuilder();
        var buffer = new byte[4096];
        while (!text.ToString().EndsWith(end, StringComparison.Ordinal))
        {
            var read = await tcp.GetStream().ReadAsync(buffer, RestHost.Cancel);
            Assert.True(read > 0, $"The connection closed after: {text}");
            text.Append(Encoding.Latin1.GetString(buffer, 0, read));
        }

        return text.ToString();
    }
}
