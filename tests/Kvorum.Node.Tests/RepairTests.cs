using Kvorum.Storage;
using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Node.Tests;

/// <summary>
/// A node whose disk lost something says so, votes no more, and gets it back from its peers; where no peer has it, it
/// does not start. Nothing is invented.
/// </summary>
public sealed class RepairTests
{
    [Theory]
    [InlineData("wal/0000000000000001.wal")]
    [InlineData("wal/*")]
    public async Task A_node_that_lost_its_log_or_a_part_of_it_is_brought_up_to_date(string lost)
    {
        await using var cluster = await TestCluster.StartAsync(3);
        await WriteAsync(await cluster.LeaderAsync(), 50);
        var node = (await cluster.FollowerAsync()).Status.Node;
        await cluster.ConvergedAsync();
        await cluster.StopAsync(node);
        foreach (var file in Directory.GetFiles(Path.Combine(cluster.PathOf(node), "wal"), Path.GetFileName(lost)))
        {
            File.Delete(file);
        }

        cluster.Start(node);
        Assert.False(cluster[node].Status.MayVote);
        await cluster.ConvergedAsync();
        Assert.Equal("value 49", await TestCluster.GetAsync(cluster[node], "key 49", Consistency.Local));
    }

    [Fact]
    public async Task A_node_whose_only_snapshot_is_rotten_starts_empty_and_is_sent_another()
    {
        await using var cluster = await TestCluster.StartAsync(3, options => options with { TrailingEntries = 5 });
        var leader = await cluster.LeaderAsync();
        await WriteAsync(leader, 50);
        await cluster.ConvergedAsync();
        var follower = await cluster.FollowerAsync();
        for (var i = 0; i < 1000 && cluster.Nodes.Any(node => node.Status.LogStartIndex <= 10); i++)
        {
            await TestCluster.PutAsync(leader, "more", "v");
            await Task.WhenAll(cluster.Nodes.Select(
                node => node.TakeSnapshotAsync(TestContext.Current.CancellationToken)));
        }

        var node = follower.Status.Node;
        await cluster.ConvergedAsync();
        await cluster.StopAsync(node);
        Flip(Assert.Single(Directory.GetFiles(Path.Combine(cluster.PathOf(node), "snap"), "*.snap")), 60);
        cluster.Start(node);
        Assert.Contains("mending its log", cluster[node].Status.Mending!, StringComparison.Ordinal);
        await TestCluster.UntilAsync("it gives up, for the leader has no such entries any more",
            () => cluster[node].Status is { Damage: not null, Mending: null });
        Assert.Contains("no whole snapshot", cluster[node].Status.Damage!, StringComparison.Ordinal);
        await cluster.ConvergedAsync();
        Assert.Equal("value 49", await TestCluster.GetAsync(cluster[node], "key 49", Consistency.Local));
    }

    [Fact]
    public async Task A_lone_voter_with_rot_in_its_log_does_not_start_and_names_the_range()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await WriteAsync(cluster[1], 50);
        await cluster.StopAsync(1);
        var segment = Segment(cluster, 1);
        var good = File.ReadAllBytes(segment);
        Flip(segment, 3000);
        var bad = File.ReadAllBytes(segment);
        for (var i = 0; i < 2; i++)
        {
            var refusal = Assert.Throws<DataDirectoryException>(() => cluster.Start(1));
            Assert.Contains("corrupt at byte", refusal.Message, StringComparison.Ordinal);
            Assert.Contains("only voter", refusal.Message, StringComparison.Ordinal);
            Assert.Matches("entries [0-9]+ to 51", refusal.Message);
            Assert.Equal(bad, File.ReadAllBytes(segment));
        }

        File.WriteAllBytes(segment, good);
        cluster.Start(1);
        await cluster.LeaderAsync();
        Assert.Equal("value 49", await TestCluster.GetAsync(cluster[1], "key 49"));
    }

    [Fact]
    public async Task Rot_that_is_noticed_while_a_peer_is_served_stops_the_node_and_the_next_start_repairs()
    {
        await using var cluster = await TestCluster.StartAsync(3);
        var leader = await cluster.LeaderAsync();
        var behind = (await cluster.FollowerAsync()).Status.Node;
        await cluster.StopAsync(behind);
        var big = new string('x', 20_000);
        for (var i = 0; i < 1100; i += 50)
        {
            // More than the core keeps in memory.
            await Task.WhenAll(Enumerable.Range(i, 50).Select(j => TestCluster.PutAsync(leader, $"key {j}", big)));
        }

        var node = leader.Status.Node;
        Flip(Path.Combine(cluster.PathOf(node), "wal", "0000000000000001.wal"), 300_000);
        cluster.Start(behind);
        var error = await Assert.ThrowsAsync<IOException>(
            () => leader.Stopped.WaitAsync(TestCluster.Patience, TestContext.Current.CancellationToken));
        Assert.Contains("next start repairs", error.Message, StringComparison.Ordinal);
        await cluster.StopAsync(node);
        cluster.Start(node);
        Assert.False(cluster[node].Status.MayVote);
        await cluster.ConvergedAsync();
        Assert.Equal(big, await TestCluster.GetAsync(cluster[node], "key 1099", Consistency.Local));
    }

    [Fact]
    public async Task A_start_that_fails_lets_the_directory_go()
    {
        await using var cluster = await TestCluster.StartAsync(1);
        await cluster.StopAsync(1);
        Assert.Throws<InvalidOperationException>(() => KvorumNode.Open(
            cluster.OptionsOf(1), new Refusing(), TimeProvider.System, NullLoggerFactory.Instance));
        cluster.Start(1);
        await cluster.LeaderAsync();
    }

    private static async Task WriteAsync(KvorumNode node, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await TestCluster.PutAsync(node, $"key {i}", $"value {i}");
        }
    }

    private static string Segment(TestCluster cluster, ulong node) =>
        Path.Combine(cluster.PathOf(node), "wal", "0000000000000001.wal");

    private static void Flip(string file, long offset)
    {
        using var stream = new FileStream(
            file, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        stream.Position = offset;
        var value = stream.ReadByte();
        stream.Position = offset;
        stream.WriteByte((byte)(value ^ 1));
    }

    private sealed class Refusing : ITransport
    {
        public void Send(ulong peer, ReadOnlySpan<byte> frame)
        {
            // Nobody is there.
        }

        public void Start(PeerGate gate) => throw new InvalidOperationException("The port is taken.");

        public void SetPeers(IReadOnlyList<MemberAddress> peers)
        {
            // Nobody is there.
        }

        public ValueTask StopAsync() => ValueTask.CompletedTask;
    }
}
