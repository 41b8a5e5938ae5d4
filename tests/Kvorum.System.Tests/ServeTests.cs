using System.Globalization;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>'serve' as a process: what it takes, and how it says no.</summary>
public sealed class ServeTests
{
    [Fact]
    public Task A_second_process_on_a_data_directory_is_told_who_has_it() => Cluster.RunAsync(1, async cluster =>
    {
        var owner = cluster.Nodes[0];
        await cluster.LeaderAsync();
        var port = FreePorts.Block(2);

        using var second = KvorumProcess.Start(
            "serve", "--name", owner.Name, "--data-dir", owner.DataDir,
            "--listen-client-urls", $"http://127.0.0.1:{port}", "--listen-peer-urls", $"http://127.0.0.1:{port + 1}");
        Assert.Equal(1, await second.WaitForExitAsync(Wait.Usual));
        Assert.Contains(owner.DataDir, second.Errors, StringComparison.Ordinal);
        Assert.Contains(owner.Process.Pid.ToString(CultureInfo.InvariantCulture), second.Errors, StringComparison.Ordinal);
        Assert.True(owner.IsRunning);
        await owner.PutAsync("still", "serving");
    });

    [Fact]
    public Task A_busy_port_is_named_with_its_owner() => Cluster.RunAsync(1, async cluster =>
    {
        using var directory = new TemporaryDirectory();
        var owner = cluster.Nodes[0];
        await cluster.LeaderAsync();

        using var second = KvorumProcess.Start(
            "serve", "--data-dir", directory.At("other"),
            "--listen-client-urls", owner.ClientUrl, "--listen-peer-urls", $"http://127.0.0.1:{FreePorts.Block(1)}");
        Assert.Equal(1, await second.WaitForExitAsync(Wait.Usual));
        var port = owner.ClientUrl[(owner.ClientUrl.LastIndexOf(':') + 1)..];
        Assert.Contains($"port {port} is in use", second.Errors, StringComparison.Ordinal);
        Assert.Contains($"{owner.Process.Pid} (kvorum)", second.Errors, StringComparison.Ordinal);
    });

    [Fact]
    public async Task Settings_come_from_file_environment_and_flags_in_this_order()
    {
        using var directory = new TemporaryDirectory();
        var port = FreePorts.Block(2);
        var file = directory.At("settings.json");
        await File.WriteAllTextAsync(
            file,
            $$"""
            {
              "name": "from-file",
              "data-dir": "{{directory.At("data")}}",
              "listen-client-urls": ["http://127.0.0.1:{{port}}"],
              "listen-peer-urls": ["http://127.0.0.1:{{port + 1}}"],
              "log-format": "json",
              "initial-cluster-token": "from-file"
            }
            """);
        var environment = new Dictionary<string, string>
        {
            ["KVORUM_CONFIG_FILE"] = file,
            ["KVORUM_NAME"] = "from-environment",
            ["KVORUM_LOG_FORMAT"] = "text",
        };
        using var node = KvorumProcess.Start(KvorumProcess.Binary, ["serve", "--log-format", "json"], environment);
        using var http = new HttpClient();
        var state = await Wait.ForAsync("the node", Wait.Usual, async () =>
        {
            try
            {
                return NodeState.Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/")));
            }
            catch (HttpRequestException) when (!node.HasExited)
            {
                return null;
            }
        });
        Assert.Equal("from-environment", state.Id); // Environment over file.
        Assert.Equal(node.Pid, state.Pid);

        node.Signal(KvorumProcess.SigTerm);
        Assert.Equal(0, await node.WaitForExitAsync(Wait.Usual));
        Assert.All(node.Errors.Split('\n'), line => Assert.StartsWith("{\"time\":", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_wrong_setting_ends_with_code_2_and_names_it()
    {
        using var node = await KvorumProcess.RunAsync(["serve", "--election-timeout", "soon"]);
        Assert.Equal(2, node.ExitCode);
        Assert.Contains("--election-timeout: expected milliseconds", node.Errors, StringComparison.Ordinal);
        Assert.Contains("found 'soon' (from the command line)", node.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_existing_node_refuses_to_start_on_an_empty_directory()
    {
        using var directory = new TemporaryDirectory();
        using var node = await KvorumProcess.RunAsync(
            ["serve", "--data-dir", directory.Path, "--initial-cluster-state", "existing"]);
        Assert.Equal(1, node.ExitCode);
        Assert.Contains(directory.Path, node.Errors, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(directory.Path));
    }
}
