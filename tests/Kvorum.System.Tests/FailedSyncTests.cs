using System.Globalization;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>
/// A sync that fails. .NET's own calls hide it (they return normally with EIO), so this test looks at a whole process:
/// it must die without acknowledging what the failed sync was for.
/// </summary>
public sealed class FailedSyncTests
{
    private const int WritesMax = 500;

    [Fact]
    public async Task A_node_whose_sync_fails_dies_without_acknowledging()
    {
        using var directory = new TemporaryDirectory();
        Assert.SkipUnless(await CanTraceAsync(directory), "strace is not there or not allowed to trace.");

        await Cluster.RunAsync(
            1,
            async cluster =>
            {
                var node = cluster.Nodes[0];
                await cluster.LeaderAsync();
                await node.PutAsync("before", "the fault");
                Assert.Equal(0, await node.StopAsync());

                var acknowledged = await WriteUntilDeadAsync(node, directory.At("trace"));
                Assert.True(acknowledged < WritesMax, "The failed sync went unnoticed.");
                Assert.Contains("(INJECTED)", await File.ReadAllTextAsync(directory.At("trace")), StringComparison.Ordinal);

                node.Start();
                await cluster.LeaderAsync();
                Assert.Equal("the fault", await node.GetAsync("before"));
                for (var i = 0; i < acknowledged; i++)
                {
                    Assert.Equal($"{i}", await node.GetAsync($"key-{i}"));
                }
            });
    }

    /// <returns>How many writes were acknowledged, one after the other, before the node died.</returns>
    private static async Task<int> WriteUntilDeadAsync(ClusterNode node, string trace)
    {
        // The first syncs let the node start; some of the writes succeed; then every sync fails.
        string[] strace =
        [
            "-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync",
            "-e", "inject=fsync,fdatasync:error=EIO:when=20+",
            KvorumProcess.Binary,
        ];
        using var traced = KvorumProcess.Start("strace", [.. strace, .. node.Arguments], new Dictionary<string, string>());
        await Wait.UntilAsync("the traced node to lead", Wait.Usual, async () =>
            traced.HasExited || await node.StateAsync() is { IsLeader: true });
        Assert.False(traced.HasExited, $"The node died before the first write: {traced.Errors}");

        var acknowledged = 0;
        while (acknowledged < WritesMax)
        {
            var number = acknowledged.ToString(CultureInfo.InvariantCulture);
            var (status, body) = await node.SendAsync(HttpMethod.Put, $"/v1/kv/key-{number}", number);
            if (status != 204)
            {
                Assert.DoesNotContain(node.DataDir, body, StringComparison.Ordinal); // Why is for the log.
                break;
            }

            acknowledged++;
        }

        var code = await traced.WaitForExitAsync(Wait.Usual);
        Assert.True(code == 70, $"Expected exit code 70, found {code}. {traced.Errors}");
        Assert.Contains("sync", traced.Errors, StringComparison.OrdinalIgnoreCase);
        return acknowledged;
    }

    private static async Task<bool> CanTraceAsync(TemporaryDirectory directory)
    {
        try
        {
            string[] arguments = ["-f", "-qq", "-o", directory.At("probe"), "true"];
            using var probe = KvorumProcess.Start("strace", arguments, new Dictionary<string, string>());
            return await probe.WaitForExitAsync(Wait.Usual) == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
