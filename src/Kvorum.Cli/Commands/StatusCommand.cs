using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvorum.Cli.Client;
using Kvorum.Cli.Serve;
using Spectre.Console;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum status': every endpoint's own picture of itself, side by side.</summary>
internal static class StatusCommand
{
    private const string TableFormat = "table";
    private const string JsonFormat = "json";
    private const string SimpleFormat = "simple";

    public static Command Create()
    {
        var output = new Option<string>("--output")
        {
            Description = "table, json (one document) or simple (comma-separated lines).",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => TableFormat,
        };
        output.AcceptOnlyFromAmong(TableFormat, JsonFormat, SimpleFormat);
        var client = new ClientOptions();
        var command = new Command(
            "status", "Show every endpoint. Exit code 0 when all answered, 1 when some did not, 4 when none did.") { output };
        client.AddTo(command);
        command.SetAction(async (parsed, cancel) =>
        {
            using var cluster = client.Connect(parsed);
            var timeout = client.Timeout(parsed);
            var questions = client.Endpoints(parsed).Select(url => NodeReport.AskAsync(cluster, url, timeout, cancel));
            var reports = await Task.WhenAll(questions).ConfigureAwait(false);
            Print(parsed.GetRequiredValue(output), reports);
            return CodeOf(reports);
        });
        return command;
    }

    private static int CodeOf(NodeReport[] reports)
    {
        var answered = reports.Count(report => report.Problem is null);
        return answered == reports.Length ? ExitCode.Done : answered > 0 ? ExitCode.Failed : ExitCode.Unavailable;
    }

    private static void Print(string format, NodeReport[] reports)
    {
        switch (format)
        {
            case JsonFormat:
                Console.WriteLine(Json(reports));
                break;
            case SimpleFormat:
                foreach (var report in reports)
                {
                    Console.WriteLine(string.Join(", ", Cells(report)));
                }

                break;
            default:
                PrintTable(reports);
                break;
        }
    }

    private static void PrintTable(NodeReport[] reports)
    {
        var table = Terminal.Table(
            "ENDPOINT", "NAME", "ROLE", "TERM", "COMMITTED", "APPLIED", "KEYS", "DB SIZE", "VERSION", "HEALTH");
        foreach (var report in reports)
        {
            var colour = report.Health == "ok" ? Color.Green : report.Problem is null ? Color.Yellow : Color.Red;
            var cells = Cells(report);
            table.AddRow([.. cells[..^1].Select(cell => new Text(cell)), new Text(cells[^1], new Style(colour))]);
        }

        Terminal.Output().Write(table);
        foreach (var report in reports.Where(report => report.Problem is not null))
        {
            Console.Error.WriteLine($"{ServeSettings.UrlText(report.Endpoint)}: {report.Problem}");
        }
    }

    private static string[] Cells(NodeReport report)
    {
        var endpoint = ServeSettings.UrlText(report.Endpoint);
        return report.Problem is not null
            ? [endpoint, "-", "-", "-", "-", "-", "-", "-", "-", report.Health]
            :
            [
                endpoint,
                report.Name,
                report.State.ToLowerInvariant(),
                Plain(report.Term),
                Plain(report.CommitIndex),
                Plain(report.AppliedIndex),
                Plain(report.KeyCount),
                SizeText(report.StoreBytes),
                report.Version,
                report.Health,
            ];
    }

    private static string Plain<T>(T number)
        where T : IFormattable => number.ToString(null, CultureInfo.InvariantCulture);

    private static string SizeText(long bytes) => bytes switch
    {
        < 1 << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.0} KiB"),
        < 1 << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024):0.0} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024 * 1024):0.0} GiB"),
    };

    private static string Json(NodeReport[] reports)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartArray();
            foreach (var report in reports)
            {
                WriteOne(json, report);
            }

            json.WriteEndArray();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void WriteOne(Utf8JsonWriter json, NodeReport report)
    {
        json.WriteStartObject();
        json.WriteString("endpoint", ServeSettings.UrlText(report.Endpoint));
        json.WriteString("health", report.Health);
        if (report.Problem is not null)
        {
            json.WriteString("problem", report.Problem);
        }
        else
        {
            json.WriteString("name", report.Name);
            json.WriteString("role", report.State.ToLowerInvariant());
            json.WriteBoolean("is_leader", report.IsLeader);
            json.WriteString("leader", report.Leader);
            json.WriteNumber("term", report.Term);
            json.WriteNumber("commit_index", report.CommitIndex);
            json.WriteNumber("applied_index", report.AppliedIndex);
            json.WriteNumber("keys", report.KeyCount);
            json.WriteNumber("db_bytes", report.StoreBytes);
            json.WriteNumber("pid", report.Pid);
            json.WriteString("version", report.Version);
        }

        json.WriteEndObject();
    }
}
