using System.Globalization;
using System.Text;

namespace Kvorum.Simulator;

/// <summary>
/// A history as one HTML file without anything outside it: a lane per client, the first impossible operation marked,
/// the faults below. Same history, same bytes.
/// </summary>
public static class HistoryPage
{
    /// <param name="verdict">What is wrong with the history; its first operation is the one to look at.</param>
    /// <param name="replayCommand">The command line that plays the run again.</param>
    public static string Write(
        IReadOnlyList<Operation> history, IReadOnlyList<Fault> faults, Verdict verdict, string replayCommand)
    {
        var end = EndOf(history, faults);
        var page = new StringBuilder(HistoryPageParts.Head);
        page.Append("<h1><span class=\"anomaly\">").Append(Text(verdict.Anomaly.Length > 0 ? verdict.Anomaly : "valid"))
            .Append("</span> <small>says the judge of ").Append(Text(verdict.Judge)).Append("</small></h1>\n")
            .Append("<p class=\"explanation\">").Append(Text(verdict.Explanation)).Append("</p>\n")
            .Append("<p class=\"replay\">Replay: <code tabindex=\"0\">").Append(Text(replayCommand))
            .Append("</code></p>\n").Append(HistoryPageParts.Legend);
        page.Append(CultureInfo.InvariantCulture, $"<main id=\"view\" data-end=\"{end}\" tabindex=\"0\">\n");
        page.Append("<div class=\"axis\" id=\"axis\"></div>\n");
        foreach (var client in history.GroupBy(operation => operation.Client).OrderBy(client => client.Key))
        {
            page.Append(CultureInfo.InvariantCulture,
                $"<section class=\"lane\"><h2>client {client.Key}</h2><div class=\"track\">\n");
            AppendLane(page, [.. client.OrderBy(operation => operation.Invoked)], verdict, end);
            page.Append("</div></section>\n");
        }

        AppendFaults(page, faults, end);
        return page.Append("</main>\n").Append(HistoryPageParts.Foot).ToString();
    }

    private static long EndOf(IReadOnlyList<Operation> history, IReadOnlyList<Fault> faults)
    {
        var end = 1_000L;
        foreach (var operation in history)
        {
            end = Math.Max(end, operation.Returned == long.MaxValue ? operation.Invoked + 1 : operation.Returned);
        }

        foreach (var fault in faults)
        {
            end = Math.Max(end, fault.At + fault.Duration);
        }

        return end;
    }

    private static void AppendLane(StringBuilder page, Operation[] operations, Verdict verdict, long end)
    {
        for (var i = 0; i < operations.Length; i++)
        {
            // An operation without an answer is drawn until its client goes on, with an open end.
            var operation = operations[i];
            var next = i + 1 < operations.Length ? operations[i + 1].Invoked : end;
            var to = operation.Returned == long.MaxValue ? Math.Max(operation.Invoked + 1, next) : operation.Returned;
            var rank = verdict.Operations.ToList().IndexOf(operation.Number);
            var mark = rank switch
            {
                0 => " first",
                > 0 => " witness",
                _ => "",
            };
            page.Append(CultureInfo.InvariantCulture,
                $"<div class=\"op {ClassOf(operation)}{mark}\" id=\"op{operation.Number}\" tabindex=\"-1\" "
                + $"data-a=\"{operation.Invoked}\" data-b=\"{to}\" data-tip=\"{Text(TipOf(operation))}\">"
                + $"<b>{operation.Number}</b> {Text(OperationText.ShowSteps(operation))}</div>\n");
        }
    }

    private static string ClassOf(Operation operation) => operation.Outcome switch
    {
        OperationOutcome.Unknown => "unknown",
        OperationOutcome.NoEffect => "refused",
        _ => operation.Succeeded ? "done" : "failed",
    };

    private static string TipOf(Operation operation)
    {
        var outcome = operation.Outcome switch
        {
            OperationOutcome.Unknown => "no answer: it may take effect at any time, or never",
            OperationOutcome.NoEffect => "answered: no effect",
            _ => operation.Succeeded ? "answered" : "answered: a compare failed, nothing changed",
        };
        var tip = new StringBuilder();
        tip.Append(CultureInfo.InvariantCulture,
            $"Operation {operation.Number} of client {operation.Client}, {outcome}\n");
        tip.Append(CultureInfo.InvariantCulture, $"invoked {Seconds(operation.Invoked)}");
        if (operation.Returned != long.MaxValue)
        {
            tip.Append(CultureInfo.InvariantCulture, $", returned {Seconds(operation.Returned)}");
        }

        if (operation.Revision > 0)
        {
            tip.Append(CultureInfo.InvariantCulture, $", revision {operation.Revision}");
        }

        tip.Append(operation.IsLocal ? "\nlocal: it asked for no freshness" : "");
        foreach (var step in operation.Steps)
        {
            tip.Append(CultureInfo.InvariantCulture, $"\n{step.Kind} {step.Key}");
            tip.Append(step.Argument is { } argument ? $" ← {argument}" : "");
            if (step.Seen is { } seen)
            {
                tip.Append(CultureInfo.InvariantCulture,
                    $" → {seen.Value ?? "nothing"} (revision {seen.ModRevision}, length {seen.Length})");
            }
        }

        return tip.ToString();
    }

    private static void AppendFaults(StringBuilder page, IReadOnlyList<Fault> faults, long end)
    {
        foreach (var kind in faults.GroupBy(fault => fault.Kind).OrderBy(kind => kind.Key))
        {
            page.Append("<section class=\"lane fault\"><h2>").Append(Text(WordsOf(kind.Key.ToString())))
                .Append("</h2><div class=\"track\">\n");
            foreach (var fault in kind.OrderBy(fault => fault.At))
            {
                var nodes = string.Join(", ", fault.Nodes.Select(node => node.ToString(CultureInfo.InvariantCulture)));
                var tip = string.Create(CultureInfo.InvariantCulture,
                    $"Fault {fault.Number}: {WordsOf(fault.Kind.ToString())}, nodes {nodes}, amount {fault.Amount}\n"
                    + $"from {Seconds(fault.At)} for {Seconds(fault.Duration)}");
                page.Append(CultureInfo.InvariantCulture,
                    $"<div class=\"op band\" id=\"fault{fault.Number}\" data-a=\"{fault.At}\" "
                    + $"data-b=\"{Math.Min(end, fault.At + fault.Duration)}\" data-tip=\"{Text(tip)}\">"
                    + $"{nodes}</div>\n");
            }

            page.Append("</div></section>\n");
        }
    }

    private static string Seconds(long microseconds) => string.Create(
        CultureInfo.InvariantCulture, $"{microseconds / 1_000_000}.{microseconds % 1_000_000:d6} s");

    /// <summary>"OneWay" as "one way".</summary>
    private static string WordsOf(string name)
    {
        var words = new StringBuilder();
        foreach (var letter in name)
        {
            words.Append(char.IsAsciiLetterUpper(letter) && words.Length > 0 ? " " : "")
                .Append(char.ToLowerInvariant(letter));
        }

        return words.ToString();
    }

    /// <summary>Values are text, whatever is in them: nothing in a page comes from them but characters.</summary>
    private static string Text(string text) => text
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal)
        .Replace("\"", "&quot;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal);
}
