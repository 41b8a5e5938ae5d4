namespace Kvorum.Simulator.Tests;

/// <summary>The shrinker keeps what a failure needs, and little else.</summary>
public class ShrinkerTests
{
    [Fact]
    public void A_failure_of_two_faults_and_one_operation_shrinks_to_these()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(40) };
        var shrinker = new Shrinker((tried, _) => FailsWith(17, 31, 5)(tried), () => false);

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

        var small = new Shrinker((tried, _) => Run(tried), () => false).Shrink(Run(plan));

        Assert.Equal("R1", small.Violation?.Rule);
        Assert.Equal([0, 9], small.Plan.Faults.Select(fault => fault.Number));
    }

    [Fact]
    public void The_search_ends_when_its_time_is_over()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(40) };
        var asked = 0;
        var shrinker = new Shrinker((tried, _) => FailsWith(17, 31, 5)(tried), () => ++asked > 20);

        shrinker.Shrink(FailsWith(17, 31, 5)(plan));

        Assert.InRange(shrinker.Runs, 1, 20);
    }

    [Fact]
    public void Operations_that_only_make_a_log_long_give_way_to_tight_settings()
    {
        SimResult Run(SimPlan tried, long end) => Result(
            tried, tried.Operations.Count * 100 >= tried.Settings.SnapshotLogBytes ? Broken : null);
        var plan = Large(operations: 400, new SimSettings { SnapshotLogBytes = 30_000 });

        var small = new Shrinker(Run, () => false).Shrink(Run(plan, 0));

        Assert.InRange(small.Plan.Operations.Count, 1, Shrinker.OperationsGoal);
    }

    [Fact]
    public void A_failure_that_hangs_on_chance_is_tried_with_other_chance()
    {
        SimResult Run(SimPlan tried, long end)
        {
            var bits = new KeyedChance(tried.Seed).Bits(ChanceStream.Site, (ulong)tried.Operations.Count, 0);
            return Result(tried, tried.Operations.Count >= 5 && bits % 5 == 0 ? Broken : null);
        }

        var failing = Enumerable.Range(1, 1_000)
            .Select(seed => Large(300, new SimSettings()) with { Seed = (ulong)seed })
            .First(plan => Run(plan, 0).Violation is not null);

        var small = new Shrinker(Run, () => false).Shrink(Run(failing, 0));

        Assert.InRange(small.Plan.Operations.Count, 5, Shrinker.OperationsGoal);
    }

    [Fact]
    public void A_stream_of_requests_is_thinned()
    {
        const long Second = 1_000_000;
        SimResult Run(SimPlan tried, long end)
        {
            var seconds = tried.Operations.Select(one => one.At / Second).Distinct().Count();
            return Result(tried, seconds == 10 ? Broken : null);
        }

        var plan = Large(1_000, new SimSettings());
        var small = new Shrinker(Run, () => false).Shrink(Run(plan, 0));

        Assert.Equal(10, small.Plan.Operations.Count);
    }

    [Fact]
    public void Several_workers_find_what_one_finds()
    {
        var plan = Simulation.Plan(11) with { Faults = Faults(40) };
        SimResult Run(SimPlan tried, long end) => FailsWith(17, 31, 5)(tried);

        var one = new Shrinker(Run, () => false).Shrink(Run(plan, 0)).Plan;
        var three = new Shrinker(Run, () => false, workers: 3).Shrink(Run(plan, 0)).Plan;

        Assert.Equal(
            ScenarioText.Format(new Scenario("", [], [], one)), ScenarioText.Format(new Scenario("", [], [], three)));
    }

    [Fact]
    public void A_candidate_is_given_up_soon_after_the_moment_of_the_failure()
    {
        const long At = 8_000_000;
        var ends = new List<long>();
        SimResult Run(SimPlan tried, long end)
        {
            ends.Add(end);
            return Result(tried, Broken with { At = At });
        }

        new Shrinker(Run, () => false).Shrink(Run(Large(100, new SimSettings()), long.MaxValue));

        Assert.All(ends.Skip(1), end => Assert.InRange(end, At, 2 * At));
    }

    [Fact]
    public void A_run_that_is_given_up_is_not_judged()
    {
        var result = Simulation.RunUntil(Simulation.Plan(11), 2_000_000);

        Assert.Null(result.Violation);
        Assert.Empty(result.Verdicts);
        Assert.InRange(result.SimulatedTime, 1, 2_000_000);
    }

    private static Violation Broken { get; } = new("R1", "two leaders", long.MaxValue);

    /// <summary>So many reads within 10 seconds.</summary>
    private static SimPlan Large(int operations, SimSettings settings) => new(7, settings, [],
    [
        .. Enumerable.Range(0, operations).Select(i => new PlannedOperation(
            i, 1, i * 10_000_000L / operations, [new Step(StepKind.Read, "k", null, null)], false, false)),
    ]);

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
