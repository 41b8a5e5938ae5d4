namespace Kvorum.Simulator;

/// <summary>The simulator's face: plans from seeds, runs from plans.</summary>
/// <remarks>Any thread may run one; a run uses only the thread that calls it and shares nothing with others.</remarks>
public static class Simulation
{
    /// <summary>Draws swarm settings, faults and operations from a seed.</summary>
    /// <param name="voters">How many voters the cluster has at the start; null: drawn, too.</param>
    public static SimPlan Plan(ulong seed, int? voters = null)
    {
        var settings = SwarmSettings.Draw(seed);
        return Plan(seed, voters is { } count ? settings with { Voters = count } : settings);
    }

    /// <summary>Draws faults and operations for settings that are given.</summary>
    public static SimPlan Plan(ulong seed, SimSettings settings) =>
        new(seed, settings, FaultPlan.Draw(seed, settings), Workload.Draw(seed, settings));

    /// <summary>
    /// Runs a plan to its end or to the first violation: safety, liveness, convergence, full restart, judges.
    /// </summary>
    /// <param name="trace">Called with one line per event when given; does not change the run.</param>
    public static SimResult Run(SimPlan plan, Action<string>? trace = null) =>
        new SimRun(plan, [], trace).Run();

    /// <summary>The same, given up without a verdict when nothing was violated by that moment.</summary>
    /// <param name="end">Virtual time in microseconds.</param>
    public static SimResult RunUntil(SimPlan plan, long end) => new SimRun(plan, [], trace: null, end).Run();

    /// <summary>The same with observers besides the usual ones.</summary>
    internal static SimResult Run(SimPlan plan, IReadOnlyList<WorldObserver> observers, Action<string>? trace = null) =>
        new SimRun(plan, observers, trace).Run();
}
