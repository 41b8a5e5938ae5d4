using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's Maintenance service: how a member is, and what an operator does to it.</summary>
internal sealed class MaintenanceService(EtcdNode node)
{
    private const string Name = "etcdserverpb.Maintenance";

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "Status", Pb.StatusRequest.Parser, Status),
        GrpcMethod.Unary(Name, "Alarm", Pb.AlarmRequest.Parser, Alarm),
        GrpcMethod.Unary(Name, "Defragment", Pb.DefragmentRequest.Parser, Defragment),
        GrpcMethod.Unary(Name, "Hash", Pb.HashRequest.Parser, HashAsync),
        GrpcMethod.Unary(Name, "HashKV", Pb.HashKVRequest.Parser, HashKvAsync),
        GrpcMethod.Unary(Name, "MoveLeader", Pb.MoveLeaderRequest.Parser, MoveLeaderAsync),
        GrpcMethod.Unary(Name, "Downgrade", Pb.DowngradeRequest.Parser, Downgrade),
    ];

    private ValueTask<Pb.StatusResponse> Status(Pb.StatusRequest request, GrpcCall call)
    {
        var status = node.Kvorum.Status;
        var response = new Pb.StatusResponse
        {
            Header = node.Header(node.Kvorum.Revision),
            Version = EtcdVersion.Server,
            DbSize = status.EngineBytes,
            DbSizeInUse = status.EngineBytes,
            Leader = status.Leader ?? 0,
            RaftIndex = status.CommitIndex,
            RaftTerm = status.Term,
            RaftAppliedIndex = status.AppliedIndex,
            IsLearner = !status.Members.Any(member => member.Node == status.Node && member.IsVoter),
        };
        if (status.Leader is null)
        {
            response.Errors.Add(EtcdErrors.NoLeaderText);
        }

        return new ValueTask<Pb.StatusResponse>(response);
    }

    /// <summary>
    /// There are no alarms yet: a full disk refuses writes while it is full, and a damaged log is repaired.
    /// </summary>
    private ValueTask<Pb.AlarmResponse> Alarm(Pb.AlarmRequest request, GrpcCall call) =>
        request.Action is Pb.AlarmRequest.Types.AlarmAction.Get or Pb.AlarmRequest.Types.AlarmAction.Deactivate
            ? new ValueTask<Pb.AlarmResponse>(new Pb.AlarmResponse { Header = node.Header(node.Kvorum.Revision) })
            : throw EtcdErrors.NotYet("alarms cannot be raised");

    /// <summary>The engine gives memory back by itself.</summary>
    private static ValueTask<Pb.DefragmentResponse> Defragment(Pb.DefragmentRequest request, GrpcCall call) =>
        new(new Pb.DefragmentResponse());

    private async ValueTask<Pb.HashResponse> HashAsync(Pb.HashRequest request, GrpcCall call)
    {
        var result = await node.Kvorum.HashAsync(new HashQuery(0), call.Cancel).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return new Pb.HashResponse { Header = node.Header(result.Revision), Hash = result.Hash };
    }

    private async ValueTask<Pb.HashKVResponse> HashKvAsync(Pb.HashKVRequest request, GrpcCall call)
    {
        var result = await node.Kvorum.HashAsync(new HashQuery(request.Revision), call.Cancel).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return new Pb.HashKVResponse
        {
            Header = node.Header(result.Revision),
            Hash = result.Hash,
            CompactRevision = result.CompactedRevision == 0 ? -1 : result.CompactedRevision, // As etcd: none yet.
            HashRevision = result.HashRevision,
        };
    }

    private async ValueTask<Pb.MoveLeaderResponse> MoveLeaderAsync(Pb.MoveLeaderRequest request, GrpcCall call)
    {
        var status = node.Kvorum.Status;
        if (status.Role is not NodeRole.Leader)
        {
            throw EtcdErrors.Failed("etcdserver: not leader");
        }

        if (!status.Members.Any(member => member.Node == request.TargetID && member.IsVoter))
        {
            throw EtcdErrors.Failed("etcdserver: bad leader transferee");
        }

        if (request.TargetID != status.Node)
        {
            await TransferAsync(request.TargetID, call).ConfigureAwait(false);
        }

        return new Pb.MoveLeaderResponse();
    }

    private async Task TransferAsync(ulong target, GrpcCall call)
    {
        try
        {
            await node.Kvorum.TransferLeadershipAsync(target, call.Remaining(node.RequestTimeout), call.Cancel)
                .ConfigureAwait(false);
        }
        catch (MemberChangeRefusedException refused)
        {
            throw new GrpcException(
                GrpcStatusCode.FailedPrecondition, "etcdserver: bad leader transferee", refused);
        }
    }

    /// <summary>There is no older version to go back to.</summary>
    private static ValueTask<Pb.DowngradeResponse> Downgrade(Pb.DowngradeRequest request, GrpcCall call)
    {
        if (request.Action is Pb.DowngradeRequest.Types.DowngradeAction.Cancel)
        {
            throw EtcdErrors.Failed("etcdserver: no inflight downgrade job");
        }

        throw new GrpcException(
            GrpcStatusCode.InvalidArgument,
            Version.TryParse(request.Version, out _)
                ? "etcdserver: invalid downgrade target version"
                : "etcdserver: wrong downgrade target version format");
    }
}
