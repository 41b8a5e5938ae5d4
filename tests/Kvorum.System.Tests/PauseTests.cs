using System.Diagnostics;
using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>
/// SIGSTOP: a node that neither answers nor breaks its connections, and then wakes up as if nothing had been.
/// </summary>
public sealed class PauseTests
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(10);

    /// <summary>2.5 election timeouts of 1 s.</summary>
    private static readonly TimeSpan FailoverMax = TimeSpan.FromSeconds(2.5);

    [Fact]
    public Task A_leader_paused_for_ten_seconds_is_replaced_and_serves_nothing_old() => Cluster.RunAsync(3, async cluster =>
    {
        var paused = await cluster.LeaderAsync();
        var others = cluster.Nodes.Where(node => node != paused).ToArray();
        await others[0].PutAsync("asleep", "before");
        var load = Load.Start(cluster);
        await load.MoreAsync(200);

        var clock = Stopwatch.StartNew();
        paused.Pause();
        try
        {
            await Wait.UntilAsync("a new leader", FailoverMax, async () =>
                (await others[0].StateAsync())?.Leader is { } leader && leader != paused.Name);
            TestContext.Current.TestOutputHelper?.WriteLine($"New leader {clock.ElapsedMilliseconds} ms after SIGSTOP");
            await others[0].PutAsync("asleep", "during");
            await load.MoreAsync(200);
            await Wait.UntilAsync("the end of the pause", Pause + Pause, () => clock.Elapsed >= Pause);
        }
        finally
        {
            paused.Continue();
        }

        // Its lease on leadership is long over: it must ask the others, or fail, but never answer from its sleep.
        var (status, value) = await paused.SendAsync(HttpMethod.Get, "/v1/kv/asleep");
        Assert.True(status is 200 or 503, $"{status} {value}");
        Assert.True(status == 503 || value == "during", $"The woken leader answered '{value}'.");

        await load.MoreAsync(200);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);
        Assert.Equal("during", await paused.GetAsync("asleep"));
    });
}
