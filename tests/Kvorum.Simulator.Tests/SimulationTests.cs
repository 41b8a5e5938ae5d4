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
    public void Same_plan_gives_the_same_trace_hash()
    {
        for (ulong seed = 100; seed < 110; seed++)
        {
            var first = Simulation.Run(Simulation.Plan(seed));
            var second = Simulation.Run(Simulation.Plan(seed));

            Assert.Equal(first.TraceHash, second.TraceHash);
        }
    }
}
