using System.Buffers;
using System.Globalization;
using System.Text;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>Writes the Prometheus text format, version 0.0.4, straight into a response's buffer.</summary>
internal sealed class PrometheusWriter(IBufferWriter<byte> output)
{
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    private const int NumberBytesMax = 32;
    private const double MicrosecondsPerSecond = 1_000_000;

    /// <summary>A metric with one sample and no labels.</summary>
    public void Gauge(string name, string help, double value)
    {
        Header(name, help, "gauge");
        Sample(name, value);
    }

    /// <summary>A metric that only rises, with one sample and no labels.</summary>
    public void Counter(string name, string help, double value)
    {
        Header(name, help, "counter");
        Sample(name, value);
    }

    /// <summary>Starts a metric; its samples must follow at once.</summary>
    public void Header(string name, string help, string type)
    {
        Text("# HELP ");
        Text(name);
        Text(" ");
        Escaped(help, isLabel: false);
        Text("\n# TYPE ");
        Text(name);
        Text(" ");
        Text(type);
        Text("\n");
    }

    public void Sample(string name, double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        Text(name);
        if (labels.Length > 0)
        {
            var separator = "{";
            foreach (var label in labels)
            {
                Text(separator);
                Text(label.Name);
                Text("=\"");
                Escaped(label.Value, isLabel: true);
                Text("\"");
                separator = ",";
            }

            Text("}");
        }

        Text(" ");
        Number(value);
        Text("\n");
    }

    /// <summary>A histogram in seconds: cumulative buckets, the last without bound, then sum and count.</summary>
    public void Histogram(string name, string help, DurationHistogram durations)
    {
        Header(name, help, "histogram");
        var bounds = DurationHistogram.BoundsMicroseconds;
        var counts = durations.Counts;
        var total = 0L;
        for (var bucket = 0; bucket < counts.Length; bucket++)
        {
            total += Volatile.Read(in counts[bucket]);
            var bound = bucket < bounds.Length
                ? (bounds[bucket] / MicrosecondsPerSecond).ToString(CultureInfo.InvariantCulture)
                : "+Inf";
            Sample(name + "_bucket", total, ("le", bound));
        }

        Sample(name + "_sum", durations.SumMicroseconds / MicrosecondsPerSecond);
        Sample(name + "_count", total); // Of the buckets just read, so that the two agree.
    }

    private void Text(string text)
    {
        var span = output.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length));
        output.Advance(Encoding.UTF8.GetBytes(text, span));
    }

    /// <summary>Backslash and line feed are escaped everywhere, quotes in labels only.</summary>
    private void Escaped(string text, bool isLabel)
    {
        var escaped = text.Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace("\n", "\\n", StringComparison.Ordinal);
        Text(isLabel ? escaped.Replace("\"", "\\\"", StringComparison.Ordinal) : escaped);
    }

    private void Number(double value)
    {
        if (double.IsNaN(value) || double.IsInfinity(value))
        {
            Text(double.IsNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf");
            return;
        }

        value.TryFormat(output.GetSpan(NumberBytesMax), out var written, default, CultureInfo.InvariantCulture);
        output.Advance(written);
    }
}
