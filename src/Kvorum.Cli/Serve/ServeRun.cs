using System.Net.Sockets;
using System.Runtime.InteropServices;
using Kvorum.Server;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Serve;

/// <summary>The life of a 'serve' process: start, wait for a reason to end, stop.</summary>
internal static class ServeRun
{
    /// <summary>
    /// A graceful stop hands leadership over and closes files; after this long the process ends anyway.
    /// </summary>
    private static readonly TimeSpan StopMax = TimeSpan.FromSeconds(15);

    public static async Task<int> RunAsync(
        ServeSettings settings, IReadOnlyCollection<string> warnings, bool exitWhenStdinCloses)
    {
        var stop = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        using var terminate = OnSignal(PosixSignal.SIGTERM, "SIGTERM", stop);
        using var interrupt = OnSignal(PosixSignal.SIGINT, "SIGINT", stop);
        if (exitWhenStdinCloses)
        {
            ParentWatch.Start(() => stop.TrySetResult("the process that started this node has ended"), StopMax);
        }

        using var loggers = new ConsoleLoggerFactory(Console.OpenStandardError(), settings.LogFormat, settings.LogLevel);
        var log = loggers.CreateLogger("Kvorum.Cli");
        foreach (var warning in warnings)
        {
            log.SettingWarning(warning);
        }

        if (await StartAsync(settings, loggers, stop.Task).ConfigureAwait(false) is not { } server)
        {
            return ExitCode.Done; // Asked to stop while it waited to be taken in.
        }

        await using var ownsServer = server.ConfigureAwait(false);
        var first = await Task.WhenAny(stop.Task, server.Removed, server.Stopped).ConfigureAwait(false);
        if (first == server.Stopped)
        {
            return await StoppedByItselfAsync(server, settings, loggers).ConfigureAwait(false);
        }

        if (first == server.Removed)
        {
            return await RemovedAsync(server, loggers).ConfigureAwait(false);
        }

        log.Stopping(await stop.Task.ConfigureAwait(false));
        await StopAsync(server, log).ConfigureAwait(false);
        return ExitCode.Done;
    }

    private static PosixSignalRegistration OnSignal(PosixSignal signal, string name, TaskCompletionSource<string> stop) =>
        PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            stop.TrySetResult(name);
        });

    /// <summary>The running server; null when asked to stop before it ran.</summary>
    private static async Task<KvorumServer?> StartAsync(
        ServeSettings settings, ConsoleLoggerFactory loggers, Task stop)
    {
        using var cancel = new CancellationTokenSource();
        try
        {
            var starting = KvorumServer.StartAsync(settings.ToServerOptions(), loggers, cancel.Token);
            if (await Task.WhenAny(starting, stop).ConfigureAwait(false) == stop)
            {
                await cancel.CancelAsync().ConfigureAwait(false);
            }

            return await starting.ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stop.IsCompleted)
        {
            return null;
        }
        catch (ArgumentException e)
        {
            throw new UsageException($"kvorum serve: {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or SocketException)
        {
            throw new CommandFailedException(ExitCode.Failed, $"kvorum serve: {e.Message}");
        }
    }

    private static async Task<int> RemovedAsync(KvorumServer server, ConsoleLoggerFactory loggers)
    {
        await StopAsync(server, loggers.CreateLogger("Kvorum.Cli")).ConfigureAwait(false);
        loggers.Dispose();
        await Console.Error.WriteLineAsync($"kvorum serve: {await server.Removed.ConfigureAwait(false)}")
            .ConfigureAwait(false);
        return ExitCode.Failed;
    }

    private static async Task<int> StoppedByItselfAsync(
        KvorumServer server, ServeSettings settings, ConsoleLoggerFactory loggers)
    {
        string reason;
        try
        {
            await server.Stopped.ConfigureAwait(false);
            reason = "no reason was given";
        }
#pragma warning disable CA1031 // Whatever stopped the node is the message.
        catch (Exception e)
#pragma warning restore CA1031
        {
            reason = e.Message;
        }

        var log = loggers.CreateLogger("Kvorum.Cli");
        log.StoppedByItself(settings.Name, reason);
        await StopAsync(server, log).ConfigureAwait(false);
        loggers.Dispose();
        await Console.Error.WriteLineAsync($"kvorum serve: node {settings.Name} stopped by itself: {reason}")
            .ConfigureAwait(false);
        return ExitCode.Broken;
    }

    private static async Task StopAsync(KvorumServer server, ILogger log)
    {
        try
        {
            await server.StopAsync().WaitAsync(StopMax).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Safe: nothing acknowledged waits for a graceful end. A stuck close must not keep the process alive.
            log.StopTimedOut(StopMax.TotalSeconds);
            Environment.Exit(ExitCode.Failed);
        }
    }
}
