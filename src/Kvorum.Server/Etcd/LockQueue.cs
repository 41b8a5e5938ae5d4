using System.Globalization;
using System.Text;
using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Grpc;

namespace Kvorum.Server.Etcd;

/// <summary>
/// The recipe that locks and elections share, the same as that of etcd's clients, so that both can stand in one queue:
/// everyone puts a key on a lease under a name, and it is the turn of the key created first.
/// </summary>
internal sealed class LockQueue(EtcdNode node)
{
    /// <summary>The lease of a caller that brings none; nobody renews it.</summary>
    private const long OwnLeaseSeconds = 60;

    /// <summary>How long a caller that gave up is tidied up after; its lease does the rest.</summary>
    private static readonly TimeSpan LeaveTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Puts the caller's key into the queue, unless it is there.</summary>
    /// <returns>The key as it is now, and whether it was there before.</returns>
    public async Task<(KeyValue Place, bool WasThere)> EnterAsync(
        ReadOnlyMemory<byte> name, long lease, ReadOnlyMemory<byte> value, GrpcCall call)
    {
        if (lease == 0)
        {
            lease = await GrantAsync(call).ConfigureAwait(false);
        }

        var suffix = "/" + lease.ToString("x", CultureInfo.InvariantCulture);
        byte[] key = [.. name.Span, .. Encoding.ASCII.GetBytes(suffix)];
        var read = new TxnOperation { Range = new RangeQuery(key, default) };
        var result = await node.ProposeAsync(
            new Txn(
                [new Compare(key, CompareTarget.CreateRevision, CompareOperator.Equal)],
                [new TxnOperation { Put = new Put(key, value) { Lease = lease } }, read],
                [read]),
            call).ConfigureAwait(false);
        EtcdErrors.Check(result.Status);
        var done = (TxnResult)result.Detail!; // What a transaction answers that went well.
        return (((RangeResult)done.Results[^1]).Rows[0], !done.Succeeded);
    }

    /// <summary>Waits until nobody is before the place. A caller that gives up leaves the queue.</summary>
    /// <returns>The revision at which it was its turn.</returns>
    public async Task<long> WaitAsync(ReadOnlyMemory<byte> name, KeyValue place, GrpcCall call)
    {
        try
        {
            while (true)
            {
                var before = await node.Kvorum.ReadAsync(
                    Prefix(name) with
                    {
                        CreateRevisionMax = place.CreateRevision - 1,
                        SortOrder = SortOrder.Descend,
                        SortTarget = SortTarget.CreateRevision,
                        Limit = 1,
                    },
                    Consistency.Linearizable, node.RequestTimeout, call.Cancel).ConfigureAwait(false);
                if (before.Rows.Count == 0)
                {
                    return await RequirePlaceAsync(place, call).ConfigureAwait(false);
                }

                await WaitForDeleteAsync(before.Rows[0].Key, before.Revision + 1, call.Cancel).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException)
        {
            await LeaveAsync(place).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Every key of the queue.</summary>
    public static RangeQuery Prefix(ReadOnlyMemory<byte> name) => RangeQuery.Prefix((byte[])[.. name.Span, (byte)'/']);

    /// <summary>Completes when the key is deleted at that revision or later, or that is not known any more.</summary>
    private async Task WaitForDeleteAsync(byte[] key, long fromRevision, CancellationToken cancel)
    {
        using var changes = new KeyChanges(node, new WatchOptions(key, default, fromRevision) { SkipsPuts = true });
        await changes.NextAsync(cancel).ConfigureAwait(false);
    }

    private async Task<long> GrantAsync(GrpcCall call)
    {
        var id = LeaseService.DrawId();
        var granted = await node.ProposeAsync(new LeaseGrant(id, OwnLeaseSeconds), call).ConfigureAwait(false);
        EtcdErrors.Check(granted.Status);
        return id;
    }

    /// <summary>The lease may have ended while its holder waited.</summary>
    private async Task<long> RequirePlaceAsync(KeyValue place, GrpcCall call)
    {
        var found = await node.Kvorum.ReadAsync(
            new RangeQuery(place.Key, default), Consistency.Linearizable, node.RequestTimeout, call.Cancel)
            .ConfigureAwait(false);
        return found.Rows.Count > 0 && found.Rows[0].CreateRevision == place.CreateRevision
            ? found.Revision
            : throw EtcdErrors.Unknown("mutex: session is expired");
    }

    private async Task LeaveAsync(KeyValue place)
    {
        try
        {
            var leave = new Txn(
                [
                    new Compare(place.Key, CompareTarget.CreateRevision, CompareOperator.Equal)
                    {
                        Number = place.CreateRevision,
                    },
                ],
                [new TxnOperation { DeleteRange = new DeleteRange(place.Key, default) }], []);
            await node.Kvorum.ProposeAsync(leave, LeaveTimeout, CancellationToken.None).ConfigureAwait(false);
        }
        catch (KvorumException)
        {
            // The key ends with its lease.
        }
    }
}
