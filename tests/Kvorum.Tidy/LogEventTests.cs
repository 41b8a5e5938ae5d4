using System.Text.RegularExpressions;

namespace Kvorum.Tidy;

/// <summary>A log event's id is how people search for it: unique in the solution, never reused.</summary>
public sealed partial class LogEventTests
{
    [GeneratedRegex(@"\[\s*LoggerMessage\s*\(\s*(?:EventId\s*=\s*)?(?<id>\d+)?")]
    private static partial Regex Declaration();

    [GeneratedRegex(@"\bEventId\s*=\s*(?<id>\d+)")]
    private static partial Regex NamedId();

    [Fact]
    public void Every_log_event_has_an_id_of_its_own()
    {
        var findings = new List<string>();
        var owners = new SortedDictionary<int, string>();
        foreach (var path in Repository.SourceFiles().Where(path => path.StartsWith("src/", StringComparison.Ordinal)))
        {
            var text = Repository.Read(path);
            foreach (Match match in Declaration().Matches(text))
            {
                var place = $"{path}:{text.AsSpan(0, match.Index).Count('\n') + 1}";
                var id = match.Groups["id"].Success
                    ? match.Groups["id"]
                    : NamedId().Match(Attribute(text, match)).Groups["id"];
                if (!id.Success)
                {
                    findings.Add($"{place}: no id");
                }
                else if (!owners.TryAdd(int.Parse(id.ValueSpan), place))
                {
                    findings.Add($"{place}: {id.Value} is taken by {owners[int.Parse(id.ValueSpan)]}");
                }
            }
        }

        var next = owners.Count == 0 ? 1 : owners.Keys.Last() + 1;
        Findings.MustBeEmpty(findings, $"Give each [LoggerMessage] a free id as its first argument; {next} is free:");
    }

    private static string Attribute(string text, Match start)
    {
        var end = text.IndexOf(")]", start.Index, StringComparison.Ordinal);
        return text[start.Index..(end < 0 ? text.Length : end)];
    }
}
