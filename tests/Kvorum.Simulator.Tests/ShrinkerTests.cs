namespace Kvorum.Simulator.Tests;

/// <summary>The shrinker keeps what a failure needs, and little else.</summary>
public class ShrinkerTests
{
    [Fact]
    public void A_failure_of_two_faults_and_one_operation_shrinks_to_these()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(40) };
        var shrinker = new Shrinker(FailsWith(17, 31, 5), () => false);

        var small = shrinker.Shrink(FailsWith(17, 31, 5)(plan));

        Assert.Equal([17, 31], small.Plan.Faults.Select(fault => fault.Number));
        Assert.Equal([5], small.Plan.Operations.Select(operation => operation.Number));
        Assert.Equal(["safety-phase-us"], SettingsTable.Changed(small.Plan.Settings).Select(setting => setting.Name));
        Assert.True(small.Plan.Settings.SafetyPhase < plan.Settings.SafetyPhase);
    }

    [Fact]
    public void A_plan_that_breaks_another_rule_is_not_taken()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(10) };
        var needsAll = FailsWith(0, 9, 3);
        SimResult Run(SimPlan tried) =>
            needsAll(tried) is { Violation: not null } whole
                ? whole
                : Result(tried, new Violation("R4", "another one", 1));

        var small = new Shrinker(Run, () => false).Shrink(Run(plan));

        Assert.Equal("R1", small.Violation?.Rule);
        Assert.Equal([0, 9], small.Plan.Faults.Select(fault => fault.Number));
    }

    [Fact]
    public void The_search_ends_when_its_time_is_over()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(40) };
        var asked = 0;
        var shrinker = new Shrinker(FailsWith(17, 31, 5), () => ++asked > 20);

        shrinker.Shrink(FailsWith(17, 31, 5)(plan));

        Assert.InRange(shrinker.Runs, 1, 20);
    }

    private static Fault[] Faults(int count) =>
        [.. Enumerable.Range(0, count).Select(i => new Fault(i, FaultKind.Crash, 1_000 * i, 0, [1], 0))];

    private static Func<SimPlan, SimResult> FailsWith(int fault, int otherFault, int operation) => plan =>
    {
        var fails = plan.Faults.Any(one => one.Number == fault) && plan.Faults.Any(one => one.Number == otherFault)
            && plan.Operations.Any(one => one.Number == operation);
        return Result(plan, fails ? new Violation("R1", "two leaders", long.MaxValue) : null);
    };

    private static SimResult Result(SimPlan plan, Violation? violation) => new()
    {
        Plan = plan,
        Violation = violation,
        TraceHash = 0,
        History = [],
        Verdicts = [],
        SimulatedTime = 0,
        Events = 0,
        Injected = new Dictionary<string, long>(),
        Marks = new Dictionary<string, long>(),
        IsSafeHalt = false,
    };
}
