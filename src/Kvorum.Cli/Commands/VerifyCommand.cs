using System.CommandLine;
using Kvorum.Cli.Sim;
using Kvorum.Simulator;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum verify': earns each published claim anew, with one command per claim.</summary>
internal static class VerifyCommand
{
    private const long SimulationSeeds = 2_000;
    private const long DeterminismSeeds = 100;
    private const long JudgeHistories = 100_000;

    public static Command Create() =>
        new(
            "verify",
            "Earn a published claim anew: simulation, determinism, mutants, judges, shrinking. Exit code 1 when it "
                + "fails.")
        {
            CreateSimulation(),
            CreateDeterminism(),
            CreateMutants(),
            CreateJudges(),
            CreateShrinking(),
        };

    /// <summary>"No violation, and the same seed gives the same trace."</summary>
    private static Command CreateSimulation()
    {
        var options = new SimOptions();
        var command = new Command(
            "simulation", "Run seeds, each twice: no violation, equal trace hashes. Default: 2000 seeds.");
        options.AddTo(command);
        command.SetAction((parsed, _) => Interruption.RunAsync(async stop =>
        {
            var seed = options.Seed(parsed);
            var seeds = options.Seeds(parsed) ?? (options.Time(parsed) is null ? SimulationSeeds : long.MaxValue);
            var workers = options.Workers(parsed);
            var sweep = new SweepOptions(seed, seeds, workers, RunsPerSeed: 2);
            var run = new SweepRun(sweep, wanted => Simulation.Plan(wanted), options.Time(parsed));
            var (totals, elapsed) = await run.RunAsync("verify simulation", stop).ConfigureAwait(false);
            var investigation = new Investigation(options.Directory(parsed), isShrinking: true, workers);
            var findings = totals.Failures.Select(failure => investigation.Make(failure, stop)).ToArray();
            new SimOutput(seed, sweep.RunsPerSeed, workers, options.IsJson(parsed)).Print(totals, elapsed, findings);
            return findings.Length == 0 && totals.Seeds > 0 && HasSeenAll(totals) ? ExitCode.Done : ExitCode.Failed;
        }));
        return command;
    }

    /// <summary>No violation means little when what should be tried was not.</summary>
    private static bool HasSeenAll(SweepTotals totals)
    {
        var missed = ExpectedMarks.MissedBy(totals);
        if (missed.Count > 0)
        {
            Console.Error.WriteLine(
                $"{SimProgress.Text(totals.Seeds)} seeds should reach all {ExpectedMarks.All.Count} marks, and did not "
                + $"reach: {string.Join(", ", missed)}. Something is not tried any more.");
        }

        return missed.Count == 0;
    }

    /// <summary>"A seed gives the same trace in every process and build."</summary>
    private static Command CreateDeterminism()
    {
        var options = new SimOptions();
        var other = SimOptions.Optional(
            "--other", "DLL", "Compare with this build's kvorum.dll, too: for example Debug with Release.");
        var command = new Command(
            "determinism",
            "Run seeds here and in fresh processes, with and without tiered compilation: equal trace hashes. Default: "
                + "100 seeds.");
        options.AddSeedsTo(command);
        command.Add(other);
        command.SetAction((parsed, _) => Interruption.RunAsync(async stop =>
        {
            var comparison = new ProcessComparison(
                options.Seed(parsed), options.Seeds(parsed) ?? DeterminismSeeds, options.Workers(parsed));
            var isEqual = await comparison.RunAsync(parsed.GetValue(other), options.IsJson(parsed), stop)
                .ConfigureAwait(false);
            return isEqual ? ExitCode.Done : ExitCode.Failed;
        }));
        return command;
    }

    /// <summary>"Every seeded bug is found."</summary>
    private static Command CreateMutants()
    {
        var options = new SimOptions();
        var only = SimOptions.Optional("--mutants", "LIST", "Only these, for example 1-24,31. Default: all.");
        var command = new Command(
            "mutants", "Switch on one seeded bug after the other and count the seeds until it is found.");
        options.AddHuntTo(command);
        command.Add(only);
        command.SetAction((parsed, _) => Interruption.RunAsync(stop => new MutantRun(
            options.Seed(parsed), options.Seeds(parsed), options.Time(parsed), options.Workers(parsed))
            .RunAsync(parsed.GetValue(only), options.IsJson(parsed), stop)));
        return command;
    }

    /// <summary>"The judges are right."</summary>
    private static Command CreateJudges()
    {
        var options = new SimOptions();
        var histories = SimOptions.Optional(
            "--histories", "N", "Small histories for each judge. Default: 100000.");
        var command = new Command(
            "judges",
            "Compare every judge with brute force on small random histories, and on larger ones with a planted "
                + "anomaly, which it must name.");
        options.AddSeedTo(command);
        command.Add(histories);
        command.SetAction((parsed, _) => Interruption.RunAsync(stop => new JudgeRun(
            options.Seed(parsed), SimOptions.Number(parsed, histories, JudgeRun.HistoriesMax) ?? JudgeHistories)
            .RunAsync(options.IsJson(parsed), stop)));
        return command;
    }

    /// <summary>"A failing seed becomes a plan that a person can read, within a minute."</summary>
    private static Command CreateShrinking()
    {
        var options = new SimOptions();
        var only = SimOptions.Optional("--mutants", "LIST", "Only these, for example 1-24,31. Default: all.");
        var seconds = SimOptions.Optional("--seconds", "N", "The most time for each. Default: 60.");
        var scenarios = SimOptions.Optional("--scenarios", "DIR", "Write the small plans there.");
        var forMuseum = new Option<bool>("--for-museum")
        {
            Description = "Only plans under which the shipped code shows nothing; one run at a time.",
        };
        var command = new Command(
            "shrinking", "Shrink the first failing seed of each seeded bug to at most 10 faults and 20 operations.");
        options.AddSearchTo(command);
        foreach (var option in (Option[])[only, seconds, scenarios, forMuseum])
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) => Interruption.RunAsync(stop =>
        {
            var time = TimeSpan.FromSeconds(SimOptions.Number(parsed, seconds, 86_400) ?? 60);
            var run = new ShrinkRun(
                options.Seed(parsed), options.Workers(parsed), time, parsed.GetValue(scenarios),
                parsed.GetValue(forMuseum));
            return Task.Run(() => run.Run(parsed.GetValue(only), stop), CancellationToken.None);
        }));
        return command;
    }
}
