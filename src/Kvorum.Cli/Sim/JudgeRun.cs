using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Tries the judges themselves, one after the other.</summary>
internal sealed class JudgeRun(ulong seed, long histories)
{
    public const long HistoriesMax = 1_000_000_000;

    /// <returns>The exit code: done when no judge made a mistake in as many histories as were asked for.</returns>
    public async Task<int> RunAsync(bool isJson, CancellationToken cancel)
    {
        if (!isJson)
        {
            Console.WriteLine($"{histories} small histories for each judge, from seed {seed} on.");
            Console.WriteLine($"{"JUDGE",-16} {"HISTORIES",10} {"POSSIBLE",10} {"PLANTED",8} {"TIME",8}  MISTAKES");
        }

        var rows = new List<JudgeTrial>();
        await Task.Run(() => Try(rows, isJson, cancel), CancellationToken.None).ConfigureAwait(false);
        if (isJson)
        {
            Console.WriteLine(Json(rows));
        }

        var isDone = rows.TrueForAll(row => row.Mistake is null && row.Histories == histories)
            && rows.Sum(row => row.Planted) >= JudgeTrials.PlantedMin;
        return isDone ? ExitCode.Done : ExitCode.Failed;
    }

    private void Try(List<JudgeTrial> rows, bool isJson, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        foreach (var row in JudgeTrials.Run(seed, histories, cancel))
        {
            rows.Add(row);
            if (!isJson)
            {
                var time = clock.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);
                Console.WriteLine(
                    $"{row.Judge,-16} {row.Histories,10} {row.Possible,10} {row.Planted,8} {time,6} s  "
                        + (row.Mistake ?? "none"));
            }

            clock.Restart();
        }
    }

    private string Json(List<JudgeTrial> rows)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("first_seed", seed);
            json.WriteStartArray("judges");
            foreach (var row in rows)
            {
                json.WriteStartObject();
                json.WriteString("judge", row.Judge);
                json.WriteNumber("histories", row.Histories);
                json.WriteNumber("possible", row.Possible);
                json.WriteNumber("planted", row.Planted);
                json.WriteString("mistake", row.Mistake);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
