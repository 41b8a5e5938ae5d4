namespace Kvorum.Simulator.Tests;

/// <summary>Whole runs: they are what they were, and the shipped code passes them.</summary>
public sealed class SimulationTests
{
    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    public void Calm_cluster_answers_everything(ulong seed)
    {
        var result = Simulation.Run(Simulation.Plan(seed, new SimSettings { SafetyPhase = 5_000_000 }));

        Assert.Null(result.Violation);
        Assert.NotEmpty(result.History);
        Assert.All(result.History, operation => Assert.Equal(OperationOutcome.Done, operation.Outcome));
    }

    [Fact]
    public void Fifty_seeds_are_clean_and_run_twice_the_same()
    {
        for (ulong seed = 100; seed < 150; seed++)
        {
            var first = Simulation.Run(Simulation.Plan(seed));
            var second = Simulation.Run(Simulation.Plan(seed));

            Assert.Null(first.Violation);
            Assert.Equal(first.TraceHash, second.TraceHash);
            Assert.Equal(first.Events, second.Events);
        }
    }

    [Fact]
    public void A_trace_changes_nothing()
    {
        var lines = 0;
        var plan = Simulation.Plan(7);

        var silent = Simulation.Run(plan);
        var told = Simulation.Run(plan, _ => lines++);

        Assert.Equal(silent.TraceHash, told.TraceHash);
        Assert.True(lines > 1_000);
    }

    [Fact]
    public void Removing_a_fault_from_a_plan_moves_no_other()
    {
        var settings = Simulation.Plan(11).Settings;
        var crash = new FaultRate(FaultKind.Crash, 30, 1);
        var pause = new FaultRate(FaultKind.Pause, 30, 1);
        var all = Simulation.Plan(11, settings with { Faults = [crash, pause] });
        var one = Simulation.Plan(11, settings with { Faults = [pause] });

        var pauses = all.Faults.Where(fault => fault.Kind is FaultKind.Pause).Select(fault => (fault.Number, fault.At));
        Assert.Equal(pauses, one.Faults.Select(fault => (fault.Number, fault.At)));
    }
}
