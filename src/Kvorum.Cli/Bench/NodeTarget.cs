using System.Runtime.CompilerServices;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Cli.Bench;

/// <summary>Calls the nodes of a <see cref="LocalCluster"/> as an embedder would.</summary>
/// <remarks>The pooled builders keep the load itself out of the allocated bytes per call.</remarks>
internal sealed class NodeTarget(LocalCluster cluster, BenchSettings settings) : LoadTarget(settings.Keys)
{
    private readonly byte[] _value = Filling.Value(settings.ValueBytes);
    private KvorumNode[] _entrances = [];

    public override (long Count, TimeSpan Total)? Syncs
    {
        get
        {
            var count = 0L;
            var microseconds = 0L;
            foreach (var node in cluster.Running)
            {
                foreach (var bucket in node.Metrics.Sync.Counts)
                {
                    count += bucket;
                }

                microseconds += node.Metrics.Sync.SumMicroseconds;
            }

            return (count, TimeSpan.FromMicroseconds(microseconds));
        }
    }

    public override void Prepare()
    {
        var nodes = cluster.Running.ToArray();
        var leader = nodes.FirstOrDefault(node => node.Status.Role == NodeRole.Leader) ?? nodes[0];
        _entrances = settings.ViaAny ? nodes : [leader];
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(int caller, int key)
    {
        var result = await Entrance(caller)
            .ProposeAsync(new Put(Key(key), _value), settings.CallTimeout, CancellationToken.None)
            .ConfigureAwait(false);
        if (result.Status != CommandStatus.Ok)
        {
            throw new InvalidOperationException($"A put ended with {result.Status}.");
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask ReadAsync(int caller, int key)
    {
        var query = new RangeQuery(Key(key), default);
        var result = await Entrance(caller)
            .ReadAsync(query, Consistency.Linearizable, settings.CallTimeout, CancellationToken.None)
            .ConfigureAwait(false);
        if (result.Status != CommandStatus.Ok || result.Rows.Count != 1)
        {
            throw new InvalidOperationException(
                $"A read of a filled key ended with {result.Status}, {result.Rows.Count} rows.");
        }
    }

    private KvorumNode Entrance(int caller) => _entrances[caller % _entrances.Length];
}
