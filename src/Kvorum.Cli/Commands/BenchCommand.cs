using System.CommandLine;
using Kvorum.Cli.Bench;
using Kvorum.Cli.Serve;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum bench': how fast this machine runs three nodes, or how fast a running cluster answers.</summary>
internal static class BenchCommand
{
    private const int StartUpKeys = 1_000_000;

    public static Command Create()
    {
        var options = new BenchOptions();
        var command = new Command(
            "bench",
            "Measure writes and reads on three nodes in this process (real logs, real connections, a sync before every "
                + "acknowledgement), or on a running cluster with --endpoints.");
        options.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            var settings = options.Settings(parsed);
            if (options.Endpoints(parsed) is { } endpoints)
            {
                await LoadClusterAsync(endpoints, settings, options.IsJson(parsed), cancel).ConfigureAwait(false);
            }
            else
            {
                var startUpKeys = options.StartUpKeys(parsed, StartUpKeys);
                await RunLocalAsync(settings, startUpKeys, options.Directory(parsed), options.IsJson(parsed), cancel)
                    .ConfigureAwait(false);
            }

            return ExitCode.Done;
        });
        return command;
    }

    private static async Task LoadClusterAsync(
        IReadOnlyList<Uri> endpoints, BenchSettings settings, bool isJson, CancellationToken cancel)
    {
        var urls = string.Join(", ", endpoints.Select(ServeSettings.UrlText));
        var output = new BenchOutput(isJson, $"over HTTP: {urls}; CPU and collector are those of the load generator");
        using var target = new HttpTarget(endpoints, settings);
        output.Begin();
        await MeasureAsync(target, settings, output, cancel).ConfigureAwait(false);
        output.End();
    }

    private static async Task RunLocalAsync(
        BenchSettings settings, int? startUpKeys, string parent, bool isJson, CancellationToken cancel)
    {
        var directory = Path.Combine(Path.GetFullPath(parent), $"kvorum-bench-{Environment.ProcessId}");
        Directory.CreateDirectory(directory);
        try
        {
            using var loggers = new ConsoleLoggerFactory(Console.OpenStandardError(), LogFormat.Text, LogLevel.Error);
            var where = $"three nodes in one process, logs on {Machine.FileSystem(directory)} in {directory}";
            var output = new BenchOutput(isJson, where);
            output.Begin();
            var cluster = await LocalCluster.StartAsync(directory, loggers, cancel).ConfigureAwait(false);
            await using var ownsCluster = cluster.ConfigureAwait(false);
            if (startUpKeys is { } keys)
            {
                BenchOutput.Progress($"filling {keys} keys, then restarting one node …");
                var sized = settings with { Keys = keys };
                output.Add(await StartUpRun.MeasureAsync(cluster, sized, cancel).ConfigureAwait(false));
            }
            else
            {
                await MeasureAsync(new NodeTarget(cluster, settings), settings, output, cancel).ConfigureAwait(false);
            }

            output.End();
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task MeasureAsync(
        LoadTarget target, BenchSettings settings, BenchOutput output, CancellationToken cancel)
    {
        using var pauses = new CollectorPauses();
        if (settings.Mode is not LoadMode.Write)
        {
            BenchOutput.Progress($"filling {target.Keys} keys …");
            await Filling.FillAsync(target, cancel).ConfigureAwait(false);
        }

        foreach (var inFlight in settings.InFlight)
        {
            BenchOutput.Progress($"{settings.Mode.ToString().ToLowerInvariant()}, {inFlight} in flight …");
            output.Add(await LoadRun.MeasureAsync(target, settings, inFlight, pauses, cancel).ConfigureAwait(false));
        }
    }
}
