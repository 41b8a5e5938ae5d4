using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>Disks that are emptied or full.</summary>
public sealed class LostDiskTests
{
    [Fact]
    public Task A_wiped_follower_is_recognised_and_does_not_count_as_a_voter() => Cluster.RunAsync(
        3,
        async cluster =>
        {
            var leader = await cluster.LeaderAsync();
            var wiped = await cluster.FollowerAsync();
            var third = cluster.Nodes.Single(node => node != leader && node != wiped);
            var load = Load.Start(cluster);
            await load.MoreAsync(200);
            await load.StopAsync();
            await cluster.ConvergeAsync();

            wiped.Kill();
            wiped.WipeDirectory();
            wiped.Start();

            // It says so itself, its peers say so, and it still gets the data.
            await Wait.UntilAsync("may_vote = false on the wiped node", Wait.Usual, async () =>
                await wiped.StateAsync() is { MayVote: false });
            await StoreCheck.HoldsAsync(cluster, load);
            foreach (var node in cluster.Nodes)
            {
                await Wait.UntilAsync($"a log line about it on {node.Name}", Wait.Usual, () => SpeaksOfReplacement(node));
            }

            // With one more node down only one voter of three is left: the wiped one must not make it two.
            third.Kill();
            var (status, body) = await leader.SendAsync(HttpMethod.Put, "/v1/kv/after", "no quorum");
            Assert.True(status == 503, $"A write with one voter of three: {status} {body}");

            third.Start();
            await cluster.LeaderAsync();
            await third.PutAsync("after", "quorum");
            Assert.Equal("quorum", await wiped.GetAsync("after"));
        },
        "--request-timeout", "3000");

    [Fact]
    public async Task A_node_with_a_full_disk_stops_clearly_and_catches_up_when_there_is_room()
    {
        using var directory = new TemporaryDirectory();
        using var disk = SmallDisk.TryMount(directory.At("small"), bytes: 24 << 20, out var reason);
        Assert.SkipWhen(disk is null, reason);

        await Cluster.RunAsync(
            3,
            async cluster =>
            {
                var full = cluster.Nodes[0];
                await cluster.LeaderAsync();
                var load = Load.Start(cluster, valueBytes: 4096);
                await load.MoreAsync(100);

                disk.Fill();
                await Wait.UntilAsync("the node with the full disk to stop", Wait.Usual, () => !full.IsRunning);
                Assert.Equal(70, full.Process.ExitCode);
                Assert.Contains("space", full.Log, StringComparison.OrdinalIgnoreCase);
                await load.MoreAsync(200); // The others go on.

                disk.Free();
                full.Start();
                await load.StopAsync();
                await StoreCheck.HoldsAsync(cluster, load);
            },
            name => name == "n1" ? Path.Combine(disk.Path, name) : directory.At(name),
            "--wal-segment-bytes", "256KiB");
    }

    private static bool SpeaksOfReplacement(ClusterNode node) =>
        node.Log.Split('\n').Any(line =>
            line.Contains("incarnation", StringComparison.Ordinal) && line.Contains("voter", StringComparison.Ordinal));
}
