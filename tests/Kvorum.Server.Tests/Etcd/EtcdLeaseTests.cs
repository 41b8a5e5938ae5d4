using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 7 of the interface: leases.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdLeaseTests(EtcdNodeFixture node)
{
    private static readonly (GrpcStatusCode, string) NotFound =
        (GrpcStatusCode.NotFound, "etcdserver: requested lease not found");

    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_7_1_an_id_is_drawn_or_given_and_granted_once()
    {
        var drawn = await _etcd.GrantAsync(600);
        Assert.InRange(drawn.ID, 1, long.MaxValue);
        Assert.Equal(77_001, (await _etcd.GrantAsync(600, 77_001)).ID);
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: lease already exists"),
            await FailureOfAsync(_etcd.GrantAsync(600, 77_001)));
    }

    [Fact]
    public async Task Etcd_7_2_a_time_to_live_is_raised_to_the_least_and_refused_above_the_most()
    {
        Assert.Equal(1, (await _etcd.GrantAsync(0)).TTL); // 1.5 election timeouts of 0.5 s, rounded up.
        Assert.Equal(9_000_000_000, (await _etcd.GrantAsync(9_000_000_000)).TTL);
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: too large lease TTL"),
            await FailureOfAsync(_etcd.GrantAsync(9_000_000_001)));
    }

    [Fact]
    public async Task Etcd_7_3_to_7_5_a_renewal_tells_the_time_granted_or_0_and_ends_with_its_requests()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        using var stream = await _etcd.KeepAliveAsync();
        await stream.WriteAsync(new LeaseKeepAliveRequest { ID = lease });
        var renewed = await stream.NextAsync();
        Assert.Equal((lease, 600), (renewed.ID, renewed.TTL));
        Assert.Equal(await _etcd.RevisionAsync(), renewed.Header.Revision);
        await stream.WriteAsync(new LeaseKeepAliveRequest { ID = 88_888 });
        await stream.WriteAsync(new LeaseKeepAliveRequest { ID = lease });
        stream.EndRequests();
        var unknown = await stream.NextAsync();
        Assert.Equal((88_888, 0), (unknown.ID, unknown.TTL));
        Assert.Equal(600, (await stream.NextAsync()).TTL);
        Assert.Null(await stream.ReadAsync());
    }

    [Fact]
    public async Task Etcd_7_7_the_time_left_and_the_keys_are_told_and_minus_1_for_an_unknown_lease()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        await _etcd.PutAsync("7.7b", "x", lease);
        await _etcd.PutAsync("7.7a", "x", lease);
        var told = await _etcd.TimeToLiveAsync(lease);
        Assert.Equal((600, 0), (told.GrantedTTL, told.Keys.Count));
        Assert.InRange(told.TTL, 590, 600);
        Assert.Equal(["7.7a", "7.7b"], (await _etcd.TimeToLiveAsync(lease, keys: true)).Keys.Select(Text));
        var unknown = await _etcd.TimeToLiveAsync(99_999);
        Assert.Equal((-1, 0), (unknown.TTL, unknown.GrantedTTL));
    }

    [Fact]
    public async Task Etcd_7_8_a_revoked_lease_takes_its_keys_with_it_at_one_revision_and_in_their_order()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        foreach (var key in new[] { "7.8c", "7.8a", "7.8b" })
        {
            await _etcd.PutAsync(key, "x", lease);
        }

        using var watch = await _etcd.WatchAsync();
        await watch.WriteAsync(new WatchRequest
        {
            CreateRequest = new WatchCreateRequest { Key = Bytes("7.8"), RangeEnd = Bytes("7.9") },
        });
        Assert.True((await watch.NextAsync()).Created);
        var before = await _etcd.RevisionAsync();
        Assert.Equal(before + 1, (await _etcd.RevokeAsync(lease)).Header.Revision);
        var told = await watch.NextAsync();
        Assert.Equal(["7.8a", "7.8b", "7.8c"], told.Events.Select(happened => Text(happened.Kv.Key)));
        Assert.All(told.Events, happened => Assert.Equal(before + 1, happened.Kv.ModRevision));
        Assert.Equal(NotFound, await FailureOfAsync(_etcd.RevokeAsync(lease)));
    }

    [Fact]
    public async Task Etcd_7_9_a_lease_that_nobody_renews_ends_with_its_keys_and_not_too_early()
    {
        var time = TimeProvider.System;
        var granted = time.GetTimestamp();
        var lease = await _etcd.GrantAsync(1);
        using var watch = await _etcd.WatchAsync();
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("7.9") } });
        await watch.NextAsync();
        await _etcd.PutAsync("7.9", "x", lease.ID);
        Assert.Equal(Event.Types.EventType.Put, Assert.Single((await watch.NextAsync()).Events).Type);
        Assert.Equal(Event.Types.EventType.Delete, Assert.Single((await watch.NextAsync()).Events).Type);
        Assert.True(time.GetElapsedTime(granted) >= TimeSpan.FromSeconds(lease.TTL));
        Assert.Equal(-1, (await _etcd.TimeToLiveAsync(lease.ID)).TTL);
        Assert.Equal(NotFound, await FailureOfAsync(_etcd.PutAsync("7.9", "x", lease.ID)));
    }

    [Fact]
    public async Task Etcd_7_10_all_leases_are_listed()
    {
        var lease = (await _etcd.GrantAsync(600)).ID;
        Assert.Contains(lease, (await _etcd.LeasesAsync()).Leases.Select(found => found.ID));
        await _etcd.RevokeAsync(lease);
        Assert.DoesNotContain(lease, (await _etcd.LeasesAsync()).Leases.Select(found => found.ID));
    }
}
