using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's Watch service: many watchers on one stream.</summary>
internal sealed class WatchService(EtcdNode node)
{
    private const string Name = "etcdserverpb.Watch";

    public IEnumerable<GrpcMethod> Methods()
    {
        yield return GrpcMethod.Stream<Pb.WatchRequest, Pb.WatchResponse>(
            Name, "Watch", Pb.WatchRequest.Parser, WatchAsync);
    }

    private async Task WatchAsync(
        MessageReader<Pb.WatchRequest> requests, MessageWriter<Pb.WatchResponse> responses, GrpcCall call)
    {
        using var guard = node.GuardLeaderIfAsked(call);
        using var stream = new WatchStream(node, responses);
        await stream.RunAsync(requests, call).ConfigureAwait(false);
    }
}
