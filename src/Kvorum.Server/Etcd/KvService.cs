using System.Globalization;
using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>etcd's KV service: ranges, writes, transactions, compaction.</summary>
internal sealed class KvService(EtcdNode node)
{
    private const string Name = "etcdserverpb.KV";

    /// <summary>What a request may have, as etcd counts it: 1.5 MiB.</summary>
    private const int RequestBytesMax = KvLimits.ValueBytesMax;

    public IEnumerable<GrpcMethod> Methods()
    {
        yield return GrpcMethod.Unary(Name, "Range", Pb.RangeRequest.Parser, RangeAsync);
        yield return GrpcMethod.Unary(Name, "Put", Pb.PutRequest.Parser, PutAsync);
        yield return GrpcMethod.Unary(Name, "DeleteRange", Pb.DeleteRangeRequest.Parser, DeleteRangeAsync);
        yield return GrpcMethod.Unary(Name, "Txn", Pb.TxnRequest.Parser, TxnAsync);
        yield return GrpcMethod.Unary(Name, "Compact", Pb.CompactionRequest.Parser, CompactAsync);
    }

    private async ValueTask<Pb.RangeResponse> RangeAsync(Pb.RangeRequest request, GrpcCall call)
    {
        node.RequireLeaderIfAsked(call);
        var query = EtcdMapping.ToQuery(request);
        var consistency = request.Serializable ? Consistency.Local : Consistency.Linearizable;
        var result = await node.ReadAsync(query, consistency, call).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        if (request.Limit <= 0 && result.HasMore)
        {
            // The caller asked for all of it, and would take this for all.
            throw new GrpcException(
                GrpcStatusCode.ResourceExhausted,
                $"kvorum: the range has more than {RangeQuery.LimitMax} rows or {RangeQuery.AnswerBytesMax} bytes; "
                + "ask for it with a limit");
        }

        return EtcdMapping.ToPb(result, node.Header(result.Revision));
    }

    private async ValueTask<Pb.PutResponse> PutAsync(Pb.PutRequest request, GrpcCall call)
    {
        var put = EtcdMapping.ToPut(request);
        var result = await ProposeAsync(put, request.CalculateSize(), call).ConfigureAwait(false);
        return EtcdMapping.ToPutResponse(result, node.Header(result.Revision));
    }

    private async ValueTask<Pb.DeleteRangeResponse> DeleteRangeAsync(Pb.DeleteRangeRequest request, GrpcCall call)
    {
        var delete = EtcdMapping.ToDeleteRange(request);
        var result = await ProposeAsync(delete, request.CalculateSize(), call).ConfigureAwait(false);
        return EtcdMapping.ToDeleteResponse(result, node.Header(result.Revision));
    }

    private async ValueTask<Pb.TxnResponse> TxnAsync(Pb.TxnRequest request, GrpcCall call)
    {
        var txn = EtcdMapping.ToTxn(request);
        var result = await ProposeAsync(txn, request.CalculateSize(), call).ConfigureAwait(false);
        return EtcdMapping.ToTxnResponse(result, request, node.Header(result.Revision));
    }

    private async ValueTask<Pb.CompactionResponse> CompactAsync(Pb.CompactionRequest request, GrpcCall call)
    {
        var result = await ProposeAsync(new Compact(request.Revision), 0, call).ConfigureAwait(false);
        return new Pb.CompactionResponse { Header = node.Header(result.Revision) };
    }

    private async Task<CommandResult> ProposeAsync(Command command, int requestBytes, GrpcCall call)
    {
        node.RequireLeaderIfAsked(call);
        if (requestBytes > RequestBytesMax)
        {
            throw EtcdErrors.RequestTooLarge();
        }

        var stamped = SessionOf(call) is { } session ? command with { Session = session } : command;
        var result = await node.ProposeAsync(stamped, call).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        return result;
    }

    /// <summary>
    /// A request with metadata kvorum-session (32 hexadecimal digits) and kvorum-sequence (1, 2, …) takes effect once,
    /// however often it is sent.
    /// </summary>
    private static SessionStamp? SessionOf(GrpcCall call)
    {
        var session = call.Metadata("kvorum-session");
        var sequence = call.Metadata("kvorum-sequence");
        if (session is null && sequence is null)
        {
            return null;
        }

        if (!UInt128.TryParse(session, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var client)
            || !ulong.TryParse(sequence, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            || number == 0)
        {
            throw new GrpcException(
                GrpcStatusCode.InvalidArgument,
                "kvorum-session and kvorum-sequence: expected both, up to 32 hexadecimal digits and a number from 1 "
                + $"on, found '{session}' and '{sequence}'");
        }

        return new SessionStamp(client, number);
    }
}
