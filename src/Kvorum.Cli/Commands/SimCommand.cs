using System.CommandLine;
using Kvorum.Cli.Sim;
using Kvorum.Simulator;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum sim': clusters in virtual time, with faults drawn from seeds, judged after each.</summary>
internal static class SimCommand
{
    private const long SeedsDefault = 100;

    private static readonly Option<string?> Scenario = SimOptions.Optional(
        "--scenario", "NAME", "Run this scenario instead of seeds: a name of 'kvorum sim --list', or a file.");

    private static readonly Option<string?> Nodes = SimOptions.Optional(
        "--nodes", "N", $"Voters of every cluster, 1 to {SimSettings.VotersMax}. Default: drawn from the seed.");

    private static readonly Option<string?> Trace = SimOptions.Optional(
        "--trace", "FILE", "Write one line per event; for one seed or scenario.");

    private static readonly Option<bool> Hashes = new("--hashes")
    {
        Description = "Print each seed and its trace hash.",
        Hidden = true,
    };

    private static readonly Option<bool> List = new("--list") { Description = "List the scenarios that come along." };

    private static readonly Option<string?> FailuresMax = SimOptions.Optional(
        "--failures-max", "N", "End after so many failing seeds. Default: 1.");

    private static readonly Option<bool> KeepLarge = new("--no-shrink")
    {
        Description = "Leave a failing seed as it is.",
    };

    public static Command Create()
    {
        var options = new SimOptions();
        var command = new Command(
            "sim",
            "Run the real consensus, storage and node code in a simulated world with faults, and judge what clients "
                + "saw. Exit code 1 when something was violated.");
        options.AddTo(command);
        foreach (var option in (Option[])[Scenario, Nodes, Trace, List, FailuresMax, KeepLarge, Hashes])
        {
            command.Add(option);
        }

        command.SetAction((parsed, _) =>
            Interruption.RunAsync(stop => RunAsync(options, parsed, stop)));
        return command;
    }

    private static async Task<int> RunAsync(SimOptions options, ParseResult parsed, CancellationToken cancel)
    {
        if (parsed.GetValue(List))
        {
            SimScenarios.Print();
            return ExitCode.Done;
        }

        var seed = options.Seed(parsed);
        Func<ulong, SimPlan> plan = Planner(parsed);
        var count = SeedsOf(options, parsed);
        if (parsed.GetValue(Scenario) is { } scenario)
        {
            var read = SimScenarios.Read(scenario);
            (seed, plan, count) = (read.Seed, _ => read, 1);
        }

        using var trace = OpenTrace(parsed.GetValue(Trace), count);
        var workers = count == 1 ? 1 : options.Workers(parsed);
        var failuresMax = (int)(SimOptions.Number(parsed, FailuresMax, int.MaxValue) ?? 1);
        var sweep = new SweepOptions(seed, count, workers, FailuresMax: failuresMax);
        var run = new SweepRun(sweep, plan, options.Time(parsed))
        {
            Trace = trace is null ? null : trace.WriteLine,
            OnSeed = parsed.GetValue(Hashes) ? PrintHash : null,
        };
        var (totals, elapsed) = await run.RunAsync("sim", cancel).ConfigureAwait(false);
        var investigation = new Investigation(
            options.Directory(parsed), !parsed.GetValue(KeepLarge), options.Workers(parsed), parsed.GetValue(Scenario),
            NodesOf(parsed));
        var findings = totals.Failures.Select(failure => investigation.Make(failure, cancel)).ToArray();
        new SimOutput(seed, 1, workers, options.IsJson(parsed)).Print(totals, elapsed, findings);
        return findings.Length == 0 ? ExitCode.Done : ExitCode.Failed;
    }

    private static long SeedsOf(SimOptions options, ParseResult parsed)
    {
        if (options.Seeds(parsed) is { } seeds)
        {
            return seeds;
        }

        return options.Time(parsed) is not null ? long.MaxValue : options.HasSeed(parsed) ? 1 : SeedsDefault;
    }

    private static Func<ulong, SimPlan> Planner(ParseResult parsed)
    {
        var nodes = NodesOf(parsed);
        return seed => Simulation.Plan(seed, nodes);
    }

    private static int? NodesOf(ParseResult parsed) =>
        (int?)SimOptions.Number(parsed, Nodes, SimSettings.VotersMax);

    private static StreamWriter? OpenTrace(string? file, long count)
    {
        if (file is null)
        {
            return null;
        }

        if (count != 1)
        {
            throw new UsageException("--trace: expected one seed (--seed N) or one scenario, found several");
        }

        try
        {
            return new StreamWriter(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new UsageException($"--trace: expected a file that can be written, found '{file}': {e.Message}");
        }
    }

    private static void PrintHash(ulong seed, SimResult result) => Console.WriteLine($"{seed} {result.TraceHash:x16}");
}
