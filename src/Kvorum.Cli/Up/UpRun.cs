using System.Diagnostics;
using System.Runtime.InteropServices;
using Kvorum.Cli.Client;
using Kvorum.Server;

namespace Kvorum.Cli.Up;

/// <summary>The life of 'kvorum up': check, start, wait for a leader, show, watch, stop.</summary>
internal static class UpRun
{
    /// <summary>Recovery of a large data directory takes seconds; an election one or two.</summary>
    private static readonly TimeSpan LeaderMax = TimeSpan.FromSeconds(60);

    /// <summary>With a leader known, how long the table waits for the nodes that have not answered yet.</summary>
    private static readonly TimeSpan StragglersMax = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan PollInterval = TimeSpan.FromMilliseconds(50);

    private static readonly TimeSpan AskMax = TimeSpan.FromSeconds(1);

    /// <summary>More than a node takes to give up its own graceful stop.</summary>
    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(20);

    public static async Task<int> RunAsync(UpSettings settings)
    {
        var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var interrupt = OnSignal(PosixSignal.SIGINT, stop);
        using var terminate = OnSignal(PosixSignal.SIGTERM, stop);
        using var hangUp = OnSignal(PosixSignal.SIGHUP, stop);

        var output = new UpOutput(settings.IsJson);
        var (nodes, cluster) = Prepare(settings);
        try
        {
            var isOld = nodes.Any(node => Directory.Exists(node.DataDir));
            output.Starting(nodes.Count, settings.DataDir, isOld);
            foreach (var node in nodes)
            {
                node.Start();
            }

            var reports = await WaitForLeaderAsync(nodes, output, stop.Task).ConfigureAwait(false);
            if (reports is null)
            {
                return ExitCode.Done; // Ctrl-C came first.
            }

            output.Running(nodes, reports, settings.DataDir, cluster);
            return await WatchAsync(nodes, output, stop.Task).ConfigureAwait(false);
        }
        finally
        {
            output.Stopping(nodes);
            await StopAllAsync(nodes, output).ConfigureAwait(false);
        }
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, TaskCompletionSource stop) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop.TrySetResult();
        });

    private static (IReadOnlyList<LocalNode> Nodes, ClusterFile Cluster) Prepare(UpSettings settings)
    {
        try
        {
            Directory.CreateDirectory(settings.DataDir);
            var cluster = ClusterFile.OpenOrDraw(settings);
            var nodes = LocalNode.Plan(settings.DataDir, cluster);
            var busy = nodes.SelectMany(node => new[] { node.ClientUrl, node.PeerUrl })
                .Select(PortOwner.DescribeIfBusy)
                .OfType<string>()
                .ToArray();
            if (busy.Length > 0)
            {
                var isOld = File.Exists(Path.Combine(settings.DataDir, ClusterFile.Name));
                throw new CommandFailedException(
                    ExitCode.Failed,
                    $"kvorum up: {string.Join(Environment.NewLine + "kvorum up: ", busy)}{Environment.NewLine}"
                    + $"Stop that process, or take another --port{(isOld ? " with another --data-dir" : "")}.");
            }

            cluster.SaveIfNew(settings.DataDir);
            return (nodes, cluster);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandFailedException(ExitCode.Failed, $"kvorum up: cannot use '{settings.DataDir}': {e.Message}");
        }
    }

    /// <summary>The nodes' pictures once all know the same leader; null when asked to stop before.</summary>
    private static async Task<NodeReport[]?> WaitForLeaderAsync(
        IReadOnlyList<LocalNode> nodes, UpOutput output, Task stop)
    {
        using var client = new ClusterClient([.. nodes.Select(node => node.ClientUrl)], AskMax);
        var clock = Stopwatch.StartNew();
        TimeSpan? leaderSince = null;
        while (!stop.IsCompleted)
        {
            FailIfOneEnded(nodes);
            var reports = await Task.WhenAll(nodes.Select(
                node => NodeReport.AskAsync(client, node.ClientUrl, AskMax, CancellationToken.None))).ConfigureAwait(false);
            leaderSince = reports.Any(report => report.IsLeader) ? leaderSince ?? clock.Elapsed : null;
            var allFollow = reports.All(report => report is { Problem: null, Leader: not null });
            if (leaderSince is not null && (allFollow || clock.Elapsed - leaderSince > StragglersMax))
            {
                output.LeaderElected(clock.Elapsed);
                return reports;
            }

            if (clock.Elapsed > LeaderMax)
            {
                throw new CommandFailedException(
                    ExitCode.Unavailable,
                    $"kvorum up: no leader within {LeaderMax.TotalSeconds} s. The nodes' logs say why: "
                    + string.Join(", ", nodes.Select(node => node.LogPath)));
            }

            await Task.WhenAny(stop, Task.Delay(PollInterval)).ConfigureAwait(false);
        }

        return null;
    }

    private static void FailIfOneEnded(IReadOnlyList<LocalNode> nodes)
    {
        if (nodes.FirstOrDefault(node => node.Exited.IsCompleted) is { } ended)
        {
            throw new CommandFailedException(
                ExitCode.Failed,
                $"kvorum up: node {ended.Name} ended while starting ({ended.HowItEnded}). The end of {ended.LogPath}:"
                + $"{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", ended.LogTail)}");
        }
    }

    /// <summary>Says when a node ends; comes back when asked to stop, or when none is left.</summary>
    private static async Task<int> WatchAsync(IReadOnlyList<LocalNode> nodes, UpOutput output, Task stop)
    {
        var running = nodes.ToList();
        while (running.Count > 0)
        {
            await Task.WhenAny([stop, .. running.Select(node => node.Exited)]).ConfigureAwait(false);
            if (stop.IsCompleted)
            {
                return ExitCode.Done;
            }

            foreach (var ended in running.Where(node => node.Exited.IsCompleted).ToArray())
            {
                running.Remove(ended);
                output.NodeEnded(ended);
            }
        }

        output.AllEnded();
        return ExitCode.Failed;
    }

    private static async Task StopAllAsync(IReadOnlyList<LocalNode> nodes, UpOutput output)
    {
        foreach (var node in nodes)
        {
            node.Terminate();
        }

        var all = Task.WhenAll(nodes.Select(node => node.Exited));
        if (await Task.WhenAny(all, Task.Delay(StopMax)).ConfigureAwait(false) != all)
        {
            output.Killing(nodes.Where(node => !node.Exited.IsCompleted));
            foreach (var node in nodes)
            {
                node.Kill();
            }

            await all.ConfigureAwait(false);
        }

        foreach (var node in nodes)
        {
            node.Dispose();
        }
    }
}
