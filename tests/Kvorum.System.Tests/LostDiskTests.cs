using System.Text.Json;
using Kvorum.SystemTests.Checking;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>Disks that are emptied or full.</summary>
public sealed class LostDiskTests
{
    [Fact]
    public Task A_wiped_follower_is_demoted_under_load_and_counts_again() => Cluster.RunAsync(3, async cluster =>
    {
        await cluster.LeaderAsync();
        var wiped = await cluster.FollowerAsync();
        var load = Load.Start(cluster);
        await load.MoreAsync(200);

        wiped.Kill();
        wiped.WipeDirectory();
        wiped.Start();

        // It says so itself, a leader takes its vote, and gives it another when it has the data.
        await Wait.UntilAsync("a word of its new directory", Wait.Usual, () => SpeaksOfReplacement(wiped));
        await Wait.UntilAsync("its demotion", Wait.Usual, () => cluster.Running.Any(SpeaksOfALearner));
        await Wait.UntilAsync("its promotion", Wait.Usual, () => VotesAgainAsync(cluster, wiped));
        await load.MoreAsync(200);
        await load.StopAsync();
        await StoreCheck.HoldsAsync(cluster, load);

        // With one more node down a write needs its acknowledgement.
        var leader = await cluster.LeaderAsync();
        if (leader == wiped)
        {
            leader = await cluster.FollowerAsync();
        }

        var third = cluster.Nodes.Single(node => node != leader && node != wiped);
        third.Kill();
        await cluster.LeaderAsync();
        await leader.PutAsync("after", "two of three");

        // With the other one down an election needs its vote: only its log has that write.
        leader.Kill();
        third.Start();
        await cluster.LeaderAsync();
        Assert.Equal("two of three", await third.GetAsync("after"));
        leader.Start();
        await cluster.LeaderAsync();
        Assert.Equal("two of three", await leader.GetAsync("after"));
        await cluster.ConvergeAsync();
    });

    [Fact]
    public async Task A_node_with_a_full_disk_says_so_and_catches_up_when_there_is_room()
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
                await Wait.UntilAsync(
                    "the node to tell that its disk is full", Wait.Usual,
                    () => full.Log.Contains("disk is full", StringComparison.OrdinalIgnoreCase));
                await load.MoreAsync(200); // The others go on.
                Assert.True(full.IsRunning);

                disk.Free();
                await load.StopAsync();
                await StoreCheck.HoldsAsync(cluster, load);
            },
            name => name == "n1" ? Path.Combine(disk.Path, name) : directory.At(name),
            "--wal-segment-bytes", "256KiB");
    }

    private static bool SpeaksOfReplacement(ClusterNode node) =>
        node.Log.Split('\n').Any(line =>
            line.Contains("incarnation", StringComparison.Ordinal) && line.Contains("voter", StringComparison.Ordinal));

    /// <summary>A membership with a learner was in force on this node: here that is the one that was wiped.</summary>
    private static bool SpeaksOfALearner(ClusterNode node) =>
        node.Log.Split('\n').Any(line => line.Contains(", learners ", StringComparison.Ordinal));

    /// <summary>The leader counts the node, and the node knows it.</summary>
    private static async Task<bool> VotesAgainAsync(Cluster cluster, ClusterNode node)
    {
        var leader = await cluster.LeaderAsync();
        var (status, body) = await leader.SendAsync(HttpMethod.Get, "/v1/members");
        if (status != 200 || await node.StateAsync() is not { MayVote: true })
        {
            return false;
        }

        using var document = JsonDocument.Parse(body);
        return document.RootElement.GetProperty("members").EnumerateArray().Any(member =>
            member.GetProperty("name").GetString() == node.Name
            && member.GetProperty("kind").GetString() == "voter"
            && member.GetProperty("mayVote").GetBoolean());
    }
}
