namespace Kvorum.Simulator;

/// <summary>The simulator's face: plans from seeds, runs from plans.</summary>
/// <remarks>Any thread may run one; a run uses only the thread that calls it and shares nothing with others.</remarks>
public static class Simulation
{
    /// <summary>Draws swarm settings, faults and operations from a seed.</summary>
    public static SimPlan Plan(ulong seed) => throw new NotImplementedException();

    /// <summary>
    /// Runs a plan to its end or to the first violation: safety, liveness, convergence, full restart, judges.
    /// </summary>
    /// <param name="trace">Called with one line per event when given; does not change the run.</param>
    public static SimResult Run(SimPlan plan, Action<string>? trace = null) => throw new NotImplementedException();
}
