namespace Kvorum.Simulator.Tests;

/// <summary>More is destroyed than a cluster can stand: it stops and says why, or the run is a violation.</summary>
[Collection(nameof(OneMutant))]
public class SafeHaltTests
{
    [Theory]
    [InlineData(FaultKind.WipedMajority, "knows this node with another directory")]
    [InlineData(FaultKind.RottenCopies, "Lost:")]
    public void A_majority_that_lost_its_memory_stops_and_says_why(FaultKind kind, string reason)
    {
        MutantCatalog.SwitchOn(0);
        var trace = new List<string>();
        var result = Simulation.Run(Plan(new Fault(1, kind, 5_000_000, 0, [1, 2], 16)), trace.Add);
        Assert.Null(result.Violation);
        Assert.True(result.IsSafeHalt);
        Assert.Contains(trace, line => line.Contains("safe halt", StringComparison.Ordinal)
            && line.Contains("1 waits", StringComparison.Ordinal) && line.Contains("2 waits", StringComparison.Ordinal)
            && line.Contains(reason, StringComparison.Ordinal));
    }

    [Fact]
    public void Wiped_nodes_do_not_found_a_cluster_anew_while_who_knows_better_is_away()
    {
        MutantCatalog.SwitchOn(0);
        var result = Simulation.Run(Plan(
            new Fault(1, FaultKind.Crash, 4_900_000, 60_000_000, [3], 0),
            new Fault(2, FaultKind.WipedMajority, 5_000_000, 0, [1, 2], 0)));
        Assert.Null(result.Violation);
        Assert.True(result.IsSafeHalt);
    }

    /// <summary>
    /// The one loss nobody can notice, and the plan never draws: it shows that an emptier history would be seen.
    /// </summary>
    [Fact]
    public void A_cluster_that_begins_anew_over_what_it_acknowledged_is_a_violation()
    {
        MutantCatalog.SwitchOn(0);
        var result = Simulation.Run(Plan(new Fault(1, FaultKind.WipedMajority, 5_000_000, 0, [1, 2, 3], 0)));
        Assert.NotNull(result.Violation);
        Assert.False(result.IsSafeHalt);
    }

    [Fact]
    public void One_seed_in_sixteen_is_beyond_tolerance_and_its_other_faults_are_what_they_were()
    {
        var beyond = Enumerable.Range(1, 400).Select(seed => Simulation.Plan((ulong)seed))
            .Where(plan => plan.Settings.IsBeyondTolerance).ToList();
        Assert.InRange(beyond.Count, 10, 50);
        foreach (var plan in beyond)
        {
            var within = Simulation.Plan(plan.Seed, plan.Settings with { IsBeyondTolerance = false });
            Assert.Equal(
                within.Faults.Select(fault => fault.Number),
                plan.Faults.Where(fault => !LossPlan.IsLoss(fault.Kind)).Select(fault => fault.Number));
            Assert.Single(plan.Faults, fault => LossPlan.IsLoss(fault.Kind));
        }
    }

    private static SimPlan Plan(params Fault[] faults)
    {
        var settings = new SimSettings { SafetyPhase = 10_000_000, IsBeyondTolerance = true };
        return Simulation.Plan(7, settings) with { Faults = faults };
    }
}
