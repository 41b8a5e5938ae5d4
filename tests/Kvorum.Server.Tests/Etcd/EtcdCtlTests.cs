using System.Diagnostics;
using System.Text.Json;
using Kvorum.Node;
using Kvorum.Server.Tests.Hosting;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 13.1: etcd's own command line, on three nodes and through each of them.</summary>
public sealed class EtcdCtlTests : IAsyncLifetime
{
    private readonly TestCluster _cluster = new(nodes: 3);

    public async ValueTask InitializeAsync()
    {
        EtcdCtl.Require();
        await _cluster.StartAllAsync();
        for (var node = 1; node <= 3; node++)
        {
            await _cluster.GetUntilAsync(node, "/readyz", 200);
        }
    }

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    [Fact]
    public async Task Etcd_13_1_put_get_and_del_with_their_flags()
    {
        foreach (var node in new[] { 1, 2, 3 })
        {
            Assert.Equal("OK\n", await RunAsync(node, "put", "a/1", "x"));
            Assert.Equal("OK\nx\n", Shortened(await RunAsync(node, "put", "a/1", "y", "--prev-kv"), "a/1\n"));
            await RunAsync(node, "put", "a/2", "b");
            await RunAsync(node, "put", "a/3", "a");
            Assert.Equal("a/1\ny\n", await RunAsync(node, "get", "a/1"));
            Assert.Equal("y\n", await RunAsync(node, "get", "a/1", "--print-value-only"));
            Assert.Equal("a/1\n\na/2\n\n", await RunAsync(node, "get", "a/", "--prefix", "--keys-only", "--limit=2"));
            Assert.Equal(
                "a/3\n\na/2\n\na/1\n\n",
                await RunAsync(node, "get", "a/", "--prefix", "--keys-only", "--sort-by=VALUE", "--order=ASCEND"));
            Assert.Equal("a/2\nb\na/3\na\n", await RunAsync(node, "get", "a/2", "a/4", "--consistency=s"));
            var fields = await RunAsync(node, "get", "a/", "--prefix", "-w=fields");
            Assert.Contains("\"Count\" : 3", fields, StringComparison.Ordinal);
            var revision = RevisionOf(await RunAsync(node, "get", "a/1", "-w=json"));
            await RunAsync(node, "put", "a/1", "z");
            Assert.Equal("a/1\ny\n", await RunAsync(node, "get", "a/1", $"--rev={revision}"));
            Assert.Equal("2\n", await RunAsync(node, "del", "a/2", "a/9"));
            Assert.Equal("1\na/1\nz\n", await RunAsync(node, "del", "--prev-kv", "--prefix", "a/"));
        }
    }

    [Fact]
    public async Task Etcd_13_1_txn_compaction_and_defrag()
    {
        await RunAsync(1, "put", "t", "1");
        const string Script = "value(\"t\") = \"1\"\nmod(\"none\") = \"0\"\n\nput t 2\nget t\n\nput t 3\n\n";
        var (exit, output) = await EtcdCtl.RunAsync(Endpoint(2), Script, "txn");
        Assert.Equal((0, "SUCCESS\n\nOK\n\nt\n2\n"), (exit, output));
        (exit, output) = await EtcdCtl.RunAsync(Endpoint(3), Script, "txn");
        Assert.Equal((0, "FAILURE\n\nOK\n"), (exit, output));
        var revision = RevisionOf(await RunAsync(1, "get", "t", "-w=json"));
        Assert.Equal($"compacted revision {revision}\n", await RunAsync(2, "compaction", $"{revision}"));
        (exit, output) = await EtcdCtl.RunAsync(Endpoint(3), "", "compaction", $"{revision}");
        Assert.NotEqual(0, exit);
        Assert.Contains("required revision has been compacted", output, StringComparison.Ordinal);
        Assert.Contains("Finished defragmenting etcd member", await RunAsync(1, "defrag"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Etcd_13_1_watch_from_now_from_an_old_revision_and_interactive()
    {
        var revision = RevisionOf(await RunAsync(1, "put", "w", "1", "-w=json"));
        await RunAsync(1, "del", "w");
        using var old = EtcdCtl.Start(Endpoint(2), "watch", "w", $"--rev={revision}", "--prev-kv");
        await ExpectAsync(old, "PUT", "w", "1", "DELETE", "w", "1", "w", "");
        using var interactive = EtcdCtl.Start(Endpoint(3), "watch", "-i");
        await interactive.StandardInput.WriteAsync($"watch w --rev {revision}\nprogress\n");
        await interactive.StandardInput.FlushAsync(GrpcClient.Cancel);
        await ExpectAsync(interactive, "PUT", "w", "1", "DELETE", "w", "");
        await RunAsync(1, "put", "w", "2");
        await ExpectAsync(old, "PUT", "w", "2");
        old.Kill();
        interactive.Kill();
    }

    [Fact]
    public async Task Etcd_13_1_lease_grant_renew_list_look_and_revoke()
    {
        var granted = await RunAsync(1, "lease", "grant", "100");
        var lease = granted.Split(' ')[1];
        Assert.Equal($"lease {lease} granted with TTL(100s)\n", granted);
        await RunAsync(2, "put", "--lease", lease, "l", "x");
        Assert.Equal(
            $"lease {lease} keepalived with TTL(100)\n", await RunAsync(3, "lease", "keep-alive", "--once", lease));
        Assert.Matches(
            $@"^lease {lease} granted with TTL\(100s\), remaining\(\d+s\), attached keys\(\[l\]\)\n$",
            await RunAsync(2, "lease", "timetolive", "--keys", lease));
        Assert.Contains(lease, await RunAsync(1, "lease", "list"), StringComparison.Ordinal);
        Assert.Equal($"lease {lease} revoked\n", await RunAsync(1, "lease", "revoke", lease));
        Assert.Equal($"lease {lease} already expired\n", await RunAsync(3, "lease", "timetolive", lease));
        Assert.Equal("", await RunAsync(3, "get", "l"));
    }

    [Fact]
    public async Task Etcd_12_7_and_13_1_lock_and_elect_hand_over_between_processes()
    {
        using var first = EtcdCtl.Start(Endpoint(1), "lock", "m");
        var key = await LineAsync(first);
        Assert.StartsWith("m/", key, StringComparison.Ordinal);
        using var second = EtcdCtl.Start(Endpoint(2), "lock", "m");
        var next = LineAsync(second);
        await UntilCountAsync("m/", 2);
        Assert.False(next.IsCompleted);
        Stop(first);
        Assert.NotEqual(key, await next);
        Stop(second);
        using var leader = EtcdCtl.Start(Endpoint(3), "elect", "e", "p1");
        Assert.StartsWith("e/", await LineAsync(leader), StringComparison.Ordinal);
        Assert.Equal("p1", await LineAsync(leader));
        using var observer = EtcdCtl.Start(Endpoint(1), "elect", "-l", "e");
        await LineAsync(observer);
        Assert.Equal("p1", await LineAsync(observer));
        Stop(leader);
        observer.Kill();
    }

    [Fact]
    public async Task Etcd_13_1_members_endpoints_leader_and_alarms()
    {
        var all = string.Join(',', Endpoint(1), Endpoint(2), Endpoint(3));
        var members = await RunAsync(1, "member", "list");
        Assert.Equal(3, members.Split('\n').Count(line => line.Contains(", started, n", StringComparison.Ordinal)));
        var (exit, health) = await EtcdCtl.RunAsync(all, "", "endpoint", "health");
        Assert.Equal((0, 3), (exit, health.Split("is healthy").Length - 1));
        (exit, var status) = await EtcdCtl.RunAsync(all, "", "endpoint", "status");
        Assert.Equal((0, 3), (exit, status.Split(", 3.5.21, ").Length - 1));
        (exit, var hashes) = await EtcdCtl.RunAsync(all, "", "endpoint", "hashkv");
        Assert.Equal(0, exit);
        Assert.Single(hashes.Trim().Split('\n').Select(line => line.Split(", ")[1]).Distinct());
        var leader = _cluster.Servers.FindIndex(server => server.Node.Status.Role is NodeRole.Leader);
        var target = _cluster.Servers[(leader + 1) % 3].Node.Status.Node;
        (exit, var moved) = await EtcdCtl.RunAsync(all, "", "move-leader", target.ToString("x", null));
        Assert.True(exit == 0, moved);
        Assert.Contains("Leadership transferred", moved, StringComparison.Ordinal);
        Assert.Equal("", await RunAsync(1, "alarm", "list"));
        Assert.Equal("", await RunAsync(1, "alarm", "disarm"));
        var added = await RunAsync(2, "member", "add", "x", "--peer-urls=http://127.0.0.1:9", "--learner");
        var id = added.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]; // Padded to 16 digits.
        Assert.Contains(
            $"{id}, unstarted, , http://127.0.0.1:9", await RunAsync(3, "member", "list"), StringComparison.Ordinal);
        await RunAsync(1, "member", "update", id, "--peer-urls=http://127.0.0.1:10");
        await RunAsync(1, "member", "remove", id);
        Assert.DoesNotContain(id, await RunAsync(3, "member", "list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Etcd_13_1_users_and_roles_are_none()
    {
        Assert.Equal("", await RunAsync(1, "user", "list"));
        Assert.Equal("", await RunAsync(1, "role", "list"));
        var (exit, output) = await EtcdCtl.RunAsync(Endpoint(1), "", "auth", "enable");
        Assert.NotEqual(0, exit);
        Assert.Contains("root user does not exist", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Writes_go_on_while_the_leader_is_lost()
    {
        var all = string.Join(',', Endpoint(1), Endpoint(2), Endpoint(3));
        var leader = _cluster.Servers.Single(server => server.Node.Status.Role is NodeRole.Leader);
        await RunAsync(1, "put", "before", "x");
        await leader.StopAsync();
        var (exit, output) = await EtcdCtl.RunAsync(all, "", "--command-timeout=20s", "put", "after", "x");
        Assert.True(exit == 0, output);
        (exit, output) = await EtcdCtl.RunAsync(
            all, "", "--command-timeout=20s", "get", "before", "--print-value-only");
        Assert.Equal((0, "x\n"), (exit, output));
    }

    private string Endpoint(int node) => $"127.0.0.1:{_cluster.ClientPort(node)}";

    private async Task<string> RunAsync(int node, params string[] arguments)
    {
        var (exit, output) = await EtcdCtl.RunAsync(Endpoint(node), "", arguments);
        Assert.True(exit == 0, $"{string.Join(' ', arguments)}: {output}");
        return output;
    }

    private async Task UntilCountAsync(string prefix, int count)
    {
        var asked = TimeProvider.System.GetTimestamp();
        while ((await RunAsync(1, "get", prefix, "--prefix", "--keys-only")).Split("\n\n").Length - 1 != count)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < Peers.TestNode.Patience);
        }
    }

    private static string Shortened(string text, string part) => text.Replace(part, "", StringComparison.Ordinal);

    private static long RevisionOf(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("header").GetProperty("revision").GetInt64();
    }

    /// <summary>Interrupts, so that it lets go of what it holds.</summary>
    private static void Stop(Process process)
    {
        using var kill = Process.Start("kill", ["-INT", process.Id.ToString(null, null)]);
        kill.WaitForExit();
        process.WaitForExit();
    }

    private static async Task<string> LineAsync(Process process) =>
        await process.StandardOutput.ReadLineAsync(GrpcClient.Cancel).AsTask().WaitAsync(Peers.TestNode.Patience) ?? "";

    private static async Task ExpectAsync(Process process, params string[] lines)
    {
        foreach (var line in lines)
        {
            Assert.Equal(line, await LineAsync(process));
        }
    }
}
