using System.Globalization;
using System.Text;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>What no honest client sends: a status comes back, and the node goes on for the others.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdBadInputTests(EtcdNodeFixture node)
{
    private const string Put = "/etcdserverpb.KV/Put";

    private static readonly string[] Methods =
    [
        "etcdserverpb.KV/Range", "etcdserverpb.KV/Put", "etcdserverpb.KV/DeleteRange", "etcdserverpb.KV/Txn",
        "etcdserverpb.Lease/LeaseGrant", "etcdserverpb.Lease/LeaseTimeToLive", "etcdserverpb.Cluster/MemberUpdate",
        "etcdserverpb.Maintenance/HashKV", "etcdserverpb.Auth/UserGet", "v3electionpb.Election/Proclaim",
        "v3lockpb.Lock/Unlock", "etcdserverpb.Lease/LeaseKeepAlive", "grpc.health.v1.Health/Check",
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    ];

    private readonly EtcdClient _etcd = node.Client;

    public static TheoryData<string, byte[], GrpcStatusCode> Frames => new()
    {
        { "no message", [], GrpcStatusCode.Internal },
        { "a part of a header", [0, 0, 0], GrpcStatusCode.Internal },
        { "less than the length says", [0, 0, 0, 0, 9, 10, 1, 97], GrpcStatusCode.Internal },
        { "a length of 4 GiB", [0, 0xFF, 0xFF, 0xFF, 0xFF, 10, 1, 97], GrpcStatusCode.ResourceExhausted },
        { "a compressed message", [1, 0, 0, 0, 3, 10, 1, 97], GrpcStatusCode.Unimplemented },
        { "another first byte", [7, 0, 0, 0, 3, 10, 1, 97], GrpcStatusCode.Internal },
        { "two messages", [0, 0, 0, 0, 3, 10, 1, 97, 0, 0, 0, 0, 3, 10, 1, 97], GrpcStatusCode.Internal },
        { "a field longer than the message", [0, 0, 0, 0, 3, 10, 9, 97], GrpcStatusCode.Internal },
        { "a wire type there is not", [0, 0, 0, 0, 2, 15, 1], GrpcStatusCode.Internal },
    };

    [Theory]
    [MemberData(nameof(Frames))]
    public async Task A_malformed_frame_ends_its_call_with_a_status(string what, byte[] bytes, GrpcStatusCode expected)
    {
        using var call = await _etcd.Grpc.OpenAsync(Put, PutResponse.Parser);
        await call.WriteRawAsync(bytes);
        call.EndRequests();
        var failure = await Assert.ThrowsAsync<GrpcException>(call.ReadAsync);
        Assert.True(expected == failure.Code, $"{what}: {failure.Code}, {failure.Detail}");
        await _etcd.PutAsync("bad", what);
    }

    [Theory]
    [InlineData("grpc-encoding", "gzip", GrpcStatusCode.Unimplemented)]
    [InlineData("grpc-timeout", "soon", GrpcStatusCode.Internal)]
    [InlineData("grpc-timeout", "1234567890S", GrpcStatusCode.Internal)]
    [InlineData("kvorum-session", "not a number", GrpcStatusCode.InvalidArgument)]
    public async Task Malformed_metadata_ends_its_call_with_a_status(string name, string value, GrpcStatusCode expected)
    {
        var request = new PutRequest { Key = Bytes("bad") };
        Assert.Equal(expected, (await FailureOfAsync(_etcd.PutAsync(request, (name, value)))).Code);
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Random_bytes_are_answered_with_some_status(int seed)
    {
        var chance = new Random(seed);
        for (var i = 0; i < 100; i++)
        {
            var path = "/" + Methods[chance.Next(Methods.Length)];
            using var call = await _etcd.Grpc.OpenAsync(path, AuthDisableRequest.Parser); // Its fields are unknown.
            for (var count = chance.Next(1, 3); count > 0; count--)
            {
                var message = new byte[chance.Next(40)];
                chance.NextBytes(message);
                await call.WriteRawAsync([0, 0, 0, 0, (byte)message.Length, .. message]);
            }

            call.EndRequests();
            try
            {
                while (await call.ReadAsync() is not null)
                {
                }
            }
            catch (GrpcException failure)
            {
                Assert.NotEqual("Unexpected failure; the node's log says more.", failure.Detail);
            }
        }

        await _etcd.PutAsync("bad", "still here");
    }

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 20)];

    [Fact]
    public async Task Random_json_is_answered_with_some_status()
    {
        const string Valid = """{"key":"AA==","range_end":"AA==","limit":"7","sort_order":"DESCEND","lease":"1"}""";
        var chance = new Random(1);
        for (var i = 0; i < 1_000; i++)
        {
            var text = new StringBuilder(Valid);
            for (var change = chance.Next(4); change >= 0; change--)
            {
                text[chance.Next(text.Length)] = (char)chance.Next(' ', '~');
            }

            using var content = new StringContent(text.ToString());
            var path = chance.Next(2) == 0 ? "/v3/kv/range" : "/v3/kv/put";
            using var response = await node.Http.PostAsync(node.Url(path), content, GrpcClient.Cancel);
            Assert.True((int)response.StatusCode is 200 or 400 or 404, $"{text}: {response.StatusCode}");
        }
    }

    [Fact]
    public async Task Watchers_of_a_caller_that_vanishes_are_gone()
    {
        await UntilNobodyWatchesAsync(); // Those of other tests have just ended.
        var streams = new List<GrpcStream<WatchResponse>>();
        for (var i = 0; i < 20; i++)
        {
            var stream = await _etcd.WatchAsync();
            streams.Add(stream);
            await stream.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("bad") } });
            await stream.NextAsync();
        }

        Assert.Equal(20, await WatchersAsync());
        foreach (var stream in streams)
        {
            stream.Abort();
            stream.Dispose();
        }

        await UntilNobodyWatchesAsync();
    }

    private async Task UntilNobodyWatchesAsync()
    {
        var asked = TimeProvider.System.GetTimestamp();
        while (await WatchersAsync() > 0)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(asked) < Peers.TestNode.Patience);
        }
    }

    private async Task<long> WatchersAsync()
    {
        const string Name = "\netcd_debugging_mvcc_watcher_total ";
        var page = await node.Http.GetStringAsync(node.Url("/metrics"), GrpcClient.Cancel);
        var value = page[(page.IndexOf(Name, StringComparison.Ordinal) + Name.Length)..].Split('\n')[0];
        return long.Parse(value, CultureInfo.InvariantCulture);
    }
}
