using System.Text;
using Google.Protobuf;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>etcd's services with texts for bytes, as tests like them.</summary>
internal sealed class EtcdClient(Uri server) : IDisposable
{
    public GrpcClient Grpc { get; } = new(server);

    public static ByteString Bytes(string text) => ByteString.CopyFrom(text, Encoding.Latin1);

    public static string Text(ByteString bytes) => bytes.ToString(Encoding.Latin1);

    /// <summary>The code and text a call fails with.</summary>
    public static async Task<(GrpcStatusCode Code, string Detail)> FailureOfAsync(Task call)
    {
        var failure = await Assert.ThrowsAsync<GrpcException>(() => call);
        return (failure.Code, failure.Detail);
    }

    public Task<RangeResponse> RangeAsync(RangeRequest request, params (string Name, string Value)[] metadata) =>
        Grpc.UnaryAsync("/etcdserverpb.KV/Range", request, RangeResponse.Parser, metadata);

    public Task<RangeResponse> GetAsync(string key, string end = "", long revision = 0) =>
        RangeAsync(new RangeRequest { Key = Bytes(key), RangeEnd = Bytes(end), Revision = revision });

    public Task<PutResponse> PutAsync(PutRequest request, params (string Name, string Value)[] metadata) =>
        Grpc.UnaryAsync("/etcdserverpb.KV/Put", request, PutResponse.Parser, metadata);

    public Task<PutResponse> PutAsync(string key, string value, long lease = 0) =>
        PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value), Lease = lease });

    public Task<DeleteRangeResponse> DeleteAsync(string key, string end = "", bool previous = false) =>
        Grpc.UnaryAsync(
            "/etcdserverpb.KV/DeleteRange",
            new DeleteRangeRequest { Key = Bytes(key), RangeEnd = Bytes(end), PrevKv = previous },
            DeleteRangeResponse.Parser);

    public Task<TxnResponse> TxnAsync(TxnRequest request) =>
        Grpc.UnaryAsync("/etcdserverpb.KV/Txn", request, TxnResponse.Parser);

    public Task<CompactionResponse> CompactAsync(long revision, bool isPhysical = false) =>
        Grpc.UnaryAsync(
            "/etcdserverpb.KV/Compact", new CompactionRequest { Revision = revision, Physical = isPhysical },
            CompactionResponse.Parser);

    public Task<LeaseGrantResponse> GrantAsync(long ttl, long id = 0) =>
        Grpc.UnaryAsync(
            "/etcdserverpb.Lease/LeaseGrant", new LeaseGrantRequest { TTL = ttl, ID = id }, LeaseGrantResponse.Parser);

    public Task<LeaseRevokeResponse> RevokeAsync(long id) =>
        Grpc.UnaryAsync(
            "/etcdserverpb.Lease/LeaseRevoke", new LeaseRevokeRequest { ID = id }, LeaseRevokeResponse.Parser);

    public Task<LeaseTimeToLiveResponse> TimeToLiveAsync(long id, bool keys = false) =>
        Grpc.UnaryAsync(
            "/etcdserverpb.Lease/LeaseTimeToLive", new LeaseTimeToLiveRequest { ID = id, Keys = keys },
            LeaseTimeToLiveResponse.Parser);

    public Task<LeaseLeasesResponse> LeasesAsync() =>
        Grpc.UnaryAsync("/etcdserverpb.Lease/LeaseLeases", new LeaseLeasesRequest(), LeaseLeasesResponse.Parser);

    public Task<GrpcStream<LeaseKeepAliveResponse>> KeepAliveAsync() =>
        Grpc.OpenAsync("/etcdserverpb.Lease/LeaseKeepAlive", LeaseKeepAliveResponse.Parser);

    public Task<GrpcStream<WatchResponse>> WatchAsync(params (string Name, string Value)[] metadata) =>
        Grpc.OpenAsync("/etcdserverpb.Watch/Watch", WatchResponse.Parser, metadata);

    /// <summary>The revision of the key space.</summary>
    public async Task<long> RevisionAsync() => (await GetAsync("\0")).Header.Revision;

    public void Dispose() => Grpc.Dispose();
}
