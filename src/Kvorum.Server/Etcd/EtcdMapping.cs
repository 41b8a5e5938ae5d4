using Google.Protobuf;
using Kvorum.Kv;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>Requests of etcd's interface to commands and queries, and results back; checked on the way in.</summary>
internal static class EtcdMapping
{
    /// <summary>How many operations the branches of a transaction may have (etcd: max-txn-ops).</summary>
    private const int OperationsMax = Txn.OperationsMax;

    public static RangeQuery ToQuery(Pb.RangeRequest request)
    {
        CheckKey(request.Key);
        if ((uint)request.SortOrder > (uint)SortOrder.Descend || (uint)request.SortTarget > (uint)SortTarget.Value)
        {
            throw EtcdErrors.InvalidSort();
        }

        return new RangeQuery(request.Key.Memory, request.RangeEnd.Memory)
        {
            AtRevision = request.Revision,
            Limit = request.Limit,
            SortOrder = (SortOrder)request.SortOrder,
            SortTarget = (SortTarget)request.SortTarget,
            KeysOnly = request.KeysOnly,
            CountOnly = request.CountOnly,
            ModRevisionMin = request.MinModRevision,
            ModRevisionMax = request.MaxModRevision,
            CreateRevisionMin = request.MinCreateRevision,
            CreateRevisionMax = request.MaxCreateRevision,
        };
    }

    public static Put ToPut(Pb.PutRequest request)
    {
        CheckKey(request.Key);
        if (request.IgnoreValue && !request.Value.IsEmpty)
        {
            throw EtcdErrors.ValueProvided();
        }

        if (request.IgnoreLease && request.Lease != 0)
        {
            throw EtcdErrors.LeaseProvided();
        }

        return new Put(request.Key.Memory, request.Value.Memory)
        {
            Lease = request.Lease,
            ReturnPrevious = request.PrevKv,
            KeepsValue = request.IgnoreValue,
            KeepsLease = request.IgnoreLease,
        };
    }

    public static DeleteRange ToDeleteRange(Pb.DeleteRangeRequest request)
    {
        CheckKey(request.Key);
        return new DeleteRange(request.Key.Memory, request.RangeEnd.Memory) { ReturnPrevious = request.PrevKv };
    }

    public static Txn ToTxn(Pb.TxnRequest request)
    {
        var txn = ToTxn(request, OperationsMax, depth: 1);
        return CommandValidation.HasDuplicateKey(txn) ? throw EtcdErrors.DuplicateKey() : txn;
    }

    public static Pb.KeyValue ToPb(KeyValue row) => new()
    {
        Key = UnsafeByteOperations.UnsafeWrap(row.Key),
        Value = UnsafeByteOperations.UnsafeWrap(row.Value),
        CreateRevision = row.CreateRevision,
        ModRevision = row.ModRevision,
        Version = row.Version,
        Lease = row.Lease,
    };

    public static Pb.RangeResponse ToPb(RangeResult result, Pb.ResponseHeader header)
    {
        var response = new Pb.RangeResponse { Header = header, Count = result.Count, More = result.HasMore };
        foreach (var row in result.Rows)
        {
            response.Kvs.Add(ToPb(row));
        }

        return response;
    }

    public static Pb.PutResponse ToPutResponse(in CommandResult result, Pb.ResponseHeader header)
    {
        var response = new Pb.PutResponse { Header = header };
        if (result.Detail is KeyValue previous)
        {
            response.PrevKv = ToPb(previous);
        }

        return response;
    }

    public static Pb.DeleteRangeResponse ToDeleteResponse(in CommandResult result, Pb.ResponseHeader header)
    {
        var response = new Pb.DeleteRangeResponse { Header = header, Deleted = result.Count };
        if (result.Detail is KeyValue[] previous)
        {
            foreach (var row in previous)
            {
                response.PrevKvs.Add(ToPb(row));
            }
        }

        return response;
    }

    /// <param name="request">Says of which kind each answer is.</param>
    public static Pb.TxnResponse ToTxnResponse(
        in CommandResult result, Pb.TxnRequest request, Pb.ResponseHeader header)
    {
        var response = new Pb.TxnResponse { Header = header };
        if (result.Detail is not TxnResult done)
        {
            return response;
        }

        response.Succeeded = done.Succeeded;
        var branch = done.Succeeded ? request.Success : request.Failure;
        for (var i = 0; i < done.Results.Count && i < branch.Count; i++)
        {
            response.Responses.Add(ToPb(done.Results[i], branch[i], result.Revision));
        }

        return response;
    }

    private static Pb.ResponseOp ToPb(object result, Pb.RequestOp operation, long revision)
    {
        // Inside a transaction a header has the revision only, and is always there: clients look into it.
        var header = new Pb.ResponseHeader { Revision = revision };
        return (operation.RequestCase, result) switch
        {
            (Pb.RequestOp.RequestOneofCase.RequestRange, RangeResult range) =>
                new Pb.ResponseOp { ResponseRange = ToPb(range, header) },
            (Pb.RequestOp.RequestOneofCase.RequestPut, CommandResult put) =>
                new Pb.ResponseOp { ResponsePut = ToPutResponse(put, header) },
            (Pb.RequestOp.RequestOneofCase.RequestDeleteRange, CommandResult delete) =>
                new Pb.ResponseOp { ResponseDeleteRange = ToDeleteResponse(delete, header) },
            (Pb.RequestOp.RequestOneofCase.RequestTxn, CommandResult txn) =>
                new Pb.ResponseOp
                {
                    ResponseTxn = ToTxnResponse(txn with { Revision = revision }, operation.RequestTxn, header),
                },
            _ => throw new InvalidOperationException("An operation of a transaction answered as another kind."),
        };
    }

    private static Txn ToTxn(Pb.TxnRequest request, int operationsMax, int depth)
    {
        var operations = Math.Max(request.Compare.Count, Math.Max(request.Success.Count, request.Failure.Count));
        if (operations > operationsMax || depth > Txn.DepthMax)
        {
            throw EtcdErrors.TooManyOperations();
        }

        var compares = new Compare[request.Compare.Count];
        for (var i = 0; i < compares.Length; i++)
        {
            compares[i] = ToCompare(request.Compare[i]);
        }

        var left = operationsMax - operations;
        return new Txn(
            compares, ToBranch(request.Success, left, depth), ToBranch(request.Failure, left, depth));
    }

    private static TxnOperation[] ToBranch(
        Google.Protobuf.Collections.RepeatedField<Pb.RequestOp> branch, int nestedOperationsMax, int depth)
    {
        var operations = new TxnOperation[branch.Count];
        for (var i = 0; i < operations.Length; i++)
        {
            var operation = branch[i];
            operations[i] = operation.RequestCase switch
            {
                Pb.RequestOp.RequestOneofCase.RequestRange =>
                    new TxnOperation { Range = ToQuery(operation.RequestRange) },
                Pb.RequestOp.RequestOneofCase.RequestPut => new TxnOperation { Put = ToPut(operation.RequestPut) },
                Pb.RequestOp.RequestOneofCase.RequestDeleteRange =>
                    new TxnOperation { DeleteRange = ToDeleteRange(operation.RequestDeleteRange) },
                Pb.RequestOp.RequestOneofCase.RequestTxn =>
                    new TxnOperation { Txn = ToTxn(operation.RequestTxn, nestedOperationsMax, depth + 1) },
                _ => throw EtcdErrors.KeyNotFound(),
            };
        }

        return operations;
    }

    private static Compare ToCompare(Pb.Compare compare)
    {
        CheckKey(compare.Key);
        var (comparison, target) = ((CompareOperator)compare.Result, (CompareTarget)compare.Target);
        if (comparison > CompareOperator.NotEqual || target > CompareTarget.Lease)
        {
            throw new ArgumentException(
                $"compare: expected a result of 0 to 3 and a target of 0 to 4, found {(int)compare.Result} and "
                + $"{(int)compare.Target}");
        }

        // What is not set reads as 0 and empty, as in etcd, also when another field of the union is.
        return new Compare(compare.Key.Memory, target, comparison)
        {
            RangeEnd = compare.RangeEnd.Memory,
            Value = compare.Value.Memory,
            Number = target switch
            {
                CompareTarget.Version => compare.Version,
                CompareTarget.CreateRevision => compare.CreateRevision,
                CompareTarget.ModRevision => compare.ModRevision,
                CompareTarget.Lease => compare.Lease,
                _ => 0,
            },
        };
    }

    private static void CheckKey(ByteString key)
    {
        if (key.IsEmpty)
        {
            throw EtcdErrors.EmptyKey();
        }
    }
}
