using System.Text.RegularExpressions;

namespace Kvorum.Tidy;

/// <summary>Documents: one title each, and links that lead somewhere.</summary>
public sealed partial class MarkdownTests
{
    [GeneratedRegex(@"\[[^\]\n]*\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchor();

    [Fact]
    public void Every_document_has_exactly_one_title_and_begins_with_it()
    {
        var findings = new List<string>();
        foreach (var path in Repository.Files("*.md"))
        {
            var lines = ProseLines(Repository.Read(path)).ToList();
            var titles = lines.Count(line => line.StartsWith("# ", StringComparison.Ordinal));
            var first = lines.FirstOrDefault(line => line.Trim().Length > 0) ?? "";
            if (titles != 1 || !first.StartsWith("# ", StringComparison.Ordinal))
            {
                findings.Add($"{path}: {titles} titles; the first line is \"{first}\"");
            }
        }

        Findings.MustBeEmpty(findings, "A document begins with its one title (# …); sections have ## and below:");
    }

    [Fact]
    public void Relative_links_lead_to_a_file_and_a_heading_that_exist()
    {
        var findings = new List<string>();
        foreach (var path in Repository.Files("*.md"))
        {
            var prose = string.Join('\n', ProseLines(Repository.Read(path)));
            findings.AddRange(Link().Matches(prose).Select(match => match.Groups[1].Value)
                .Where(target => !target.Contains("://", StringComparison.Ordinal)
                    && !target.StartsWith("mailto:", StringComparison.Ordinal))
                .Select(target => Broken(path, target)).OfType<string>());
        }

        Findings.MustBeEmpty(findings, "Mend the link or the heading it means:");
    }

    private static string? Broken(string path, string target)
    {
        var parts = target.Split('#', 2);
        var folder = Path.GetDirectoryName(path) ?? "";
        var file = parts[0].Length == 0 ? path : Path.Combine(folder, Uri.UnescapeDataString(parts[0]));
        var full = Path.GetFullPath(Repository.Full(file));
        if (!File.Exists(full) && !Directory.Exists(full))
        {
            return $"{path}: {target}: no such file";
        }

        if (parts.Length < 2 || !full.EndsWith(".md", StringComparison.Ordinal))
        {
            return null;
        }

        var headings = ProseLines(File.ReadAllText(full))
            .Where(line => line.StartsWith('#'))
            .Select(line => Anchor(line.TrimStart('#').Trim()));
        return headings.Contains(parts[1], StringComparer.Ordinal) ? null : $"{path}: {target}: no such heading";
    }

    /// <summary>The anchor that the usual renderers make of a heading.</summary>
    private static string Anchor(string heading) =>
        NotInAnchor().Replace(heading.ToLowerInvariant(), "").Replace(' ', '-');

    /// <summary>Lines outside of fenced code, where a # is a comment and brackets are anything.</summary>
    private static IEnumerable<string> ProseLines(string text)
    {
        var isInFence = false;
        foreach (var line in text.Split('\n'))
        {
            if (line.TrimStart().StartsWith("```", StringComparison.Ordinal))
            {
                isInFence = !isInFence;
            }
            else if (!isInFence)
            {
                yield return line;
            }
        }
    }
}
