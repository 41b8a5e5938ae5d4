using System.Text;
using System.Text.Json;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>put, get, append, del and status as a person at a shell has them.</summary>
public sealed class ClientCommandTests
{
    [Fact]
    public Task Commands_work_on_any_endpoint_and_fail_over() => Cluster.RunAsync(3, async cluster =>
    {
        await cluster.LeaderAsync();
        var nobody = $"http://127.0.0.1:{FreePorts.Block(1)}";
        foreach (var node in cluster.Nodes)
        {
            // The first endpoint is dead, the second is each node in turn, leader or not.
            string[] at = ["--endpoints", $"{nobody},{node.ClientUrl}"];
            Assert.Equal((0, "OK"), await RunAsync(["put", "a/b c", $"via {node.Name}", .. at]));
            Assert.Equal((0, $"via {node.Name}"), await RunAsync(["get", "a/b c", .. at]));
            Assert.Equal((0, "OK"), await RunAsync(["append", "list", node.Name, .. at]));
        }

        string[] first = ["--endpoints", cluster.Nodes[0].ClientUrl];
        var (_, list) = await RunAsync(["get", "list", .. first]);
        Assert.Equal(["n1", "n2", "n3"], JsonSerializer.Deserialize<string[]>(list) ?? []);
        Assert.Equal((0, "OK"), await RunAsync(["del", "a/b c", .. first]));
        Assert.Equal(3, (await RunAsync(["get", "a/b c", .. first])).Code);
        Assert.Equal(3, (await RunAsync(["del", "a/b c", .. first])).Code);

        using var bytes = await KvorumProcess.RunAsync(["put", "..", "-", .. first], Encoding.UTF8.GetBytes("@from\nstdin"));
        Assert.Equal(0, bytes.ExitCode);
        Assert.Equal((0, "@from\nstdin"), await RunAsync(["get", "..", "--local", .. first]));
    });

    [Fact]
    public Task A_paused_first_endpoint_does_not_hold_up_a_write_and_it_applies_once() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var follower = await cluster.FollowerAsync();
        follower.Pause();
        try
        {
            string[] at = ["--endpoints", $"{follower.ClientUrl},{leader.ClientUrl}", "--timeout", "4s"];
            Assert.Equal((0, "OK"), await RunAsync(["append", "once", "item", .. at]));
        }
        finally
        {
            follower.Continue(); // It may now hand on the write it got in its sleep.
        }

        await follower.PutAsync("awake", "yes");
        await cluster.ConvergeAsync();
        Assert.Equal((0, """["item"]"""), await RunAsync(["get", "once", "--endpoints", leader.ClientUrl]));
    });

    [Fact]
    public async Task Without_an_endpoint_nothing_is_done_and_the_code_is_4()
    {
        var nobody = $"http://127.0.0.1:{FreePorts.Block(1)}";
        using var put = await KvorumProcess.RunAsync(["put", "a", "b", "--endpoints", nobody, "--timeout", "300ms"]);
        Assert.Equal(4, put.ExitCode);
        Assert.Contains(nobody, put.Errors, StringComparison.Ordinal);
        Assert.Equal(4, (await RunAsync(["status", "--endpoints", nobody])).Code);
    }

    [Fact]
    public Task Without_a_quorum_a_write_says_whether_it_may_have_been_applied() => Cluster.RunAsync(
        3,
        async cluster =>
        {
            var leader = await cluster.LeaderAsync();
            foreach (var node in cluster.Nodes.Where(node => node != leader))
            {
                node.Kill();
            }

            using var put = await KvorumProcess.RunAsync(
                ["put", "a", "b", "--endpoints", leader.ClientUrl, "--timeout", "3s"]);
            Assert.True(put.ExitCode is 4 or 5, $"Exit code {put.ExitCode}. {put.Errors}");
            Assert.Contains(put.ExitCode == 4 ? "Unavailable" : "may or may not", put.Errors, StringComparison.Ordinal);
        },
        "--request-timeout", "1s");

    [Fact]
    public Task Status_shows_every_endpoint() => Cluster.RunAsync(3, async cluster =>
    {
        var leader = await cluster.LeaderAsync();
        var gone = await cluster.FollowerAsync();
        var endpoints = string.Join(',', cluster.Nodes.Select(node => node.ClientUrl));
        var (code, table) = await RunAsync(["status", "--endpoints", endpoints]);
        Assert.Equal(0, code);
        Assert.All(cluster.Nodes, node => Assert.Contains(node.ClientUrl, table, StringComparison.Ordinal));
        Assert.DoesNotContain('\u001b', table); // No colour in a pipe.

        gone.Kill();
        (code, var json) = await RunAsync(["status", "--endpoints", endpoints, "--output", "json"]);
        Assert.Equal(1, code);
        using var document = JsonDocument.Parse(json);
        foreach (var node in document.RootElement.EnumerateArray())
        {
            var isGone = node.GetProperty("endpoint").GetString() == gone.ClientUrl;
            Assert.Equal(isGone ? "unreachable" : "ok", node.GetProperty("health").GetString());
            Assert.True(isGone || node.GetProperty("leader").GetString() == leader.Name);
        }
    });

    [Theory]
    [InlineData("put", "a")]
    [InlineData("get")]
    [InlineData("get", "a", "--timeout", "long")]
    [InlineData("get", "a", "--endpoints", "localhost")]
    [InlineData("get", "")]
    [InlineData("get", "a", "--at", "0")]
    [InlineData("get", "a", "--at", "-1")]
    [InlineData("get", "a", "--at", "new")]
    [InlineData("member")]
    [InlineData("member", "add", "n4")]
    [InlineData("member", "add", "n 4", "--peer-url", "http://127.0.0.1:1")]
    [InlineData("member", "add", "n4", "--peer-url", "127.0.0.1:1")]
    [InlineData("member", "remove", "n4", "--wait-timeout", "long")]
    [InlineData("leader", "move", "n1", "n2")]
    [InlineData("status", "--output", "xml")]
    [InlineData("nonsense")]
    public async Task Wrong_usage_ends_with_code_2(params string[] arguments)
    {
        using var process = await KvorumProcess.RunAsync(arguments);
        Assert.Equal(2, process.ExitCode);
        Assert.NotEqual("", process.Errors);
    }

    [Theory]
    [InlineData("up")]
    [InlineData("serve")]
    [InlineData("put")]
    [InlineData("get")]
    [InlineData("append")]
    [InlineData("del")]
    [InlineData("status")]
    [InlineData("member")]
    [InlineData("member list")]
    [InlineData("member add")]
    [InlineData("member remove")]
    [InlineData("member promote")]
    [InlineData("member replace")]
    [InlineData("leader")]
    [InlineData("leader show")]
    [InlineData("leader move")]
    public async Task Help_has_an_example_and_the_exit_codes(string command)
    {
        var (code, help) = await RunAsync([.. command.Split(' '), "--help"]);
        Assert.Equal(0, code);
        Assert.Contains($"Examples:\n  kvorum {command}", help, StringComparison.Ordinal);
        Assert.Contains("Exit codes:", help, StringComparison.Ordinal);
    }

    private static async Task<(int Code, string Output)> RunAsync(string[] arguments)
    {
        using var process = await KvorumProcess.RunAsync(arguments);
        return (process.ExitCode, process.Output);
    }
}
