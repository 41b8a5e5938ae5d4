
namespace Kvorum.Node.Tests;

/// <summary>
/// A disk that is full or slow costs no data and no node: writes are refused clearly, leaders hand over.
/// </summary>
public sealed class UnwellDiskTests
{
    private static readonly string _value = new('x', 20_000);

    [Fact]
    public async Task A_lone_node_without_room_refuses_writes_serves_reads_and_recovers()
    {
        await using var cluster = new TestCluster(1);
        var disk = new UnwellDisk();
        cluster.Disks[1] = disk;
        cluster.Start(1);
        var node = await cluster.LeaderAsync();
        await TestCluster.PutAsync(node, "first", "value");
        disk.Full = "/wal/";
        var written = await FillAsync(node);
        Assert.InRange(written, 20, 300);
        Assert.Equal("value", await TestCluster.GetAsync(node, "first"));
        Assert.False(node.Stopped.IsCompleted);
        disk.Full = null;
        await RetryAsync(node, "last");
        for (var i = 0; i < 200; i++)
        {
            await TestCluster.PutAsync(node, $"more {i}", _value);
        }

        await cluster.StopAsync(1);
        cluster.Start(1);
        await cluster.LeaderAsync();
        Assert.Equal(_value, await TestCluster.GetAsync(cluster[1], $"key {written - 1}"));
        Assert.Equal(_value, await TestCluster.GetAsync(cluster[1], "last"));
    }

    [Fact]
    public async Task A_leader_without_room_hands_over_and_catches_up_when_there_is_some()
    {
        var (cluster, node, disk) = await ThreeAsync();
        await using var open = cluster;
        disk.Full = "/wal/";
        await FillAsync(node);
        await TestCluster.UntilAsync("another leads", () => node.Status.Role is not NodeRole.Leader);
        var leader = await cluster.LeaderAsync();
        Assert.NotSame(node, leader);
        for (var i = 0; i < 200; i++)
        {
            await TestCluster.PutAsync(leader, $"more {i}", _value); // Far more than the full node has room for.
        }

        Assert.False(node.Stopped.IsCompleted);
        disk.Full = null;
        await cluster.ConvergedAsync();
        Assert.Equal(_value, await TestCluster.GetAsync(node, "more 199", Consistency.Local));
    }

    [Fact]
    public async Task A_leader_whose_syncs_hang_hands_over_and_writes_go_on()
    {
        var (cluster, node, disk) = await ThreeAsync();
        await using var open = cluster;
        var term = node.Status.Term;
        disk.HangSyncs();
        var write = TestCluster.PutAsync(node, "slow", "value");
        await TestCluster.UntilAsync(
            "another leads", () => node.Status.Leader is { } other && other != node.Status.Node);
        var leader = cluster[node.Status.Leader!.Value];
        await TestCluster.PutAsync(leader, "fast", "value");
        Assert.Equal(term + 1, leader.Status.Term);
        disk.LetSyncsGo();
        await cluster.ConvergedAsync();
        await Task.WhenAny(write); // Done or unknown: the disk hung.
        Assert.Equal("value", await TestCluster.GetAsync(node, "fast"));
    }

    [Fact]
    public async Task A_snapshot_without_room_costs_only_the_attempt()
    {
        await using var cluster = new TestCluster(1);
        var disk = new UnwellDisk();
        cluster.Disks[1] = disk;
        cluster.Start(1);
        var node = await cluster.LeaderAsync();
        await TestCluster.PutAsync(node, "key", _value);
        var cancel = TestContext.Current.CancellationToken;
        await node.TakeSnapshotAsync(cancel);
        disk.Full = "/snap/";
        await TestCluster.PutAsync(node, "key", _value + "y");
        await Assert.ThrowsAsync<IOException>(() => node.TakeSnapshotAsync(cancel));
        Assert.Single(Directory.GetFiles(Path.Combine(cluster.PathOf(1), "snap")));
        await TestCluster.PutAsync(node, "other", "value");
        disk.Full = null;

        // Without being asked: the log must not grow for ever.
        await TestCluster.UntilAsync("another snapshot", () => node.Metrics.SnapshotsTaken == 2);
    }

    [Fact]
    public async Task A_snapshot_that_a_full_disk_cannot_receive_is_received_when_there_is_room()
    {
        await using var cluster = await BehindAsync(out var behind);
        var disk = new UnwellDisk { Full = "/snap/" };
        cluster.Disks[behind] = disk;
        cluster.Start(behind);
        await TestCluster.UntilAsync("it follows", () => cluster[behind].Status.Leader is not null);
        await TestCluster.PutAsync(await cluster.LeaderAsync(), "more", "value");
        Assert.Equal(0, cluster[behind].Metrics.SnapshotsInstalled);
        Assert.False(cluster[behind].Stopped.IsCompleted);
        disk.Full = null;
        await cluster.ConvergedAsync();
        Assert.True(cluster[behind].Metrics.SnapshotsInstalled >= 1);
    }

    [Fact]
    public async Task A_snapshot_that_rots_while_it_is_sent_is_set_aside_and_another_one_is_sent()
    {
        await using var cluster = await BehindAsync(out var behind);
        var leader = await cluster.LeaderAsync();
        foreach (var node in cluster.Nodes.ToArray())
        {
            var folder = Path.Combine(cluster.PathOf(node.Status.Node), "snap");
            foreach (var file in Directory.GetFiles(folder, "*.snap"))
            {
                var bytes = File.ReadAllBytes(file);
                bytes[bytes.Length / 2] ^= 1;
                File.WriteAllBytes(file, bytes);
            }
        }

        cluster.Start(behind);
        await cluster.ConvergedAsync();
        Assert.False(leader.Stopped.IsCompleted);
        Assert.True(cluster[behind].Metrics.SnapshotsInstalled >= 1);
        Assert.Single(Directory.GetFiles(Path.Combine(cluster.PathOf(leader.Status.Node), "snap"), "*.corrupt"));
    }

    /// <summary>A cluster of three, one of which is down and needs a snapshot.</summary>
    private static Task<TestCluster> BehindAsync(out ulong behind)
    {
        behind = 3;
        return MakeAsync();

        static async Task<TestCluster> MakeAsync()
        {
            var cluster = await TestCluster.StartAsync(3, options => options with { TrailingEntries = 5 });
            await cluster.StopAsync(3);
            var leader = await cluster.LeaderAsync();
            var cancel = TestContext.Current.CancellationToken;
            for (var i = 0; i < 100; i++)
            {
                await TestCluster.PutAsync(leader, $"key {i}", _value);
            }

            foreach (var node in cluster.Nodes)
            {
                for (var i = 0; i < 1000 && node.Status.LogStartIndex <= 90; i++)
                {
                    // The log is kept for a peer heard a moment ago, so the first snapshots may not cut it.
                    await TestCluster.PutAsync(leader, "more", "v");
                    await node.TakeSnapshotAsync(cancel);
                }
            }

            return cluster;
        }
    }

    /// <summary>Three nodes with such disks, and the one that leads.</summary>
    private static async Task<(TestCluster Cluster, KvorumNode Leader, UnwellDisk Disk)> ThreeAsync()
    {
        var cluster = new TestCluster(3);
        foreach (var id in new ulong[] { 1, 2, 3 })
        {
            cluster.Disks[id] = new UnwellDisk();
            cluster.Start(id);
        }

        var leader = await cluster.LeaderAsync();
        return (cluster, leader, (UnwellDisk)cluster.Disks[leader.Status.Node]);
    }

    /// <summary>Writes until the leader says that its disk is full; returns how many writes it took.</summary>
    private static async Task<int> FillAsync(KvorumNode node)
    {
        for (var i = 0; i < 1000; i++)
        {
            try
            {
                await TestCluster.PutAsync(node, $"key {i}", _value);
            }
            catch (DiskFullException refusal)
            {
                Assert.True(refusal.IsSafeToRetry);
                return i;
            }
            catch (KvorumException) when (node.Status.Role is not NodeRole.Leader)
            {
                return i; // It handed over before.
            }

            if (node.Status.Role is not NodeRole.Leader)
            {
                return i;
            }
        }

        Assert.Fail("The disk never ran full.");
        return 0;
    }

    private static async Task RetryAsync(KvorumNode node, string key)
    {
        var put = TestCluster.PutOf(key, _value);
        var isDone = false;
        await TestCluster.UntilAsync("a write goes through", () =>
        {
            try
            {
                node.ProposeAsync(put, TestCluster.Patience, CancellationToken.None).GetAwaiter().GetResult();
                isDone = true;
            }
            catch (DiskFullException)
            {
                // Not yet.
            }

            return isDone;
        });
    }
}
