namespace Kvorum.Simulator.Tests;

/// <summary>More is destroyed than a cluster can stand: it stops and says why, or the run is a violation.</summary>
[Collection(nameof(OneMutant))]
public class SafeHaltTests
{
    [Theory]
    [InlineData(FaultKind.WipedMajority, 2, "knows this node with another directory")]
    [InlineData(FaultKind.RottenCopies, 3, "mending its log: entries")]
    public void A_majority_that_lost_its_memory_stops_and_says_why(FaultKind kind, int count, string reason)
    {
        MutantCatalog.SwitchOn(0);
        var trace = new List<string>();
        int[] nodes = [.. Enumerable.Range(1, count)];
        var result = Simulation.Run(Plan(new Fault(1, kind, 5_000_000, 0, nodes, 16)), trace.Add);
        Assert.Null(result.Violation);
        Assert.True(result.IsSafeHalt);
        Assert.Contains(trace, line => line.Contains("safe halt", StringComparison.Ordinal)
            && line.Contains("1 waits", StringComparison.Ordinal) && line.Contains("2 waits", StringComparison.Ordinal)
            && line.Contains(reason, StringComparison.Ordinal));
    }

    /// <summary>
    /// Two or three of three logs rot, at places that are drawn: as long as each entry is whole somewhere beside the
    /// entry behind it, the cluster mends itself and goes on, and every rule holds.
    /// </summary>
    [Theory]
    [InlineData(2, 1, 40, 0)]
    [InlineData(2, 4, 40, 0)]
    [InlineData(3, 1, 40, 0)]
    public void Logs_that_rot_at_different_places_are_mended(int nodes, int bits, int seeds, int haltsMax)
    {
        MutantCatalog.SwitchOn(0);
        var (halts, mended) = (0, 0L);
        for (var seed = 1UL; seed <= (ulong)seeds; seed++)
        {
            var fault = new Fault(1, FaultKind.RottenCopies, 5_000_000, 0, [.. Enumerable.Range(1, nodes)], bits);
            var settings = new SimSettings { SafetyPhase = 10_000_000, IsBeyondTolerance = true };
            var result = Simulation.Run(Simulation.Plan(seed, settings) with { Faults = [fault] });
            Assert.Null(result.Violation);
            halts += result.IsSafeHalt ? 1 : 0;
            mended += result.Marks.GetValueOrDefault("log.mended");
        }

        TestContext.Current.SendDiagnosticMessage($"{mended} logs mended, {halts} halts.");
        Assert.True(mended >= seeds * nodes * 3 / 4 && halts <= haltsMax, $"{mended} logs mended, {halts} halts.");
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
