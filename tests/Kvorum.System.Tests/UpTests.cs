using System.Globalization;
using System.Text.Json;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>The first minute: 'kvorum up' from start to Ctrl-C.</summary>
public sealed class UpTests : IDisposable
{
    private static readonly Dictionary<string, string> SmallSegments = new() { ["KVORUM_WAL_SEGMENT_BYTES"] = "4MiB" };

    private readonly TemporaryDirectory _directory = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });

    [Fact]
    public async Task Up_runs_three_nodes_until_Ctrl_C_and_continues_with_the_data_later()
    {
        var port = FreePorts.Block(30);
        using (var up = Up(port, "--nodes", "3"))
        {
            await Wait.UntilAsync("the table", Wait.Usual, () => IsReady(up));
            Assert.Contains($"http://127.0.0.1:{port + 20}", up.Output, StringComparison.Ordinal);
            Assert.Contains("leader", up.Output, StringComparison.Ordinal);
            var lines = up.Output.Split('\n');
            Assert.Equal(4, lines.Count(line => line.Contains(" serve --name n", StringComparison.Ordinal)));
            Assert.Single(lines, line => line.EndsWith($" --join http://127.0.0.1:{port}", StringComparison.Ordinal));

            // The printed example, as a person would send it.
            using var body = new StringContent("""{"type":"PUT","value":["cat","dog"]}""", null, "application/json");
            using var put = await _http.PostAsync(new Uri($"http://127.0.0.1:{port}/keys/pets"), body);
            Assert.Equal(204, (int)put.StatusCode);
            Assert.Equal("""["cat","dog"]""", await _http.GetStringAsync(new Uri($"http://127.0.0.1:{port + 10}/keys/pets")));

            up.Signal(KvorumProcess.CtrlC);
            Assert.Equal(0, await up.WaitForExitAsync(Wait.Usual));
        }

        Assert.Null(await PidAtAsync(port));
        using var again = Up(port);
        await Wait.UntilAsync("the table", Wait.Usual, () => IsReady(again));
        Assert.Equal("""["cat","dog"]""", await _http.GetStringAsync(new Uri($"http://127.0.0.1:{port + 20}/keys/pets")));
        again.Signal(KvorumProcess.SigTerm);
        Assert.Equal(0, await again.WaitForExitAsync(Wait.Usual));
    }

    [Fact]
    public async Task A_killed_node_is_reported_and_starts_again_with_the_printed_line()
    {
        var port = FreePorts.Block(30);
        using var up = Up(port, "--output", "json");
        await Wait.UntilAsync("the document", Wait.Usual, () => up.Output.EndsWith('}'));
        using var document = JsonDocument.Parse(up.Output);
        var leader = document.RootElement.GetProperty("nodes").EnumerateArray()
            .Single(node => node.GetProperty("role").GetString() == "leader");
        var pid = leader.GetProperty("pid").GetInt32();

        using (var process = System.Diagnostics.Process.GetProcessById(pid))
        {
            process.Kill();
        }

        var line = leader.GetProperty("serve_line").GetString() ?? "";
        await Wait.UntilAsync("word of the killed node", Wait.Usual, () =>
            up.Errors.Contains($"(pid {pid}) ended: killed by signal 9", StringComparison.Ordinal)
            && up.Errors.Contains(line, StringComparison.Ordinal));

        using var byHand = KvorumProcess.Start("/bin/sh", ["-c", $"exec {line}"], SmallSegments);
        var url = new Uri(leader.GetProperty("client_url").GetString() ?? "");
        await Wait.UntilAsync("the node started by hand", Wait.Usual, async () => await PidAtAsync(url.Port) == byHand.Pid);
        up.Signal(KvorumProcess.SigTerm);
        Assert.Equal(0, await up.WaitForExitAsync(Wait.Usual));
        Assert.False(byHand.HasExited);
    }

    [Fact]
    public async Task The_nodes_end_when_up_is_killed()
    {
        var port = FreePorts.Block(30);
        var up = Up(port);
        try
        {
            await Wait.UntilAsync("the table", Wait.Usual, () => IsReady(up));
        }
        finally
        {
            up.Dispose(); // kill -9
        }

        foreach (var each in new[] { port, port + 10, port + 20 })
        {
            await Wait.UntilAsync($"the node on port {each} to end", Wait.Usual, async () => await PidAtAsync(each) is null);
        }
    }

    [Fact]
    public async Task A_busy_port_and_another_shape_are_refused_clearly()
    {
        var port = FreePorts.Block(30);
        using var up = Up(port);
        await Wait.UntilAsync("the table", Wait.Usual, () => IsReady(up));
        var owner = await PidAtAsync(port + 10);

        using var second = Up(port);
        Assert.Equal(1, await second.WaitForExitAsync(Wait.Usual));
        var expected = string.Create(CultureInfo.InvariantCulture, $"port {port + 10} is in use by pid {owner} (kvorum)");
        Assert.Contains(expected, second.Errors, StringComparison.Ordinal);

        using var unreadable = Up(port, "--nodes", "x");
        Assert.Equal(2, await unreadable.WaitForExitAsync(Wait.Usual));
        Assert.Contains("--nodes: expected a whole number from 1 to 9", unreadable.Errors, StringComparison.Ordinal);

        using var other = Up(port, "--nodes", "5");
        Assert.Equal(2, await other.WaitForExitAsync(Wait.Usual));
        Assert.Contains("--nodes: expected 3", other.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_first_start_that_found_a_busy_port_leaves_the_choice_of_ports_open()
    {
        var port = FreePorts.Block(60);
        using (var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port + 11))
        {
            taken.Start();
            using var refused = Up(port);
            Assert.Equal(1, await refused.WaitForExitAsync(Wait.Usual));
            Assert.Contains($"port {port + 11} is in use", refused.Errors, StringComparison.Ordinal);
        }

        using var up = Up(port + 30);
        await Wait.UntilAsync("the table", Wait.Usual, () => up.HasExited || IsReady(up));
        Assert.True(IsReady(up), up.Errors);
        up.Signal(KvorumProcess.SigTerm);
        Assert.Equal(0, await up.WaitForExitAsync(Wait.Usual));
    }

    public void Dispose()
    {
        _http.Dispose();
        _directory.Dispose();
    }

    private static bool IsReady(KvorumProcess up) => up.Output.Contains("Ctrl-C stops", StringComparison.Ordinal);

    private KvorumProcess Up(int port, params string[] arguments)
    {
        string[] all = ["up", "--data-dir", _directory.At("cluster"), "--port", $"{port}", .. arguments];
        return KvorumProcess.Start(KvorumProcess.Binary, all, SmallSegments);
    }

    /// <summary>Who answers on a port; null for nobody.</summary>
    private async Task<int?> PidAtAsync(int port)
    {
        try
        {
            return NodeState.Parse(await _http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/"))).Pid;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }
}
