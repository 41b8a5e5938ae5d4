using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>A sweep with its progress line, ended by Ctrl-C, by time, or by its last seed.</summary>
internal sealed class SweepRun(SweepOptions options, Func<ulong, SimPlan> plan, TimeSpan? timeMax)
{
    public Action<ulong, SimResult>? OnSeed { get; init; }

    public Action<string>? Trace { get; init; }

    /// <returns>The totals, however it ended, and how long it took.</returns>
    public async Task<(SweepTotals Totals, TimeSpan Elapsed)> RunAsync(string what, CancellationToken cancel)
    {
        var sweep = new SeedSweep(options, plan, wanted => Simulation.Run(wanted, Trace)) { OnSeed = OnSeed };
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (timeMax is { } time)
        {
            limit.CancelAfter(time);
        }

        using var stopping = limit.Token.Register(sweep.Stop);
        using var progress = new SimProgress(sweep, what, options.Count == long.MaxValue ? null : options.Count);
        var totals = await Task.Run(sweep.Run, CancellationToken.None).ConfigureAwait(false);
        return (totals, progress.Elapsed);
    }
}
