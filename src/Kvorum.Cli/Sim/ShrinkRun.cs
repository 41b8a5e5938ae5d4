using System.Diagnostics;
using System.Globalization;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Shrinks the first failing seed of each seeded bug, and tells how small it became and how fast.</summary>
/// <param name="seed">The first seed of each hunt.</param>
/// <param name="directory">Where the scenarios go; null: nowhere.</param>
/// <param name="isForMuseum">
/// Only plans under which the shipped code shows nothing. One run at a time: which bug is on is the process's affair.
/// </param>
internal sealed class ShrinkRun(ulong seed, int workers, TimeSpan timeMax, string? directory, bool isForMuseum)
{
    /// <returns>The exit code: done when every failure became readable in time.</returns>
    public int Run(string? only, CancellationToken cancel)
    {
        var wanted = MutantRun.Wanted(only, "shrinking");
        var rows = new List<(int Faults, int Operations, double Seconds)>();
        Console.WriteLine($"First failing seeds from {seed} on, at most {timeMax.TotalSeconds:0} s each.");
        Console.WriteLine($"{"NO",3}  {"SEED",6} {"RULE",-20} {"FAULTS",-12} {"OPERATIONS",-12} {"TIME",8} {"RUNS",6}");
        foreach (var mutant in wanted)
        {
            if (cancel.IsCancellationRequested)
            {
                break;
            }

            MutantCatalog.SwitchOn(mutant.Number);
            var found = MutantHunt.Hunt(mutant.Number, seed, mutant.SeedsMax, workers, cancel);
            if (found.Seed is { } failing)
            {
                rows.Add(Shrink(mutant, failing, cancel));
            }
            else
            {
                var why = found.Violation is null ? "survived" : "found without a seed";
                Console.WriteLine($"{mutant.Number,3}  {"–",6} {why}");
            }

            MutantCatalog.SwitchOn(0);
        }

        Summarise(rows);
        return rows.Count > 0 && rows.All(IsReadable) ? ExitCode.Done : ExitCode.Failed;
    }

    private (int Faults, int Operations, double Seconds) Shrink(Mutant mutant, ulong failing, CancellationToken cancel)
    {
        var plan = Simulation.Plan(failing);
        var failure = Simulation.Run(plan with { Settings = plan.Settings with { Mutant = mutant.Number } });
        var rule = failure.Violation!.Rule;
        var clock = Stopwatch.StartNew();
        bool IsOver() => clock.Elapsed > timeMax || cancel.IsCancellationRequested;
        Func<SimPlan, long, SimResult> run = Simulation.RunUntil;
        if (isForMuseum)
        {
            run = (wanted, end) => RunBoth(mutant, rule, wanted, end);
        }

        var shrinker = new Shrinker(run, IsOver, workers: isForMuseum ? 1 : workers);
        var small = shrinker.Shrink(failure);
        var seconds = clock.Elapsed.TotalSeconds;
        var (faults, operations) = (small.Plan.Faults.Count, small.Plan.Operations.Count);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{mutant.Number,3}  {failing,6} {rule,-20} {$"{plan.Faults.Count} → {faults}",-12} "
                + $"{$"{plan.Operations.Count} → {operations}",-12} {seconds,6:0.0} s {shrinker.Runs,6}"));
        if (directory is not null)
        {
            Directory.CreateDirectory(directory);
            var settings = small.Plan.Settings with { Mutant = 0 };
            string[] story = [$"Breaks {rule}: {small.Violation!.Explanation}"];
            var scenario = new Scenario(
                $"a node that {mutant.Bug}", [mutant.Number], story, small.Plan with { Settings = settings });
            File.WriteAllText(
                Path.Combine(directory, $"mutant-{mutant.Number}.txt"), ScenarioText.Format(scenario));
        }

        return (faults, operations, seconds);
    }

    /// <summary>With the bug and, when that shows it, without.</summary>
    private static SimResult RunBoth(Mutant mutant, string rule, SimPlan plan, long end)
    {
        var result = Simulation.RunUntil(plan, end);
        if (result.Violation?.Rule != rule)
        {
            return result;
        }

        MutantCatalog.SwitchOn(0);
        var shipped = Simulation.Run(plan);
        MutantCatalog.SwitchOn(mutant.Number);
        return shipped.Violation is null ? result : result with { Violation = null };
    }

    private static bool IsReadable((int Faults, int Operations, double Seconds) row) =>
        row.Faults <= Shrinker.FaultsGoal && row.Operations <= Shrinker.OperationsGoal;

    private static void Summarise(List<(int Faults, int Operations, double Seconds)> rows)
    {
        if (rows.Count == 0)
        {
            return;
        }

        var readable = rows.Count(IsReadable);
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{readable} of {rows.Count} to at most {Shrinker.FaultsGoal} faults and {Shrinker.OperationsGoal} "
                + $"operations; median (most) {Median(rows.Select(row => (double)row.Faults)):0} "
                + $"({rows.Max(row => row.Faults)}) faults, {Median(rows.Select(row => (double)row.Operations)):0} "
                + $"({rows.Max(row => row.Operations)}) operations, {Median(rows.Select(row => row.Seconds)):0.0} s."));
    }

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
