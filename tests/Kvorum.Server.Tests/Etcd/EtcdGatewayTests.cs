using System.Text;
using System.Text.Json;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 11 of the interface: the same as JSON.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdGatewayTests(EtcdNodeFixture node)
{
    [Fact]
    public async Task Etcd_11_1_and_11_2_put_and_range_speak_base64_and_numbers_as_texts()
    {
        var (status, body) = await PostAsync("/v3/kv/put", """{"key":"MTEuMg==","value":"YmFy"}""");
        Assert.Equal(200, status);
        var header = body.GetProperty("header");
        Assert.Equal(["header"], body.EnumerateObject().Select(property => property.Name));
        Assert.Equal(
            ["cluster_id", "member_id", "revision", "raft_term"],
            header.EnumerateObject().Select(property => property.Name));
        Assert.All(header.EnumerateObject(), field => Assert.Equal(JsonValueKind.String, field.Value.ValueKind));
        (_, body) = await PostAsync("/v3/kv/range", """{"key":"MTEuMg=="}""");
        Assert.Equal(["header", "kvs", "count"], body.EnumerateObject().Select(property => property.Name));
        var row = body.GetProperty("kvs")[0];
        Assert.Equal(("MTEuMg==", "YmFy", "1", "1"), (
            row.GetProperty("key").GetString(), row.GetProperty("value").GetString(),
            row.GetProperty("version").GetString(), body.GetProperty("count").GetString()));
        Assert.False(row.TryGetProperty("lease", out _));
    }

    [Theory]
    [InlineData("/v3/kv/range")]
    [InlineData("/v3beta/kv/range")]
    [InlineData("/v3alpha/kv/range")]
    public async Task Etcd_11_1_old_paths_are_the_same(string path)
    {
        Assert.Equal(200, (await PostAsync(path, """{"key":"AA=="}""")).Status);
    }

    [Fact]
    public async Task Etcd_11_3_names_numbers_and_base64_come_in_either_form()
    {
        await PostAsync("/v3/kv/put", """{"key":"-_8=","value":""}"""); // 0xFB 0xFF
        foreach (var body in new[]
        {
            """{"key":"+/8","rangeEnd":"/A==","limit":"1","sortOrder":"DESCEND","keysOnly":true}""",
            """{"key":"-_8=","range_end":"_A","limit":1,"sort_order":2,"keys_only":true,"unknown":{"a":[1]}}""",
        })
        {
            var (status, answer) = await PostAsync("/v3/kv/range", body);
            Assert.Equal((200, "+/8="), (status, answer.GetProperty("kvs")[0].GetProperty("key").GetString()));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    public async Task Etcd_11_3_a_missing_body_is_an_empty_request(string body)
    {
        Assert.Equal(200, (await PostAsync("/v3/lease/leases", body)).Status);
        Assert.Equal(400, (await PostAsync("/v3/kv/range", body)).Status);
    }

    [Fact]
    public async Task Etcd_11_4_a_time_to_live_is_a_number_and_a_lease_a_text()
    {
        var (_, granted) = await PostAsync("/v3/lease/grant", """{"TTL":30}""");
        Assert.Equal("30", granted.GetProperty("TTL").GetString());
        var id = granted.GetProperty("ID").GetString();
        Assert.Equal(200, (await PostAsync("/v3/kv/put", $$"""{"key":"MTEuNA==","lease":"{{id}}"}""")).Status);
        var (_, left) = await PostAsync("/v3/lease/timetolive", $$"""{"ID":"{{id}}","keys":true}""");
        Assert.Equal("30", left.GetProperty("grantedTTL").GetString());
        Assert.Equal("MTEuNA==", left.GetProperty("keys")[0].GetString());
        Assert.Equal(200, (await PostAsync("/v3/kv/lease/revoke", $$"""{"ID":{{id}}}""")).Status);
    }

    [Fact]
    public async Task Etcd_11_5_a_compare_without_a_result_means_equal()
    {
        const string Body = """
            {"compare":[{"key":"MTEuNQ==","target":"CREATE","create_revision":"0"}],
             "success":[{"request_put":{"key":"MTEuNQ==","value":"YQ=="}}],
             "failure":[{"request_range":{"key":"MTEuNQ=="}}]}
            """;
        var (_, first) = await PostAsync("/v3/kv/txn", Body);
        Assert.True(first.GetProperty("succeeded").GetBoolean());
        Assert.True(first.GetProperty("responses")[0].TryGetProperty("response_put", out _));
        var (_, second) = await PostAsync("/v3/kv/txn", Body);
        Assert.False(second.TryGetProperty("succeeded", out _));
        Assert.Equal(
            "YQ==",
            second.GetProperty("responses")[0].GetProperty("response_range").GetProperty("kvs")[0]
                .GetProperty("value").GetString());
    }

    [Theory]
    [InlineData("/v3/kv/range", "{}", 400, 3, "etcdserver: key is not provided")]
    [InlineData("/v3/kv/range", """{"key":"AA==","revision":"99999999"}""", 400, 11,
        "etcdserver: mvcc: required revision is a future revision")]
    [InlineData("/v3/lease/revoke", """{"ID":"5"}""", 404, 5, "etcdserver: requested lease not found")]
    public async Task Etcd_11_6_and_11_7_an_error_has_both_shapes_and_its_status(
        string path, string request, int expectedStatus, int code, string text)
    {
        var (status, body) = await PostAsync(path, request);
        Assert.Equal(expectedStatus, status);
        Assert.Equal((text, text, code), (
            body.GetProperty("error").GetString(), body.GetProperty("message").GetString(),
            body.GetProperty("code").GetInt32()));
        Assert.Equal(0, body.GetProperty("details").GetArrayLength());
    }

    [Fact]
    public async Task Etcd_11_9_a_renewal_answers_and_ends()
    {
        var (_, granted) = await PostAsync("/v3/lease/grant", """{"TTL":30}""");
        var id = granted.GetProperty("ID").GetString();
        var (status, renewed) = await PostAsync("/v3/lease/keepalive", $$"""{"ID":"{{id}}"}""");
        Assert.Equal((200, "30", id), (
            status, renewed.GetProperty("result").GetProperty("TTL").GetString(),
            renewed.GetProperty("result").GetProperty("ID").GetString()));
        (_, renewed) = await PostAsync("/v3/lease/keepalive", """{"ID":"123456"}""");
        Assert.False(renewed.GetProperty("result").TryGetProperty("TTL", out _));
    }

    [Fact]
    public async Task Etcd_11_8_and_11_10_a_watch_stays_open_and_tells_line_by_line()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, node.Url("/v3/watch"))
        {
            Content = new StringContent("""{"create_request":{"key":"MTEuMTA="}}"""),
        };
        using var response =
            await node.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, GrpcClient.Cancel);
        Assert.True(response.Headers.TransferEncodingChunked);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(GrpcClient.Cancel));
        Assert.True((await NextAsync(lines)).GetProperty("created").GetBoolean());
        await PostAsync("/v3/kv/put", """{"key":"MTEuMTA=","value":"eA=="}""");
        var told = await NextAsync(lines);
        Assert.Equal("eA==", told.GetProperty("events")[0].GetProperty("kv").GetProperty("value").GetString());
        Assert.False(told.GetProperty("events")[0].TryGetProperty("type", out _)); // PUT is 0, the default.
        await PostAsync("/v3/kv/deleterange", """{"key":"MTEuMTA="}""");
        Assert.Equal("DELETE", (await NextAsync(lines)).GetProperty("events")[0].GetProperty("type").GetString());
    }

    [Theory]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("""{"key":7}""")]
    [InlineData("""{"key":"***"}""")]
    [InlineData("""{"key":"AA==","limit":"many"}""")]
    [InlineData("""{"key":"AA==","sort_order":"SIDEWAYS"}""")]
    public async Task Etcd_11_13_malformed_json_is_an_invalid_argument(string request)
    {
        var (status, body) = await PostAsync("/v3/kv/range", request);
        Assert.Equal((400, 3), (status, body.GetProperty("code").GetInt32()));
    }

    private static async Task<JsonElement> NextAsync(StreamReader lines)
    {
        var line = await lines.ReadLineAsync(GrpcClient.Cancel).AsTask().WaitAsync(Peers.TestNode.Patience);
        return JsonDocument.Parse(line ?? "").RootElement.GetProperty("result");
    }

    private async Task<(int Status, JsonElement Body)> PostAsync(string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8);
        content.Headers.ContentType = null; // None is required.
        using var response = await node.Http.PostAsync(node.Url(path), content, GrpcClient.Cancel);
        var text = await response.Content.ReadAsStringAsync(GrpcClient.Cancel);
        return ((int)response.StatusCode, JsonDocument.Parse(text).RootElement);
    }
}
