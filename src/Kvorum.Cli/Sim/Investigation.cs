using System.Diagnostics;
using System.Globalization;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Makes of a failing seed what a person needs: a replay line, a small scenario, a page.</summary>
/// <param name="directory">Where the files go.</param>
/// <param name="workers">How many runs at a time while it shrinks.</param>
/// <param name="scenario">Name or file of the scenario that ran instead of a seed.</param>
/// <param name="nodes">The voters asked for; null when the seed drew them.</param>
internal sealed class Investigation(
    string directory, bool isShrinking, int workers, string? scenario = null, long? nodes = null)
{
    /// <summary>Shrinking ends with what it has after this long.</summary>
    private static readonly TimeSpan ShrinkMax = TimeSpan.FromMinutes(1);

    public Finding Make(SimResult failure, CancellationToken cancel)
    {
        var plan = failure.Plan;
        var seed = plan.Seed.ToString(CultureInfo.InvariantCulture);
        var smallest = failure;
        if (isShrinking && failure.Violation?.Rule != "determinism")
        {
            Console.Error.WriteLine($"Shrinking seed {seed} for at most {ShrinkMax.TotalSeconds:0} s …");
            var clock = Stopwatch.StartNew();
            bool IsOver() => clock.Elapsed > ShrinkMax || cancel.IsCancellationRequested;
            smallest = new Shrinker(Simulation.RunUntil, IsOver, workers: workers).Shrink(failure);
        }

        Directory.CreateDirectory(directory);
        var name = scenario is null
            ? $"kvorum-sim-{seed}"
            : Path.GetFileNameWithoutExtension(scenario) + "-shrunk"; // Never over the scenario itself.
        var file = Path.Combine(directory, name + ".txt");
        var rule = failure.Violation!.Rule;
        var story = new[] { $"Breaks {rule}: {smallest.Violation!.Explanation}" };
        var small = new Scenario($"seed {seed} breaks {rule}", [], story, smallest.Plan);
        File.WriteAllText(file, ScenarioText.Format(small));
        var page = Path.Combine(directory, name + ".html");
        var again = $"kvorum sim --scenario {file}";
        File.WriteAllText(
            page, HistoryPage.Write(smallest.History, smallest.Plan.Faults, VerdictOf(smallest), again));
        return new Finding(failure, smallest, Replay(seed), file, page);
    }

    private string Replay(string seed)
    {
        var voters = nodes is { } count ? string.Create(CultureInfo.InvariantCulture, $" --nodes {count}") : "";
        return scenario is null ? $"kvorum sim --seed {seed}{voters}" : $"kvorum sim --scenario {scenario}";
    }

    /// <summary>What a judge said, or the broken rule as if a judge had said it.</summary>
    private static Verdict VerdictOf(SimResult result)
    {
        var violation = result.Violation!;
        return result.Verdicts.FirstOrDefault(verdict => verdict.Kind != VerdictKind.Valid)
            ?? new Verdict("rules", VerdictKind.Violation, violation.Rule, violation.Explanation, []);
    }
}
