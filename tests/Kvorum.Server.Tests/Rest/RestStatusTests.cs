using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Rest;

/// <summary><c>GET /</c> and <c>GET /admin/status</c>.</summary>
public sealed partial class RestStatusTests
{
    [Fact]
    public async Task The_status_of_a_leader_has_the_agreed_shape()
    {
        await using var host = await RestHost.StartAsync(leaderUrl: "http://other.test:2389");
        await host.StoreAsync("a", [1]);
        using var answer = await host.GetAsync("/");
        Assert.Equal("application/json", answer.Header("Content-Type"));
        var json = await answer.JsonAsync();
        Assert.True(json.GetProperty("ok").GetBoolean());
        var status = json.GetProperty("status");
        Assert.Equal(
            [
                "id", "leader", "is_leader", "state", "up", "commit_index", "last_applied", "last_log_index",
                "last_log_term", "term", "next_index", "match_index", "members", "pid", "version", "node_id",
                "cluster_id", "revision", "compacted_revision", "keys", "log_start_index", "engine_bytes", "wal_bytes",
                "sessions", "state_hash", "state_hash_index", "has_quorum", "may_vote", "uptime_seconds", "client_urls",
                "connected", "member_kinds",
            ],
            status.EnumerateObject().Select(property => property.Name));
        Assert.Equal("n1", status.GetProperty("id").GetString());
        Assert.Equal("n1", status.GetProperty("leader").GetString());
        Assert.True(status.GetProperty("is_leader").GetBoolean());
        Assert.Equal("Leader", status.GetProperty("state").GetString());
        Assert.True(status.GetProperty("up").GetBoolean());
        Assert.Equal(1, status.GetProperty("commit_index").GetInt64());
        Assert.Equal(2, status.GetProperty("last_log_index").GetInt64());
        Assert.Equal(3, status.GetProperty("term").GetInt64());
        Assert.Equal("""{"n2":2,"n3":1}""", status.GetProperty("next_index").GetRawText());
        Assert.Equal("""{"n2":1,"n3":0}""", status.GetProperty("match_index").GetRawText());
        Assert.Equal(
            """{"n1":["127.0.0.1",2380,"127.0.0.1",2379],"n2":["127.0.0.1",2390,"other.test",2389]"""
            + ""","n3":["127.0.0.1",2400,"other.test",2389]}""",
            status.GetProperty("members").GetRawText());
        Assert.Equal(Environment.ProcessId, status.GetProperty("pid").GetInt32());
        Assert.Matches(@"^\d+\.\d+\.\d+", status.GetProperty("version").GetString());
        Assert.Equal(2, status.GetProperty("revision").GetInt64());
        Assert.Equal(1, status.GetProperty("keys").GetInt64());
        Assert.Equal("fedcba9876543210", status.GetProperty("state_hash").GetString());
        Assert.Equal(1, status.GetProperty("state_hash_index").GetInt64());
        Assert.Equal("""{"n1":"voter","n2":"voter","n3":"voter"}""", status.GetProperty("member_kinds").GetRawText());
        Assert.Equal("""["http://127.0.0.1:2379"]""", status.GetProperty("client_urls").GetRawText());
    }

    [Fact]
    public async Task A_follower_shows_no_progress_and_a_node_without_leader_shows_none()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.Role = NodeRole.Follower;
        host.Kvorum.Leader = null;
        using var answer = await host.GetAsync("/");
        var status = (await answer.JsonAsync()).GetProperty("status");
        Assert.Equal(JsonValueKind.Null, status.GetProperty("leader").ValueKind);
        Assert.False(status.GetProperty("is_leader").GetBoolean());
        Assert.False(status.TryGetProperty("next_index", out _));
        Assert.False(status.TryGetProperty("match_index", out _));
        Assert.Equal("""["127.0.0.1",2390,null,null]""", status.GetProperty("members").GetProperty("n2").GetRawText());
    }

    [Theory]
    [InlineData(NodeRole.Follower, "Follower", 0)]
    [InlineData(NodeRole.PreCandidate, "Candidate", 1)]
    [InlineData(NodeRole.Candidate, "Candidate", 1)]
    [InlineData(NodeRole.Leader, "Leader", 2)]
    [InlineData(NodeRole.Stopped, "Stopped", 0)]
    public async Task Every_role_has_its_word_and_number(NodeRole role, string word, int number)
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.Role = role;
        using var json = await host.GetAsync("/");
        var status = (await json.JsonAsync()).GetProperty("status");
        Assert.Equal(word, status.GetProperty("state").GetString());
        Assert.Equal(role is not NodeRole.Stopped, status.GetProperty("up").GetBoolean());
        using var text = await host.GetAsync("/admin/status");
        Assert.Contains($"'state': {number},", await text.TextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_text_status_has_every_key_in_order()
    {
        await using var host = await RestHost.StartAsync();
        await host.StoreAsync("a", [1]);
        using var answer = await host.GetAsync("/admin/status");
        Assert.Equal("text/plain", answer.Header("Content-Type"));
        var text = await answer.TextAsync();
        Assert.Matches(
            @"^\{'version': '\d+\.\d+\.\d+[^']*', 'revision': 'deprecated', "
            + @"'self': TCPNode\('127\.0\.0\.1:2380'\), 'state': 2, "
            + @"'leader': TCPNode\('127\.0\.0\.1:2380'\), 'has_quorum': True, ",
            text);
        Assert.Equal(
            [
                "version", "revision", "self", "state", "leader", "has_quorum", "partner_nodes_count",
                "partner_node_status_server_127.0.0.1:2390", "partner_node_status_server_127.0.0.1:2400",
                "readonly_nodes_count", "log_len", "last_applied", "commit_idx", "raft_term", "next_node_idx_count",
                "next_node_idx_server_127.0.0.1:2390", "next_node_idx_server_127.0.0.1:2400", "match_idx_count",
                "match_idx_server_127.0.0.1:2390", "match_idx_server_127.0.0.1:2400", "leader_commit_idx", "uptime",
                "self_code_version", "enabled_code_version",
            ],
            DictionaryKeys().Matches(text).Select(match => match.Groups[1].Value));
        Assert.Contains("'partner_node_status_server_127.0.0.1:2390': 2, ", text, StringComparison.Ordinal);
        Assert.Contains("'partner_node_status_server_127.0.0.1:2400': 0, ", text, StringComparison.Ordinal);
        Assert.Contains(
            "'log_len': 2, 'last_applied': 1, 'commit_idx': 1, 'raft_term': 3, ", text, StringComparison.Ordinal);
        Assert.EndsWith("'self_code_version': 0, 'enabled_code_version': 0}", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_text_status_is_a_dictionary_for_python()
    {
        var python = FindPython();
        Assert.SkipWhen(python is null, "python3 is not installed");
        await using var host = await RestHost.StartAsync();
        host.Kvorum.Role = NodeRole.Follower;
        host.Kvorum.Leader = null;
        using var answer = await host.GetAsync("/admin/status");

        const string Script = """
            import ast, re, sys
            text = re.sub(r"TCPNode\(('[^']*')\)", r"\1", sys.stdin.read())
            status = ast.literal_eval(text)
            print(len(status), status['leader'], status['has_quorum'], status['next_node_idx_count'])
            """;
        var start = new ProcessStartInfo(python!) // Skipped above when it is null.
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(Script);
        using var process = Process.Start(start)!; // Null only for a shell execute.
        await process.StandardInput.WriteAsync(await answer.TextAsync());
        process.StandardInput.Close();
        Assert.Equal("20 None False 0", (await process.StandardOutput.ReadToEndAsync(RestHost.Cancel)).Trim());
    }

    [Fact]
    public async Task Reading_the_status_changes_nothing_and_takes_no_parameters()
    {
        await using var host = await RestHost.StartAsync();
        foreach (var path in (string[])["/", "/admin/status", "/openapi.json"])
        {
            using var head = await host.SendAsync("HEAD", path);
            Assert.Equal(HttpStatusCode.OK, head.StatusCode);
            Assert.True(head.Content.Headers.ContentLength > 0);
            using var query = await host.GetAsync(path + "?verbose=1");
            await query.IsProblemAsync(400, "bad-query");
        }

        Assert.Empty(host.Kvorum.Proposals);
        Assert.Empty(host.Kvorum.Reads);
    }

    private static string? FindPython() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':')
            .Select(folder => Path.Combine(folder, "python3"))
            .FirstOrDefault(File.Exists);

    [GeneratedRegex("'([^']*)': ")]
    private static partial Regex DictionaryKeys();
}
