using Google.Protobuf;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Line 12 of the interface: locks and elections that the server waits for.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdLockTests(EtcdNodeFixture node)
{
    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_12_1_a_lock_is_a_key_with_its_lease_in_its_name()
    {
        var lease = (await _etcd.GrantAsync(60, 0xABC12)).ID;
        var locked = await LockAsync("12.1", lease);
        Assert.Equal("12.1/abc12", Text(locked.Key));
        var row = Assert.Single((await _etcd.GetAsync("12.1/abc12")).Kvs);
        Assert.Equal((lease, true), (row.Lease, locked.Header.Revision >= row.CreateRevision));
        await UnlockAsync(locked.Key);
        Assert.Empty((await _etcd.GetAsync("12.1/", "12.10")).Kvs);
    }

    [Fact]
    public async Task Etcd_12_2_without_a_lease_one_of_60_s_is_granted_and_an_unknown_one_is_refused()
    {
        var locked = await LockAsync("12.2", lease: 0);
        var row = Assert.Single((await _etcd.GetAsync(Text(locked.Key))).Kvs);
        Assert.Equal(60, (await _etcd.TimeToLiveAsync(row.Lease)).GrantedTTL);
        await UnlockAsync(locked.Key);
        Assert.Equal(
            (GrpcStatusCode.NotFound, "etcdserver: requested lease not found"),
            await FailureOfAsync(LockAsync("12.2", lease: 31_337)));
    }

    [Fact]
    public async Task Etcd_12_3_the_same_lease_locks_twice_and_who_gives_up_leaves_the_queue()
    {
        var lease = (await _etcd.GrantAsync(60)).ID;
        var first = await LockAsync("12.3", lease);
        Assert.Equal(first.Key, (await LockAsync("12.3", lease)).Key);
        var other = (await _etcd.GrantAsync(60)).ID;
        var waiting = await _etcd.Grpc.OpenAsync("/v3lockpb.Lock/Lock", LockResponse.Parser);
        await waiting.WriteAsync(new LockRequest { Name = Bytes("12.3"), Lease = other });
        waiting.EndRequests();
        await UntilAsync("12.3/", 2);
        waiting.Abort();
        await UntilAsync("12.3/", 1);
    }

    [Fact]
    public async Task Etcd_12_4_unlocking_what_is_not_locked_is_well()
    {
        await UnlockAsync(Bytes("12.4/none"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Etcd_12_5_the_next_one_in_line_gets_the_lock(bool isRevoked)
    {
        var name = $"12.5{isRevoked}";
        var leases = new[]
        {
            (await _etcd.GrantAsync(60)).ID, (await _etcd.GrantAsync(60)).ID, (await _etcd.GrantAsync(60)).ID,
        };
        var first = await LockAsync(name, leases[0]);
        var second = LockAsync(name, leases[1]);
        await UntilAsync(name + "/", 2);
        var third = LockAsync(name, leases[2]);
        await UntilAsync(name + "/", 3);
        Assert.False(second.IsCompleted || third.IsCompleted);
        await (isRevoked ? (Task)_etcd.RevokeAsync(leases[0]) : UnlockAsync(first.Key));
        var locked = await second;
        Assert.False(third.IsCompleted);
        Assert.True(locked.Header.Revision > first.Header.Revision);
        await UnlockAsync(locked.Key);
        await third;
    }

    [Fact]
    public async Task Etcd_12_6_a_leader_is_elected_proclaims_and_resigns_and_observers_see_it()
    {
        using var observer = await _etcd.Grpc.OpenAsync("/v3electionpb.Election/Observe", LeaderResponse.Parser);
        await observer.WriteAsync(new LeaderRequest { Name = Bytes("12.6") });
        observer.EndRequests();
        Assert.Equal(
            (GrpcStatusCode.Unknown, "election: no leader"),
            await FailureOfAsync(LeaderAsync()));
        var first = await CampaignAsync("a", (await _etcd.GrantAsync(60)).ID);
        Assert.Equal("a", Text((await observer.NextAsync()).Kv.Value));
        var second = CampaignAsync("b", (await _etcd.GrantAsync(60)).ID);
        await UntilAsync("12.6/", 2);
        await ProclaimAsync(first.Leader, "a2");
        Assert.Equal("a2", Text((await observer.NextAsync()).Kv.Value));
        var leader = await LeaderAsync();
        Assert.Equal((first.Leader.Key, "a2"), (leader.Kv.Key, Text(leader.Kv.Value)));
        Assert.False(second.IsCompleted);
        await CallAsync("Resign", new ResignRequest { Leader = first.Leader }, ResignResponse.Parser);
        Assert.Equal(Bytes("12.6"), (await second).Leader.Name);
        Assert.Equal("b", Text((await observer.NextAsync()).Kv.Value));
        Assert.Equal(
            (GrpcStatusCode.Unknown, "election: not leader"),
            await FailureOfAsync(ProclaimAsync(first.Leader, "a3")));
        await CallAsync("Resign", new ResignRequest { Leader = first.Leader }, ResignResponse.Parser); // No more harm.
        Assert.Equal("b", Text((await LeaderAsync()).Kv.Value));
    }

    [Fact]
    public async Task Etcd_12_6_a_leader_must_be_named()
    {
        var missing = (GrpcStatusCode.Unknown, "\"leader\" field must be provided");
        Assert.Equal(missing, await FailureOfAsync(ProclaimAsync(null, "")));
        Assert.Equal(missing, await FailureOfAsync(CallAsync("Resign", new ResignRequest(), ResignResponse.Parser)));
    }

    /// <summary>Waits until so many keys begin with a prefix that ends with a slash.</summary>
    private async Task UntilAsync(string prefix, long count)
    {
        var asked = TimeProvider.System.GetTimestamp();
        while ((await _etcd.GetAsync(prefix, prefix[..^1] + "0")).Count != count)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < Peers.TestNode.Patience);
        }
    }

    private Task<LockResponse> LockAsync(string name, long lease) => _etcd.Grpc.UnaryAsync(
        "/v3lockpb.Lock/Lock", new LockRequest { Name = Bytes(name), Lease = lease }, LockResponse.Parser);

    private Task<UnlockResponse> UnlockAsync(ByteString key) =>
        _etcd.Grpc.UnaryAsync("/v3lockpb.Lock/Unlock", new UnlockRequest { Key = key }, UnlockResponse.Parser);

    private Task<CampaignResponse> CampaignAsync(string value, long lease) => CallAsync(
        "Campaign", new CampaignRequest { Name = Bytes("12.6"), Lease = lease, Value = Bytes(value) },
        CampaignResponse.Parser);

    private Task<LeaderResponse> LeaderAsync() =>
        CallAsync("Leader", new LeaderRequest { Name = Bytes("12.6") }, LeaderResponse.Parser);

    private Task<ProclaimResponse> ProclaimAsync(LeaderKey? leader, string value) => CallAsync(
        "Proclaim", new ProclaimRequest { Leader = leader, Value = Bytes(value) }, ProclaimResponse.Parser);

    private Task<TResponse> CallAsync<TRequest, TResponse>(
        string method, TRequest request, MessageParser<TResponse> parser)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        _etcd.Grpc.UnaryAsync($"/v3electionpb.Election/{method}", request, parser);
}
