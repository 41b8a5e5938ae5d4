using Google.Protobuf;
using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's Election service: one leader under a name, with a value that all can see.</summary>
internal sealed class ElectionService(EtcdNode node)
{
    private const string Name = "v3electionpb.Election";
    private const string MissingLeader = "\"leader\" field must be provided";
    private const string NotLeader = "election: not leader";

    private readonly LockQueue _queue = new(node);

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "Campaign", Pb.CampaignRequest.Parser, CampaignAsync, mayLast: true),
        GrpcMethod.Unary(Name, "Proclaim", Pb.ProclaimRequest.Parser, ProclaimAsync),
        GrpcMethod.Unary(Name, "Leader", Pb.LeaderRequest.Parser, LeaderAsync),
        GrpcMethod.Stream<Pb.LeaderRequest, Pb.LeaderResponse>(
            Name, "Observe", Pb.LeaderRequest.Parser, ObserveAsync, hasOneRequest: true),
        GrpcMethod.Unary(Name, "Resign", Pb.ResignRequest.Parser, ResignAsync),
    ];

    private async ValueTask<Pb.CampaignResponse> CampaignAsync(Pb.CampaignRequest request, GrpcCall call)
    {
        using var guard = node.GuardLeaderIfAsked(call);
        var name = request.Name.Memory;
        var (place, wasThere) = await _queue.EnterAsync(name, request.Lease, request.Value.Memory, call)
            .ConfigureAwait(false);
        if (wasThere && !place.Value.AsSpan().SequenceEqual(request.Value.Span))
        {
            await PutAsync(place.Key, place.CreateRevision, place.Lease, request.Value, call).ConfigureAwait(false);
        }

        var revision = await _queue.WaitAsync(name, place, call).ConfigureAwait(false);
        return new Pb.CampaignResponse
        {
            Header = node.Header(revision),
            Leader = new Pb.LeaderKey
            {
                Name = request.Name,
                Key = UnsafeByteOperations.UnsafeWrap(place.Key),
                Rev = place.CreateRevision,
                Lease = place.Lease,
            },
        };
    }

    private async ValueTask<Pb.ProclaimResponse> ProclaimAsync(Pb.ProclaimRequest request, GrpcCall call)
    {
        if (request.Leader is not { } leader)
        {
            throw EtcdErrors.Unknown(MissingLeader);
        }

        var revision = await PutAsync(leader.Key.Memory, leader.Rev, leader.Lease, request.Value, call)
            .ConfigureAwait(false);
        return new Pb.ProclaimResponse { Header = node.Header(revision) };
    }

    private async ValueTask<Pb.LeaderResponse> LeaderAsync(Pb.LeaderRequest request, GrpcCall call)
    {
        var result = await node.ReadAsync(First(request.Name), Consistency.Linearizable, call).ConfigureAwait(false);
        return result.Rows.Count > 0
            ? new Pb.LeaderResponse { Header = node.Header(result.Revision), Kv = EtcdMapping.ToPb(result.Rows[0]) }
            : throw EtcdErrors.Unknown("election: no leader");
    }

    private async ValueTask<Pb.ResignResponse> ResignAsync(Pb.ResignRequest request, GrpcCall call)
    {
        if (request.Leader is not { } leader)
        {
            throw EtcdErrors.Unknown(MissingLeader);
        }

        if (leader.Key.IsEmpty)
        {
            throw EtcdErrors.EmptyKey();
        }

        var delete = new TxnOperation { DeleteRange = new DeleteRange(leader.Key.Memory, default) };
        var result = await node.ProposeAsync(new Txn([IsStill(leader.Key.Memory, leader.Rev)], [delete], []), call)
            .ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return new Pb.ResignResponse { Header = node.Header(result.Revision) };
    }

    /// <summary>Tells the leader there is, each of its proclamations, and whoever comes after it.</summary>
    private async Task ObserveAsync(
        MessageReader<Pb.LeaderRequest> requests, MessageWriter<Pb.LeaderResponse> responses, GrpcCall call)
    {
        using var guard = node.GuardLeaderIfAsked(call);
        var name = (await requests.ReadOnlyAsync().ConfigureAwait(false)).Name;
        while (true)
        {
            var found = await node.Kvorum
                .ReadAsync(First(name), Consistency.Linearizable, node.RequestTimeout, call.Cancel)
                .ConfigureAwait(false);
            if (found.Rows.Count == 0)
            {
                var queue = LockQueue.Prefix(name.Memory);
                using var entries = new KeyChanges(
                    node, new WatchOptions(queue.Key, queue.RangeEnd, found.Revision + 1) { SkipsDeletes = true });
                await entries.NextAsync(call.Cancel).ConfigureAwait(false);
                continue;
            }

            await TellAsync(responses, found.Rows[0], found.Revision, call).ConfigureAwait(false);
            await FollowAsync(responses, found.Rows[0].Key, found.Revision + 1, call).ConfigureAwait(false);
        }
    }

    /// <summary>Until the leader's key is deleted.</summary>
    private async Task FollowAsync(
        MessageWriter<Pb.LeaderResponse> responses, byte[] key, long fromRevision, GrpcCall call)
    {
        using var changes = new KeyChanges(node, new WatchOptions(key, default, fromRevision));
        while (true)
        {
            var events = await changes.NextAsync(call.Cancel).ConfigureAwait(false);
            foreach (var happened in events)
            {
                if (happened.IsDelete)
                {
                    return;
                }

                await TellAsync(responses, happened.Row, happened.Revision, call).ConfigureAwait(false);
            }

            if (events.Count == 0)
            {
                return; // Compacted: whoever leads now is read anew.
            }
        }
    }

    private async Task TellAsync(
        MessageWriter<Pb.LeaderResponse> responses, KeyValue row, long revision, GrpcCall call)
    {
        responses.Add(new Pb.LeaderResponse { Header = node.Header(revision), Kv = EtcdMapping.ToPb(row) });
        await responses.FlushAsync(call.Cancel).ConfigureAwait(false);
    }

    /// <summary>Writes the leader's value, while it is the leader.</summary>
    private async Task<long> PutAsync(
        ReadOnlyMemory<byte> key, long createRevision, long lease, ByteString value, GrpcCall call)
    {
        if (key.IsEmpty)
        {
            throw EtcdErrors.EmptyKey();
        }

        var put = new TxnOperation { Put = new Put(key, value.Memory) { Lease = lease } };
        var result = await node.ProposeAsync(new Txn([IsStill(key, createRevision)], [put], []), call)
            .ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return result.Detail is TxnResult { Succeeded: true } ? result.Revision : throw EtcdErrors.Unknown(NotLeader);
    }

    private static Compare IsStill(ReadOnlyMemory<byte> key, long createRevision) =>
        new(key, CompareTarget.CreateRevision, CompareOperator.Equal) { Number = createRevision };

    private static RangeQuery First(ByteString name) => LockQueue.Prefix(name.Memory) with
    {
        SortOrder = SortOrder.Ascend,
        SortTarget = SortTarget.CreateRevision,
        Limit = 1,
    };
}
