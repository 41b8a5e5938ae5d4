using System.Diagnostics;

namespace Kvorum.Cli.Bench;

/// <summary>What many keys cost: memory per key, and the time until a restarted node has them again.</summary>
internal sealed record StartUpReport(
    int Keys,
    int ValueBytes,
    TimeSpan Fill,
    double HeapBytesPerKey,
    double EngineBytesPerKey,
    TimeSpan Start,
    ulong AppliedIndex,
    long WalBytes);

/// <summary>Fills a cluster, weighs it, and restarts one node.</summary>
internal static class StartUpRun
{
    private static readonly TimeSpan ReadyMax = TimeSpan.FromMinutes(5);

    public static async Task<StartUpReport> MeasureAsync(
        LocalCluster cluster, BenchSettings settings, CancellationToken cancel)
    {
        var target = new NodeTarget(cluster, settings);
        var emptyBytes = HeapBytes();
        var fill = await Filling.FillAsync(target, cancel).ConfigureAwait(false);
        await AllEqualAsync(cluster, cancel).ConfigureAwait(false);
        var heapBytes = (HeapBytes() - emptyBytes) / LocalCluster.Nodes;
        var engineBytes = cluster.Running.Max(node => node.Status.EngineBytes);

        var leader = await cluster.LeaderAsync(cancel).ConfigureAwait(false);
        var number = await cluster.FollowerAsync(cancel).ConfigureAwait(false);
        await cluster.StopNodeAsync(number).ConfigureAwait(false);
        var committed = leader.Status.CommitIndex;
        var began = Stopwatch.GetTimestamp();
        var node = await cluster.StartNodeAsync(number, cancel).ConfigureAwait(false);
        await UntilAsync(() => node.Status.AppliedIndex >= committed, "the restarted node", cancel)
            .ConfigureAwait(false);
        var start = Stopwatch.GetElapsedTime(began);

        var payload = (double)LoadTarget.KeyBytes + settings.ValueBytes;
        return new StartUpReport(
            settings.Keys,
            settings.ValueBytes,
            fill,
            ((double)heapBytes / settings.Keys) - payload,
            ((double)engineBytes / settings.Keys) - payload,
            start,
            node.Status.AppliedIndex,
            node.Status.WalBytes);
    }

    private static Task AllEqualAsync(LocalCluster cluster, CancellationToken cancel)
    {
        var nodes = cluster.Running.ToArray();
        return UntilAsync(
            () => nodes.Select(node => node.Status).Select(status => (status.AppliedIndex, status.CommitIndex))
                .Distinct().Count() == 1,
            "the followers",
            cancel);
    }

    private static async Task UntilAsync(Func<bool> condition, string who, CancellationToken cancel)
    {
        var began = Stopwatch.GetTimestamp();
        while (!condition())
        {
            if (Stopwatch.GetElapsedTime(began) > ReadyMax)
            {
                throw new CommandFailedException(ExitCode.Broken, $"Waited {ReadyMax.TotalMinutes} minutes for {who}.");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(5), cancel).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// What the heap holds after a thorough collection; the keys of the load are a part of both weighings.
    /// </summary>
    private static long HeapBytes()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
