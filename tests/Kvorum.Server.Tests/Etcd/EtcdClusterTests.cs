using Kvorum.Node;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Tests.Hosting;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Three nodes: whoever is asked, the answers are the same.</summary>
public sealed class EtcdClusterTests : IAsyncLifetime
{
    private readonly TestCluster _cluster = new(nodes: 4);
    private readonly List<EtcdClient> _nodes = [];

    public async ValueTask InitializeAsync()
    {
        for (var node = 1; node <= 3; node++)
        {
            await _cluster.StartAsync(Options(node));
            _nodes.Add(new EtcdClient(_cluster.Url(node, "/")));
        }

        foreach (var node in _nodes)
        {
            await node.RevisionAsync();
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var node in _nodes)
        {
            node.Dispose();
        }

        await _cluster.DisposeAsync();
    }

    [Fact]
    public async Task Etcd_7_6_and_8_9_every_node_writes_reads_renews_and_has_the_same_hash()
    {
        foreach (var node in _nodes)
        {
            var lease = (await node.GrantAsync(600)).ID;
            var put = await node.PutAsync("key", "value", lease);
            foreach (var other in _nodes)
            {
                Assert.Equal(put.Header.Revision, Assert.Single((await other.GetAsync("key")).Kvs).ModRevision);
                using var renewal = await other.KeepAliveAsync();
                await renewal.WriteAsync(new LeaseKeepAliveRequest { ID = lease });
                Assert.Equal(600, (await renewal.NextAsync()).TTL);
                Assert.Equal(600, (await other.TimeToLiveAsync(lease)).GrantedTTL);
            }
        }

        var hashes = new HashSet<uint>();
        foreach (var node in _nodes)
        {
            await node.RevisionAsync();
            hashes.Add((await node.Grpc.UnaryAsync(
                "/etcdserverpb.Maintenance/HashKV", new HashKVRequest(), HashKVResponse.Parser)).Hash);
        }

        Assert.Single(hashes);
    }

    [Fact]
    public async Task Etcd_6_20_a_watch_goes_on_at_another_node_where_it_stopped()
    {
        var first = (await _nodes[0].PutAsync("w", "0")).Header.Revision;
        var next = first;
        for (var i = 1; i <= 30; i++)
        {
            await _nodes[i % 3].PutAsync("w", $"{i}");
            using var watch = await _nodes[(i + 1) % 3].WatchAsync();
            await watch.WriteAsync(new WatchRequest
            {
                CreateRequest = new WatchCreateRequest { Key = Bytes("w"), StartRevision = next },
            });
            Assert.True((await watch.NextAsync()).Created);
            while (next <= first + i)
            {
                foreach (var happened in (await watch.NextAsync()).Events)
                {
                    Assert.Equal((next, $"{next - first}"), (happened.Kv.ModRevision, Text(happened.Kv.Value)));
                    next++;
                }
            }
        }
    }

    [Fact]
    public async Task Etcd_8_13_the_leader_moves_where_it_is_sent_and_only_the_leader_sends_it()
    {
        var leader = Leader();
        var follower = (leader + 1) % 3;
        var target = _cluster.Servers[follower].Node.Status.Node;
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: not leader"),
            await FailureOfAsync(MoveAsync(follower, target)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: bad leader transferee"),
            await FailureOfAsync(MoveAsync(leader, 4_711)));
        await MoveAsync(leader, target);
        Assert.Equal(target, _cluster.Servers[leader].Node.Status.Leader);
    }

    [Fact]
    public async Task Etcd_1_10_and_2_13_without_a_quorum_a_serializable_read_is_answered_and_who_wants_a_leader_hears()
    {
        await _nodes[0].PutAsync("q", "x");
        await _nodes[0].RevisionAsync();
        using var watch = await _nodes[0].WatchAsync(("hasleader", "true"));
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("q") } });
        await watch.NextAsync();
        await _cluster.Servers[1].StopAsync();
        await _cluster.Servers[2].StopAsync();
        var noLeader = (GrpcStatusCode.Unavailable, "etcdserver: no leader");
        var ended = await Assert.ThrowsAsync<GrpcException>(watch.ReadAsync);
        Assert.Equal(noLeader, (ended.Code, ended.Detail));
        var serializable = new RangeRequest { Key = Bytes("q"), Serializable = true };
        Assert.Single((await _nodes[0].RangeAsync(serializable)).Kvs);
        Assert.Equal(noLeader, await FailureOfAsync(_nodes[0].RangeAsync(serializable, ("hasleader", "true"))));
        Assert.Equal(
            (GrpcStatusCode.Unavailable, "etcdserver: request timed out"),
            await FailureOfAsync(
                _nodes[0].RangeAsync(new RangeRequest { Key = Bytes("q") }, ("grpc-timeout", "800m"))));
        Assert.Equal(200, (await _cluster.GetAsync(1, "/health?serializable=true")).Status);
        Assert.Equal(503, (await _cluster.GetAsync(1, "/health")).Status);
    }

    [Fact]
    public async Task Etcd_8_1_and_8_2_a_member_added_by_its_address_has_no_name_until_it_starts()
    {
        var options = Options(4);
        var url = options.ListenPeerUrls[0].AbsoluteUri.TrimEnd('/');
        var added = await _nodes[1].Grpc.UnaryAsync(
            "/etcdserverpb.Cluster/MemberAdd", new MemberAddRequest { PeerURLs = { url } }, MemberAddResponse.Parser);
        Assert.Equal(4, added.Members.Count);
        var unstarted = added.Members.Single(member => member.ID == added.Member.ID);
        Assert.Equal(("", 0), (unstarted.Name, unstarted.ClientURLs.Count));
        await _cluster.StartAsync(options with { IsExistingCluster = true });
        using var client = new EtcdClient(_cluster.Url(4, "/"));
        await UntilAsync(member => member.Name == "n4" && member.ClientURLs.Count == 1 && !member.IsLearner);
        await client.PutAsync("from the new one", "x");

        async Task UntilAsync(Func<Member, bool> isSo)
        {
            var asked = TimeProvider.System.GetTimestamp();
            while (true)
            {
                var list = await _nodes[0].Grpc.UnaryAsync(
                    "/etcdserverpb.Cluster/MemberList", new MemberListRequest(), MemberListResponse.Parser);
                if (list.Members.Any(member => member.ID == added.Member.ID && isSo(member)))
                {
                    return;
                }

                Assert.True(TimeProvider.System.GetElapsedTime(asked) < Peers.TestNode.Patience, list.ToString());
            }
        }
    }

    /// <summary>A cluster of the first three; the fourth knows them all.</summary>
    private ServerOptions Options(int node)
    {
        var options = _cluster.Options(node);
        return node == 4 ? options : options with { InitialCluster = [.. options.InitialCluster.Take(3)] };
    }

    private int Leader() => _cluster.Servers.FindIndex(server => server.Node.Status.Role is NodeRole.Leader);

    private Task<MoveLeaderResponse> MoveAsync(int node, ulong target) => _nodes[node].Grpc.UnaryAsync(
        "/etcdserverpb.Maintenance/MoveLeader", new MoveLeaderRequest { TargetID = target }, MoveLeaderResponse.Parser);
}
