using Google.Protobuf;
using Kvorum.Kv;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's Lock service: locks that the server waits for.</summary>
internal sealed class LockService(EtcdNode node)
{
    private const string Name = "v3lockpb.Lock";

    private readonly LockQueue _queue = new(node);

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "Lock", Pb.LockRequest.Parser, LockAsync, mayLast: true),
        GrpcMethod.Unary(Name, "Unlock", Pb.UnlockRequest.Parser, UnlockAsync),
    ];

    private async ValueTask<Pb.LockResponse> LockAsync(Pb.LockRequest request, GrpcCall call)
    {
        using var guard = node.GuardLeaderIfAsked(call);
        var name = request.Name.Memory;
        var (place, _) = await _queue.EnterAsync(name, request.Lease, default, call).ConfigureAwait(false);
        var revision = await _queue.WaitAsync(name, place, call).ConfigureAwait(false);
        return new Pb.LockResponse
        {
            Header = node.Header(revision),
            Key = UnsafeByteOperations.UnsafeWrap(place.Key),
        };
    }

    private async ValueTask<Pb.UnlockResponse> UnlockAsync(Pb.UnlockRequest request, GrpcCall call)
    {
        if (request.Key.IsEmpty)
        {
            throw EtcdErrors.EmptyKey();
        }

        var result = await node.ProposeAsync(new DeleteRange(request.Key.Memory, default), call).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return new Pb.UnlockResponse { Header = node.Header(result.Revision) };
    }
}
