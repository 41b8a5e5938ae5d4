using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Kvorum.Cli.Bench;

/// <summary>Prints measurements: a table while they come, or one JSON document at the end.</summary>
internal sealed class BenchOutput(bool isJson, string where)
{
    private static readonly string[] Headings =
    [
        "MODE", "IN FLIGHT", "CALLS/S", "P50", "P90", "P99", "MAX", "CPU/CALL", "GC TOTAL", "GC MAX", "BYTES/CALL",
        "CALLS/SYNC", "SYNC", "FAILED",
    ];

    private readonly List<LoadReport> _reports = [];
    private StartUpReport? _startUp;

    public void Begin()
    {
        if (!isJson)
        {
            Console.WriteLine(Machine.Describe());
            Console.WriteLine(where);
            Console.WriteLine();
        }
    }

    /// <summary>What is under way, for whoever waits; not a part of the result.</summary>
    public static void Progress(string text) => Console.Error.WriteLine(text);

    public void Add(LoadReport report) => _reports.Add(report);

    public void Add(StartUpReport report) => _startUp = report;

    public void End()
    {
        if (isJson)
        {
            Console.WriteLine(Json());
            return;
        }

        if (_reports.Count > 0)
        {
            PrintLoad();
        }

        if (_startUp is { } startUp)
        {
            PrintStartUp(startUp);
        }
    }

    private void PrintLoad()
    {
        PrintAligned([Headings, .. _reports.Select(Cells)]);
        foreach (var (kind, count) in _reports.SelectMany(report => report.Failures))
        {
            Console.WriteLine($"{count} calls failed with {kind}");
        }
    }

    /// <summary>Right-aligned columns; figures are compared from below, and a line must not be folded.</summary>
    private static void PrintAligned(IReadOnlyList<string[]> rows)
    {
        var widths = Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(row => row[i].Length)).ToArray();
        foreach (var row in rows)
        {
            Console.WriteLine(string.Join("  ", row.Select((cell, i) => cell.PadLeft(widths[i]))));
        }
    }

    private static string[] Cells(LoadReport report) =>
    [
        report.Mode.ToString().ToLowerInvariant(),
        Number(report.InFlight, "N0"),
        Number(report.CallsPerSecond, "N0"),
        Duration(report.Latencies.Quantile(0.5)),
        Duration(report.Latencies.Quantile(0.9)),
        Duration(report.Latencies.Quantile(0.99)),
        Duration(report.Latencies.Max),
        $"{Number(report.CpuMicrosecondsPerCall, "F2")} µs",
        Duration(report.CollectorPauseTotal),
        Duration(report.CollectorPauseMax),
        Number(report.AllocatedBytesPerCall, "N0"),
        report.Syncs is > 0 ? Number((double)report.Calls * LocalCluster.Nodes / report.Syncs.Value, "F1") : "-",
        report.Syncs is > 0 ? Duration(report.SyncTotal.GetValueOrDefault() / report.Syncs.Value) : "-",
        Number(report.Failures.Values.Sum(), "N0"),
    ];

    private static void PrintStartUp(StartUpReport report)
    {
        PrintLine("keys", $"{Number(report.Keys, "N0")} of 16 + {report.ValueBytes} bytes");
        PrintLine("fill", Duration(report.Fill));
        PrintLine("heap per key", $"{Number(report.HeapBytesPerKey, "F1")} bytes above payload, mean of three");
        PrintLine("engine per key", $"{Number(report.EngineBytesPerKey, "F1")} bytes above payload by its count");
        PrintLine("start until ready", $"{Duration(report.Start)} (same process, code already compiled)");
        PrintLine("applied index", Number(report.AppliedIndex, "N0"));
        PrintLine("log on disk", $"{Number(report.WalBytes, "N0")} bytes");
    }

    private static void PrintLine(string what, string figure) => Console.WriteLine($"{what,-18} {figure}");

    private string Json()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("machine", Machine.Describe());
            json.WriteString("where", where);
            json.WriteStartArray("load");
            _reports.ForEach(report => Write(json, report));
            json.WriteEndArray();
            if (_startUp is { } startUp)
            {
                Write(json, startUp);
            }

            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void Write(Utf8JsonWriter json, LoadReport report)
    {
        json.WriteStartObject();
        json.WriteString("mode", report.Mode.ToString().ToLowerInvariant());
        json.WriteNumber("in_flight", report.InFlight);
        json.WriteNumber("seconds", Math.Round(report.Seconds, 3));
        json.WriteNumber("calls", report.Calls);
        json.WriteNumber("calls_per_second", Math.Round(report.CallsPerSecond, 1));
        json.WriteNumber("p50_us", report.Latencies.Quantile(0.5).TotalMicroseconds);
        json.WriteNumber("p90_us", report.Latencies.Quantile(0.9).TotalMicroseconds);
        json.WriteNumber("p99_us", report.Latencies.Quantile(0.99).TotalMicroseconds);
        json.WriteNumber("max_us", report.Latencies.Max.TotalMicroseconds);
        json.WriteNumber("cpu_us_per_call", Math.Round(report.CpuMicrosecondsPerCall, 3));
        json.WriteNumber("gc_pause_total_ms", report.CollectorPauseTotal.TotalMilliseconds);
        json.WriteNumber("gc_pause_max_ms", report.CollectorPauseMax.TotalMilliseconds);
        json.WriteNumber("gc_collections", report.Collections);
        json.WriteNumber("allocated_bytes_per_call", Math.Round(report.AllocatedBytesPerCall, 1));
        if (report.Syncs is { } syncs)
        {
            json.WriteNumber("syncs", syncs);
            json.WriteNumber("sync_total_ms", report.SyncTotal.GetValueOrDefault().TotalMilliseconds);
        }

        json.WriteStartObject("failures");
        foreach (var (kind, count) in report.Failures)
        {
            json.WriteNumber(kind, count);
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, StartUpReport report)
    {
        json.WriteStartObject("start_up");
        json.WriteNumber("keys", report.Keys);
        json.WriteNumber("value_bytes", report.ValueBytes);
        json.WriteNumber("fill_ms", report.Fill.TotalMilliseconds);
        json.WriteNumber("heap_bytes_per_key_above_payload", Math.Round(report.HeapBytesPerKey, 1));
        json.WriteNumber("engine_bytes_per_key_above_payload", Math.Round(report.EngineBytesPerKey, 1));
        json.WriteNumber("start_ms", report.Start.TotalMilliseconds);
        json.WriteNumber("applied_index", report.AppliedIndex);
        json.WriteNumber("wal_bytes", report.WalBytes);
        json.WriteEndObject();
    }

    private static string Number<T>(T number, string format)
        where T : IFormattable => number.ToString(format, CultureInfo.InvariantCulture);

    private static string Duration(TimeSpan duration) => duration.TotalMilliseconds switch
    {
        < 1 => $"{Number(duration.TotalMicroseconds, "F0")} µs",
        < 1000 => $"{Number(duration.TotalMilliseconds, "F2")} ms",
        _ => $"{Number(duration.TotalSeconds, "F2")} s",
    };
}
