namespace Kvorum.Simulator;

/// <summary>
/// Makes a failing plan small: fewest faults, operations and peculiarities that still break the same rule.
/// </summary>
/// <remarks>
/// Draws are keyed, not ordered, so taking something out leaves the rest as it was. What is left need not show the same
/// way to the failure, only the same rule broken.
/// </remarks>
/// <param name="run">Runs a plan.</param>
/// <param name="isOver">Asked before each run; true ends the search with the smallest plan so far.</param>
/// <param name="runsMax">The most runs.</param>
public sealed class Shrinker(Func<SimPlan, SimResult> run, Func<bool> isOver, int runsMax = 5_000)
{
    /// <summary>No phase is made shorter than this, in microseconds.</summary>
    private const long PhaseMin = 1_000_000;

    private SimResult _best = null!; // Set by Shrink before anything else.
    private string _rule = "";
    private int _runs;

    /// <summary>Runs made so far.</summary>
    public int Runs => _runs;

    /// <param name="failure">The result of a run that broke a rule.</param>
    /// <returns>The smallest failing result found; <paramref name="failure"/> itself when nothing could go.</returns>
    public SimResult Shrink(SimResult failure)
    {
        ArgumentNullException.ThrowIfNull(failure);
        _best = failure;
        _rule = failure.Violation?.Rule ?? throw new ArgumentException("The run broke no rule.", nameof(failure));
        int before;
        do
        {
            before = Size(_best.Plan);
            CutTheEnd();
            Remove(plan => plan.Faults, (plan, faults) => plan with { Faults = faults });
            Remove(plan => plan.Operations, (plan, operations) => plan with { Operations = operations });
            ResetSettings();
            ShortenSafetyPhase();
        }
        while (Size(_best.Plan) < before && MayRun);

        return _best;
    }

    private bool MayRun => _runs < runsMax && !isOver();

    private static int Size(SimPlan plan) =>
        plan.Faults.Count + plan.Operations.Count + SettingsTable.Changed(plan.Settings).Count();

    /// <summary>What was planned for after the failure had no part in it.</summary>
    private void CutTheEnd()
    {
        var end = _best.Violation!.At;
        var plan = _best.Plan;
        Try(plan with
        {
            Faults = [.. plan.Faults.Where(fault => fault.At <= end)],
            Operations = [.. plan.Operations.Where(operation => operation.At <= end)],
        });
    }

    /// <summary>Delta debugging (Zeller): takes out halves, then quarters, … then single ones.</summary>
    private void Remove<T>(Func<SimPlan, IReadOnlyList<T>> list, Func<SimPlan, IReadOnlyList<T>, SimPlan> with)
    {
        if (list(_best.Plan).Count > 0 && Try(with(_best.Plan, [])))
        {
            return;
        }

        var chunk = Math.Max(1, list(_best.Plan).Count / 2);
        while (MayRun)
        {
            var isSmaller = false;
            for (var from = 0; from < list(_best.Plan).Count && MayRun;)
            {
                var all = list(_best.Plan);
                IReadOnlyList<T> rest = [.. all.Take(from), .. all.Skip(from + chunk)];
                if (Try(with(_best.Plan, rest)))
                {
                    isSmaller = true; // What stood behind has moved here.
                }
                else
                {
                    from += chunk;
                }
            }

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

    private void ResetSettings()
    {
        foreach (var setting in SettingsTable.Changed(_best.Plan.Settings).ToArray())
        {
            if (setting.Name != SettingsTable.MutantName && MayRun)
            {
                Try(_best.Plan with { Settings = SettingsTable.Reset(_best.Plan.Settings, setting) });
            }
        }
    }

    /// <summary>Brings the end near: halves the time of faults as long as the failure stays.</summary>
    private void ShortenSafetyPhase()
    {
        var setting = SettingsTable.SafetyPhase;
        while (MayRun && setting.Get(_best.Plan.Settings) is > PhaseMin and var length
            && Try(_best.Plan with { Settings = setting.With(_best.Plan.Settings, length / 2) }))
        {
        }
    }

    private bool Try(SimPlan plan)
    {
        if (!MayRun || (plan.Faults.Count == _best.Plan.Faults.Count
            && plan.Operations.Count == _best.Plan.Operations.Count && plan.Settings == _best.Plan.Settings))
        {
            return false;
        }

        _runs++;
        var result = run(plan);
        if (result.Violation?.Rule != _rule)
        {
            return false;
        }

        _best = result;
        return true;
    }
}
