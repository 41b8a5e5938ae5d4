using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvorum.Cli.Serve;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Hunts the seeded bugs of a build made with -p:Mutants=true, one after the other.</summary>
/// <param name="seed">The first seed of each hunt.</param>
/// <param name="seedsMax">Seeds per bug; null: as many as the bug may survive.</param>
/// <param name="timeMax">For each bug; null: none.</param>
internal sealed class MutantRun(ulong seed, long? seedsMax, TimeSpan? timeMax, int workers)
{
    /// <returns>The exit code: done when every bug was found.</returns>
    public async Task<int> RunAsync(string? only, bool isJson, CancellationToken cancel)
    {
        var rows = new List<(Mutant Mutant, MutantVerdict Verdict, TimeSpan Time)>();
        var wanted = Wanted(only, "mutants");
        if (!isJson)
        {
            Console.WriteLine($"Seeds from {seed}.");
            Console.WriteLine($"{"NO",3}  {"BUG",-62} {"SEEDS",6} {"TIME",8}  FOUND BY");
        }

        foreach (var mutant in wanted)
        {
            if (cancel.IsCancellationRequested)
            {
                break;
            }

            var clock = Stopwatch.StartNew();
            var verdict = await HuntAsync(mutant, cancel).ConfigureAwait(false);
            if (verdict.Violation is null && cancel.IsCancellationRequested)
            {
                break; // It was not given its seeds: that says nothing about it.
            }

            rows.Add((mutant, verdict, clock.Elapsed));
            if (!isJson)
            {
                var foundBy = verdict.Violation is { } violation ? violation.Rule : "SURVIVED";
                var seconds = clock.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
                Console.WriteLine($"{mutant.Number,3}  {mutant.Bug,-62} {verdict.Seeds,6} {seconds,6} s  {foundBy}");
            }
        }

        var killed = rows.Count(row => row.Verdict.Violation is not null);
        Console.WriteLine(isJson ? Json(rows) : $"{killed} of {wanted.Count} found{Median(rows)}.");
        return killed == wanted.Count ? ExitCode.Done : ExitCode.Failed;
    }

    private async Task<MutantVerdict> HuntAsync(Mutant mutant, CancellationToken cancel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        if (timeMax is { } time)
        {
            limit.CancelAfter(time);
        }

        MutantCatalog.SwitchOn(mutant.Number);
        try
        {
            var budget = (int)Math.Min(seedsMax ?? mutant.SeedsMax, int.MaxValue);
            return await Task.Run(
                () => MutantHunt.Hunt(mutant.Number, seed, budget, workers, limit.Token), CancellationToken.None)
                .ConfigureAwait(false);
        }
        finally
        {
            MutantCatalog.SwitchOn(0);
        }
    }

    /// <summary>The seeded bugs of a list such as 1-24,31; all without one.</summary>
    /// <exception cref="CommandFailedException">This build has none.</exception>
    public static List<Mutant> Wanted(string? list, string command)
    {
        if (!MutantCatalog.IsBuiltIn)
        {
            throw new CommandFailedException(
                ExitCode.Usage,
                $"""
                This build has no seeded bugs in it. Make one that has, in folders of its own:
                  dotnet run -c Release -p:Mutants=true --project src/Kvorum.Cli -- verify {command}
                """);
        }

        if (list is null)
        {
            return [.. MutantCatalog.All];
        }

        var wanted = new List<Mutant>();
        foreach (var part in list.Split(',', StringSplitOptions.TrimEntries))
        {
            var ends = part.Split('-');
            try
            {
                var first = SettingText.Count(ends[0], 1, 999);
                var last = ends.Length > 1 ? SettingText.Count(ends[1], 1, 999) : first;
                wanted.AddRange(MutantCatalog.All.Where(mutant => mutant.Number >= first && mutant.Number <= last));
            }
            catch (FormatException)
            {
                throw new UsageException($"--mutants: expected numbers and ranges such as 1-24,31, found '{list}'");
            }
        }

        return wanted.Count > 0
            ? wanted
            : throw new UsageException($"--mutants: no seeded bug has a number of '{list}'");
    }

    private static string Median(List<(Mutant Mutant, MutantVerdict Verdict, TimeSpan Time)> rows)
    {
        var found = rows.Where(row => row.Verdict.Violation is not null);
        var seeds = found.Select(row => row.Verdict.Seeds).Order().ToArray();
        return seeds.Length == 0 ? "" : $"; median {seeds[seeds.Length / 2]} seeds, at most {seeds[^1]}";
    }

    private string Json(List<(Mutant Mutant, MutantVerdict Verdict, TimeSpan Time)> rows)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("first_seed", seed);
            json.WriteStartArray("mutants");
            foreach (var (mutant, verdict, time) in rows)
            {
                json.WriteStartObject();
                json.WriteNumber("number", mutant.Number);
                json.WriteString("bug", mutant.Bug);
                json.WriteString("origin", mutant.Origin);
                json.WriteBoolean("found", verdict.Violation is not null);
                json.WriteNumber("seeds", verdict.Seeds);
                json.WriteNumber("seconds", Math.Round(time.TotalSeconds, 1));
                json.WriteString("rule", verdict.Violation?.Rule);
                json.WriteString("explanation", verdict.Violation?.Explanation);
                if (verdict.Seed is { } found)
                {
                    json.WriteNumber("seed", found);
                }

                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
