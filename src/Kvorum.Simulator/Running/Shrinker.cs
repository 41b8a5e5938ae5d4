namespace Kvorum.Simulator;

/// <summary>
/// Makes a failing plan small: fewest faults, operations and peculiarities that still break the same rule.
/// </summary>
/// <remarks>
/// Draws are keyed, not ordered, so taking something out leaves the rest nearly as it was. What is left need not show
/// the same way to the failure, only the same rule broken.
/// </remarks>
/// <param name="run">Runs a plan up to a moment of virtual time, on any thread.</param>
/// <param name="isOver">Asked before each run; true ends the search with the smallest plan so far.</param>
/// <param name="runsMax">The most runs.</param>
/// <param name="workers">How many runs at a time.</param>
public sealed class Shrinker(
    Func<SimPlan, long, SimResult> run, Func<bool> isOver, int runsMax = 20_000, int workers = 1)
{
    /// <summary>A person reads so many faults and operations with ease; beyond, the search takes pains.</summary>
    public const int FaultsGoal = 10;

    /// <inheritdoc cref="FaultsGoal"/>
    public const int OperationsGoal = 20;

    /// <summary>No phase is made shorter than this, in microseconds.</summary>
    private const long PhaseMin = 1_000_000;

    /// <summary>Seeds that a large cut is tried with: a failure that hangs on chance may need other chance.</summary>
    private const int SeedsPerCut = 4;

    /// <summary>Single pieces are come to from so many; larger ones were tried before.</summary>
    private const int FirstChunks = 8;

    /// <summary>The search ends after so many rounds that made nothing smaller.</summary>
    private const int IdleRoundsMax = 40;

    /// <summary>The same before single pieces are tried, which takes long while there are many.</summary>
    private const int RoughRoundsMax = 6;

    private static readonly string[] NoiseNames =
    [
        "drop-ppm", "duplicate-ppm", "late-copy-ppm", "reorder-ppm", "heavy-tail-ppm", "slow-sync-ppm",
        "apply-delay-mean-us", "clock-drift-ppm",
    ];

    /// <summary>With these a log grows to its next segment and its next snapshot by few operations.</summary>
    private static readonly (string Name, long Value)[] Tight =
    [
        ("snapshot-log-bytes", 1), ("trailing-entries", 0), ("wal-segment-bytes", 4096), ("snapshot-chunk-bytes", 64),
    ];

    private static readonly (string Name, long[] Values)[] Fewer =
    [
        ("voters", [1, 2, 3, 5]), ("learners", [0]), ("clients", [1, 2, 3]),
    ];

    private ShrinkSearch _search = null!; // Set by Shrink before anything else.
    private ChanceSource _chance = null!;

    /// <summary>Runs made so far.</summary>
    public int Runs => _search?.Runs ?? 0;

    private SimPlan Plan => _search.Plan;

    private bool IsReadable => Plan.Faults.Count <= FaultsGoal && Plan.Operations.Count <= OperationsGoal;

    /// <param name="failure">The result of a run that broke a rule.</param>
    /// <returns>The smallest failing result found; <paramref name="failure"/> itself when nothing could go.</returns>
    public SimResult Shrink(SimResult failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        if (failure.Violation is null)
        {
            throw new ArgumentException("The run broke no rule.", nameof(failure));
        }

        _search = new ShrinkSearch(run, isOver, runsMax, workers, failure);
        _chance = new ChanceSource(new KeyedChance(failure.Plan.Seed), ChanceStream.Site, 1);
        CutTheEnd();
        RemoveNoise();
        ShortenSafetyPhase();
        CutRoughly();
        int before;
        do
        {
            before = Size(Plan);
            CutTheEnd();
            Remove(FaultsOf, WithFaults);
            Thin();
            Tighten();
            Remove(OperationsOf, WithOperations);
            ResetSettings();
            ShortenSafetyPhase();
            CutWithOtherChance(IdleRoundsMax);
        }
        while (Size(Plan) < before && _search.MayRun);

        return _search.Best;
    }

    private static int Size(SimPlan plan) =>
        plan.Faults.Count + plan.Operations.Count + SettingsTable.Changed(plan.Settings).Count();

    private static IReadOnlyList<Fault> FaultsOf(SimPlan plan) => plan.Faults;

    private static SimPlan WithFaults(SimPlan plan, IReadOnlyList<Fault> faults) => plan with { Faults = faults };

    private static IReadOnlyList<PlannedOperation> OperationsOf(SimPlan plan) => plan.Operations;

    private static SimPlan WithOperations(SimPlan plan, IReadOnlyList<PlannedOperation> operations) =>
        plan with { Operations = operations };

    private static SimPlan With(SimPlan plan, string name, long value) =>
        plan with { Settings = SettingsTable.Find(name)!.With(plan.Settings, value) };

    private static SimPlan WithDefault(SimPlan plan, string name) =>
        plan with { Settings = SettingsTable.Reset(plan.Settings, SettingsTable.Find(name)!) };

    /// <summary>What was planned for after the failure had no part in it.</summary>
    private void CutTheEnd()
    {
        var end = _search.Best.Violation!.At;
        var cut = Plan with
        {
            Faults = [.. Plan.Faults.Where(fault => fault.At <= end)],
            Operations = [.. Plan.Operations.Where(operation => operation.At <= end)],
        };
        _search.Try(cut);
    }

    /// <summary>A calm world runs faster, and repeats itself more easily.</summary>
    private void RemoveNoise()
    {
        if (!_search.Try(NoiseNames.Aggregate(Plan, WithDefault)))
        {
            foreach (var name in NoiseNames)
            {
                _search.Try(WithDefault(Plan, name));
            }
        }
    }

    /// <summary>Everything, halves, quarters and eighths of both lists, with other chance where it takes it.</summary>
    private void CutRoughly()
    {
        for (var parts = 1; parts <= 8 && _search.MayRun; parts *= 2)
        {
            RemoveParts(OperationsOf, WithOperations, parts);
            RemoveParts(FaultsOf, WithFaults, parts);
            if (parts == 1)
            {
                Thin();
                Tighten();
                Thin();
            }
        }

        CutWithOtherChance(RoughRoundsMax);
    }

    /// <summary>Where clients must go on all the time, fewer requests may do: every 64th, 32nd, … second.</summary>
    private void Thin()
    {
        for (var every = 64; every >= 2 && Plan.Operations.Count > OperationsGoal; every /= 2)
        {
            var rest = Plan.Operations.Where((_, place) => place % every == every - 1).ToArray();
            if (rest.Length > 1 && _search.First(SeedsOf(WithOperations(Plan, rest))) >= 0)
            {
                return;
            }
        }
    }

    private void RemoveParts<T>(
        Func<SimPlan, IReadOnlyList<T>> list, Func<SimPlan, IReadOnlyList<T>, SimPlan> with, int parts)
    {
        var chunk = (list(Plan).Count + parts - 1) / parts;
        for (var from = 0; chunk > 0 && from < list(Plan).Count && _search.MayRun;)
        {
            var smaller = with(Plan, Without(list(Plan), from, chunk));
            if (_search.First(SeedsOf(smaller)) < 0)
            {
                from += chunk;
            }
        }
    }

    /// <summary>Delta debugging (Zeller): takes out eighths, then smaller pieces, … then single ones.</summary>
    private void Remove<T>(Func<SimPlan, IReadOnlyList<T>> list, Func<SimPlan, IReadOnlyList<T>, SimPlan> with)
    {
        if (list(Plan).Count == 0 || _search.Try(with(Plan, [])))
        {
            return;
        }

        var chunk = Math.Max(1, list(Plan).Count / FirstChunks);
        while (_search.MayRun)
        {
            var isSmaller = RemoveChunks(list, with, chunk);
            if (chunk > 1)
            {
                chunk = (chunk + 1) / 2;
            }
            else if (!isSmaller)
            {
                return;
            }
        }
    }

    private bool RemoveChunks<T>(
        Func<SimPlan, IReadOnlyList<T>> list, Func<SimPlan, IReadOnlyList<T>, SimPlan> with, int chunk)
    {
        var isSmaller = false;
        for (var from = 0; from < list(Plan).Count && _search.MayRun;)
        {
            var candidates = new List<SimPlan>();
            for (var place = from; place < list(Plan).Count && candidates.Count < workers; place += chunk)
            {
                candidates.Add(with(Plan, Without(list(Plan), place, chunk)));
            }

            var taken = _search.First(candidates);
            isSmaller |= taken >= 0;
            from += (taken < 0 ? candidates.Count : taken) * chunk; // What stood behind has moved to where it was.
        }

        return isSmaller;
    }

    private static IReadOnlyList<T> Without<T>(IReadOnlyList<T> all, int from, int count) =>
        [.. all.Take(from), .. all.Skip(from + count)];

    /// <summary>The plan as it is, and with other chance.</summary>
    private List<SimPlan> SeedsOf(SimPlan plan)
    {
        var plans = new List<SimPlan> { plan };
        while (plans.Count < SeedsPerCut)
        {
            plans.Add(plan with { Seed = _chance.Bits() >> 32 });
        }

        return plans;
    }

    /// <summary>
    /// Many operations are there only to make a log long: with tight settings, fewer nodes and clients few are enough.
    /// </summary>
    private void Tighten()
    {
        if (Plan.Operations.Count <= OperationsGoal)
        {
            return;
        }

        foreach (var (name, values) in Fewer)
        {
            var now = SettingsTable.Find(name)!.Get(Plan.Settings);
            foreach (var value in values.Where(value => value < now))
            {
                if (_search.Try(With(Plan, name, value)))
                {
                    break;
                }
            }
        }

        foreach (var (name, value) in Tight)
        {
            _search.Try(With(Plan, name, value));
        }
    }

    private void ResetSettings()
    {
        foreach (var setting in SettingsTable.Changed(Plan.Settings).ToArray())
        {
            if (setting.Name != SettingsTable.MutantName && _search.MayRun)
            {
                _search.Try(WithDefault(Plan, setting.Name));
            }
        }
    }

    /// <summary>Brings the end near: halves the time of faults as long as the failure stays.</summary>
    private void ShortenSafetyPhase()
    {
        var setting = SettingsTable.SafetyPhase;
        while (_search.MayRun && setting.Get(Plan.Settings) is > PhaseMin and var length
            && _search.Try(With(Plan, setting.Name, length / 2)))
        {
        }
    }

    /// <summary>
    /// Where no single piece can go, the failure hangs on moments that every cut moves: takes out random pieces, with
    /// chance drawn anew, as long as the plan is more than a person reads.
    /// </summary>
    private void CutWithOtherChance(int idleRoundsMax)
    {
        for (var idle = 0; idle < idleRoundsMax && !IsReadable && _search.MayRun; idle++)
        {
            var candidates = new List<SimPlan>();
            for (var i = 0; i < 2 * SeedsPerCut; i++)
            {
                candidates.Add(SomeOf(Plan) with { Seed = _chance.Bits() >> 32 });
            }

            if (_search.First(candidates) >= 0)
            {
                idle = 0;
                CutTheEnd();
            }
        }
    }

    private SimPlan SomeOf(SimPlan plan)
    {
        var keeps = _chance.Pick([500_000, 700_000, 850_000, 950_000]);
        return plan with
        {
            Faults = plan.Faults.Count > FaultsGoal ? Some(plan.Faults, keeps) : plan.Faults,
            Operations = plan.Operations.Count > OperationsGoal ? Some(plan.Operations, keeps) : plan.Operations,
        };
    }

    private T[] Some<T>(IReadOnlyList<T> all, int keepsPerMillion) =>
        [.. all.Where(_ => _chance.Hits(keepsPerMillion))];
}
