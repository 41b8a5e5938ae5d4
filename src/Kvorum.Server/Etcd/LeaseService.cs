using System.Buffers.Binary;
using System.Security.Cryptography;
using Kvorum.Kv;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's Lease service. Renewals are log entries here, so any member takes them.</summary>
internal sealed class LeaseService(EtcdNode node)
{
    private const string Name = "etcdserverpb.Lease";

    /// <summary>How often another id is drawn when one is taken already.</summary>
    private const int DrawsMax = 8;

    /// <summary>The shortest time to live: one and a half election timeouts, rounded up.</summary>
    private readonly long _ttlSecondsMin =
        Math.Max(1, (long)Math.Ceiling(1.5m * (decimal)node.Context.Options.ElectionTimeout.TotalSeconds));

    public IEnumerable<GrpcMethod> Methods()
    {
        yield return GrpcMethod.Unary(Name, "LeaseGrant", Pb.LeaseGrantRequest.Parser, GrantAsync);
        yield return GrpcMethod.Unary(Name, "LeaseRevoke", Pb.LeaseRevokeRequest.Parser, RevokeAsync);
        yield return GrpcMethod.Stream<Pb.LeaseKeepAliveRequest, Pb.LeaseKeepAliveResponse>(
            Name, "LeaseKeepAlive", Pb.LeaseKeepAliveRequest.Parser, KeepAliveAsync);
        yield return GrpcMethod.Unary(Name, "LeaseTimeToLive", Pb.LeaseTimeToLiveRequest.Parser, TimeToLiveAsync);
        yield return GrpcMethod.Unary(Name, "LeaseLeases", Pb.LeaseLeasesRequest.Parser, LeasesAsync);
    }

    private async ValueTask<Pb.LeaseGrantResponse> GrantAsync(Pb.LeaseGrantRequest request, GrpcCall call)
    {
        node.RequireLeaderIfAsked(call);
        if (request.TTL > LeaseGrant.TtlSecondsMax)
        {
            throw new GrpcException(GrpcStatusCode.OutOfRange, "etcdserver: too large lease TTL");
        }

        var ttl = Math.Max(request.TTL, _ttlSecondsMin);
        for (var draw = 0; ; draw++)
        {
            var id = request.ID != 0 ? request.ID : DrawId();
            var result = await node.ProposeAsync(new LeaseGrant(id, ttl), call).ConfigureAwait(false);
            if (result.Status is CommandStatus.LeaseExists && request.ID == 0 && draw < DrawsMax)
            {
                continue;
            }

            EtcdErrors.Check(result.Status);
            return new Pb.LeaseGrantResponse { Header = node.Header(result.Revision), ID = id, TTL = result.Count };
        }
    }

    private async ValueTask<Pb.LeaseRevokeResponse> RevokeAsync(Pb.LeaseRevokeRequest request, GrpcCall call)
    {
        node.RequireLeaderIfAsked(call);
        var result = await node.ProposeAsync(new LeaseRevoke(request.ID), call).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return new Pb.LeaseRevokeResponse { Header = node.Header(result.Revision) };
    }

    private async Task KeepAliveAsync(
        MessageReader<Pb.LeaseKeepAliveRequest> requests, MessageWriter<Pb.LeaseKeepAliveResponse> responses,
        GrpcCall call)
    {
        using var guard = node.GuardLeaderIfAsked(call);
        while (await requests.ReadAsync(call.Cancel).ConfigureAwait(false) is { } request)
        {
            var result = await node.ProposeAsync(new LeaseRenew(request.ID), call).ConfigureAwait(false);
            responses.Add(new Pb.LeaseKeepAliveResponse
            {
                Header = node.Header(result.Revision),
                ID = request.ID,
                TTL = result.Status is CommandStatus.Ok ? result.Count : 0,
            });
            await responses.FlushAsync(call.Cancel).ConfigureAwait(false);
        }
    }

    private async ValueTask<Pb.LeaseTimeToLiveResponse> TimeToLiveAsync(
        Pb.LeaseTimeToLiveRequest request, GrpcCall call)
    {
        var lease = await node.Kvorum
            .FindLeaseAsync(request.ID, request.Keys, call.Remaining(node.RequestTimeout), call.Cancel)
            .ConfigureAwait(false);
        var response = new Pb.LeaseTimeToLiveResponse
        {
            Header = node.Header(node.Kvorum.Revision),
            ID = request.ID,
            TTL = lease?.SecondsLeft ?? -1,
            GrantedTTL = lease?.TtlSeconds ?? 0,
        };
        foreach (var key in lease?.Keys ?? [])
        {
            response.Keys.Add(Google.Protobuf.UnsafeByteOperations.UnsafeWrap(key));
        }

        return response;
    }

    private async ValueTask<Pb.LeaseLeasesResponse> LeasesAsync(Pb.LeaseLeasesRequest request, GrpcCall call)
    {
        var ids = await node.Kvorum.LeasesAsync(call.Remaining(node.RequestTimeout), call.Cancel).ConfigureAwait(false);
        var response = new Pb.LeaseLeasesResponse { Header = node.Header(node.Kvorum.Revision) };
        foreach (var id in ids)
        {
            response.Leases.Add(new Pb.LeaseStatus { ID = id });
        }

        return response;
    }

    /// <summary>A positive id of 63 bits that nobody can guess.</summary>
    public static long DrawId()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return Math.Max(1, BinaryPrimitives.ReadInt64LittleEndian(bytes) & long.MaxValue);
    }
}
