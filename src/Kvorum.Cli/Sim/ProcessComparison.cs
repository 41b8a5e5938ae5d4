using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Kvorum.Cli.Up;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Runs the same seeds in this process and in fresh ones, and compares their trace hashes.</summary>
internal sealed class ProcessComparison(ulong seed, long seeds, int workers)
{
    /// <returns>Whether all hashes are equal.</returns>
    public async Task<bool> RunAsync(string? otherBuild, bool isJson, CancellationToken cancel)
    {
        if (otherBuild is not null)
        {
            await CheckAsync(otherBuild, cancel).ConfigureAwait(false);
        }

        var here = await HashesHereAsync(cancel).ConfigureAwait(false);
        var program = LocalNode.ThisProgram();
        var others = new List<(string Name, string[] Program, (string, string)[] Settings)>
        {
            ("a fresh process", program, []),
            ("a fresh process without tiered compilation", program, [("DOTNET_TieredCompilation", "0")]),
            ("a fresh process whose code is never optimised", program, [("DOTNET_JITMinOpts", "1")]),
        };
        if (otherBuild is not null)
        {
            others.Add((otherBuild, ["dotnet", otherBuild], []));
        }

        var isEqual = true;
        var rows = new List<(string Name, long Seeds, IReadOnlyList<ulong> Different)>();
        foreach (var (name, command, settings) in others)
        {
            var there = await HashesOfAsync(command, settings, seeds, cancel).ConfigureAwait(false);
            var different = here.Where(pair => there.GetValueOrDefault(pair.Key) != pair.Value).Select(pair => pair.Key)
                .Order().ToArray();
            rows.Add((name, there.Count, different));
            isEqual &= different.Length == 0 && there.Count == here.Count;
        }

        Print(rows, here.Count, isJson);
        return isEqual;
    }

    /// <summary>Before any seed runs here: the other build has to answer with the hash of one.</summary>
    private async Task CheckAsync(string otherBuild, CancellationToken cancel)
    {
        if (!File.Exists(otherBuild)
            || (await HashesOfAsync(["dotnet", otherBuild], [], 1, cancel).ConfigureAwait(false)).Count != 1)
        {
            throw new UsageException(
                $"--other: expected the path of a kvorum.dll that runs a seed, found '{otherBuild}'");
        }
    }

    private async Task<Dictionary<ulong, string>> HashesHereAsync(CancellationToken cancel)
    {
        var hashes = new ConcurrentDictionary<ulong, string>();
        var run = new SweepRun(new SweepOptions(seed, seeds, workers), wanted => Simulation.Plan(wanted), null)
        {
            OnSeed = (wanted, result) => hashes[wanted] = Hex(result.TraceHash),
        };
        await run.RunAsync("here", cancel).ConfigureAwait(false);
        return new Dictionary<ulong, string>(hashes);
    }

    private async Task<Dictionary<ulong, string>> HashesOfAsync(
        string[] program, (string Name, string Value)[] settings, long count, CancellationToken cancel)
    {
        string[] arguments =
        [
            .. program[1..], "sim", "--seed", seed.ToString(CultureInfo.InvariantCulture), "--seeds",
            count.ToString(CultureInfo.InvariantCulture), "--workers", workers.ToString(CultureInfo.InvariantCulture),
            "--hashes", "--no-shrink", "--failures-max", count.ToString(CultureInfo.InvariantCulture),
        ];
        var start = new ProcessStartInfo(program[0], arguments) { RedirectStandardOutput = true };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)
            ?? throw new CommandFailedException(ExitCode.Failed, $"Could not start {program[0]}.");
        using var killing = cancel.Register(() => process.Kill());
        var hashes = new Dictionary<ulong, string>();
        while (await process.StandardOutput.ReadLineAsync(cancel).ConfigureAwait(false) is { } line)
        {
            var words = line.Split(' ');
            if (words.Length == 2 && words[1].Length == 16 && ulong.TryParse(words[0], out var of))
            {
                hashes[of] = words[1];
            }
        }

        await process.WaitForExitAsync(cancel).ConfigureAwait(false);
        return hashes;
    }

    private void Print(List<(string Name, long Seeds, IReadOnlyList<ulong> Different)> rows, int here, bool isJson)
    {
        if (isJson)
        {
            Console.WriteLine(Json(rows, here));
            return;
        }

        Console.WriteLine($"{SimProgress.Text(here)} seeds from {seed}, trace hashes compared with");
        foreach (var row in rows)
        {
            var verdict = row.Different.Count == 0 && row.Seeds == here
                ? "all equal"
                : $"{row.Different.Count} differ, see: kvorum sim --seed {string.Join(" ", row.Different.Take(1))}";
            Console.WriteLine($"  {row.Name}: {verdict}");
        }
    }

    private string Json(List<(string Name, long Seeds, IReadOnlyList<ulong> Different)> rows, int here)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("first_seed", seed);
            json.WriteNumber("seeds", here);
            json.WriteStartArray("compared_with");
            foreach (var row in rows)
            {
                json.WriteStartObject();
                json.WriteString("process", row.Name);
                json.WriteNumber("seeds", row.Seeds);
                json.WriteStartArray("different");
                foreach (var different in row.Different)
                {
                    json.WriteNumberValue(different);
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Hex(ulong hash) => hash.ToString("x16", CultureInfo.InvariantCulture);
}
