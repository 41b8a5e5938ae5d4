using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>What a sweep came to: for a person, or as one JSON document.</summary>
internal sealed class SimOutput(ulong firstSeed, int runsPerSeed, int workers, bool isJson)
{
    /// <summary>Names of faults and marks printed before "…"; JSON has all.</summary>
    private const int NamesMax = 12;

    public void Print(SweepTotals totals, TimeSpan elapsed, IReadOnlyList<Finding> findings)
    {
        if (isJson)
        {
            Console.WriteLine(Json(totals, elapsed, findings));
            return;
        }

        var times = runsPerSeed > 1 ? $", each {runsPerSeed} times with equal trace hashes" : "";
        Console.WriteLine(
            $"{SimProgress.Text(totals.Seeds)} seeds from {firstSeed}{times}: {totals.Failures.Count} violations");
        Console.WriteLine();
        Line("simulated", $"{SimProgress.Text(totals.SimulatedSeconds)} in {SimProgress.Text(elapsed.TotalSeconds)}: "
            + $"{SimProgress.Text((long)Speed(totals, elapsed))}x real time on {workers} threads");
        Line("operations", $"{SimProgress.Text(totals.Operations)} judged, {SimProgress.Text(totals.Events)} events");
        Line("faults", $"{SimProgress.Text(totals.Injected.Values.Sum())}: {Names(totals.Injected)}");
        Line("marks", $"{totals.Marks.Count} reached: {Names(totals.Marks)}");
        Line("safe halts", SimProgress.Text(totals.SafeHalts));
        Line("hash", $"{totals.Hash:x16}");
        foreach (var finding in findings)
        {
            Print(finding);
        }
    }

    private static void Print(Finding finding)
    {
        var violation = finding.Result.Violation!;
        Console.WriteLine();
        var when = $"seed {finding.Result.Plan.Seed} broke {violation.Rule} at {Seconds(violation.At)}";
        Console.WriteLine($"VIOLATION: {when}: {violation.Explanation}");
        Line("replay", finding.Replay);
        if (finding.ScenarioFile is { } scenario)
        {
            var plan = finding.Smallest.Plan;
            Line("scenario", $"{scenario} ({plan.Faults.Count} faults and {plan.Operations.Count} operations, "
                + $"shrunk from {finding.Result.Plan.Faults.Count} and {finding.Result.Plan.Operations.Count})");
            Line("", $"kvorum sim --scenario {scenario}");
        }

        if (finding.PageFile is { } page)
        {
            Line("page", page);
        }
    }

    private static void Line(string name, string text) => Console.WriteLine($"  {name,-11} {text}");

    private static string Names(IReadOnlyDictionary<string, long> counts)
    {
        var most = counts.OrderByDescending(count => count.Value).ThenBy(count => count.Key, StringComparer.Ordinal);
        var told = most.Take(NamesMax).Select(count => $"{count.Key} {SimProgress.Text(count.Value)}");
        var names = string.Join(", ", told);
        return counts.Count > NamesMax ? names + ", …" : names;
    }

    private static double Speed(SweepTotals totals, TimeSpan elapsed) => totals.SimulatedSeconds / elapsed.TotalSeconds;

    private static string Seconds(long microseconds) =>
        string.Create(CultureInfo.InvariantCulture, $"{microseconds / 1e6:0.000000} s");

    private string Json(SweepTotals totals, TimeSpan elapsed, IReadOnlyList<Finding> findings)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("first_seed", firstSeed);
            json.WriteNumber("seeds", totals.Seeds);
            json.WriteNumber("runs", totals.Runs);
            json.WriteNumber("simulated_seconds", Math.Round(totals.SimulatedSeconds, 3));
            json.WriteNumber("elapsed_seconds", Math.Round(elapsed.TotalSeconds, 3));
            json.WriteNumber("times_real_time", Math.Round(Speed(totals, elapsed), 1));
            json.WriteNumber("threads", workers);
            json.WriteNumber("operations", totals.Operations);
            json.WriteNumber("events", totals.Events);
            json.WriteNumber("safe_halts", totals.SafeHalts);
            json.WriteString("hash", $"{totals.Hash:x16}");
            Write(json, "faults", totals.Injected);
            Write(json, "marks", totals.Marks);
            json.WriteStartArray("violations");
            foreach (var finding in findings)
            {
                Write(json, finding);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, string name, IReadOnlyDictionary<string, long> counts)
    {
        json.WriteStartObject(name);
        foreach (var (key, count) in counts)
        {
            json.WriteNumber(key, count);
        }

        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, Finding finding)
    {
        var violation = finding.Result.Violation!;
        json.WriteStartObject();
        json.WriteNumber("seed", finding.Result.Plan.Seed);
        json.WriteString("rule", violation.Rule);
        json.WriteNumber("at_us", violation.At);
        json.WriteString("explanation", violation.Explanation);
        json.WriteString("replay", finding.Replay);
        json.WriteString("scenario", finding.ScenarioFile);
        json.WriteString("page", finding.PageFile);
        json.WriteEndObject();
    }
}

/// <summary>A failing seed, with what was made of it.</summary>
/// <param name="Result">Of the seed itself.</param>
/// <param name="Smallest">Of the smallest plan found that breaks the same rule; the same when not shrunk.</param>
/// <param name="Replay">The command that runs the seed again.</param>
/// <param name="ScenarioFile">The smallest plan as text; null when not written.</param>
/// <param name="PageFile">The smallest plan's history as a page; null when not written.</param>
internal sealed record Finding(
    SimResult Result, SimResult Smallest, string Replay, string? ScenarioFile, string? PageFile);
