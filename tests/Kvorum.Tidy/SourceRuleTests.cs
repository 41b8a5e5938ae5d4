using System.Text.RegularExpressions;
using Kvorum.Tidy.Source;

namespace Kvorum.Tidy;

/// <summary>Rules that a search in the sources can hold.</summary>
public sealed partial class SourceRuleTests
{
    /// <summary>Written in two halves, or this file would break its own rule.</summary>
    private static readonly Regex OpenEnd = new(@"\b(TO" + @"DO|FIX" + @"ME|HA" + @"CK|XX" + @"X)\b(?!\s*\(?#\d+)");

    private static readonly Regex EndOfPatience = new(@"\b(Thread\s*\.\s*Sleep|Task\s*\.\s*Delay)\b");

    private static readonly Regex FileAccess =
        new(@"(?<![\w.])(System\.IO\.)?(File|FileStream|FileInfo|Directory|DirectoryInfo|RandomAccess)"
            + @"\s*\.\s*(?!Dispose\b)[A-Z]");

    private static readonly string[] SuitesWithoutWaiting =
        ["tests/Kvorum.Raft.Tests/", "tests/Kvorum.Kv.Tests/", "tests/Kvorum.Storage.Tests/"];

    [Fact]
    public void An_open_end_names_its_issue()
    {
        var files = Repository.SourceFiles().Concat(Repository.Files("*.md")).Concat(Repository.Files("*.csproj"));
        var findings = files.SelectMany(path => Matches(path, Repository.Read(path), OpenEnd)).ToList();

        Findings.MustBeEmpty(findings, "An open end is an issue: write its number behind it, as in TO" + "DO(#12):");
    }

    [Fact]
    public void Tests_of_the_pure_rings_do_not_wait_for_the_clock()
    {
        var findings = Repository.SourceFiles()
            .Where(path => SuitesWithoutWaiting.Any(suite => path.StartsWith(suite, StringComparison.Ordinal)))
            .SelectMany(path => Matches(path, CodeText.Strip(Repository.Read(path)), EndOfPatience))
            .ToList();

        Findings.MustBeEmpty(findings, "Time is an input here: step it, do not wait for it:");
    }

    [Fact]
    public void Only_the_real_disk_touches_files()
    {
        var findings = Repository.SourceFiles()
            .Where(path => path.StartsWith("src/Kvorum.Storage/", StringComparison.Ordinal)
                || path.StartsWith("src/Kvorum.Node/", StringComparison.Ordinal))
            .Where(path => path != "src/Kvorum.Storage/Disk/FileDisk.cs")
            .SelectMany(path => Matches(path, CodeText.Strip(Repository.Read(path)), FileAccess))
            .ToList();

        Findings.MustBeEmpty(findings, "Files are reached through IDisk, so that a test can stand in its place:");
    }

    [Fact]
    public void Namespaces_are_file_scoped_and_regions_absent()
    {
        var rule = new Regex(@"^\s*(namespace\s+[\w.]+\s*(\{|$)|#\s*region\b)", RegexOptions.Multiline);
        var findings = Repository.SourceFiles()
            .SelectMany(path => Matches(path, Repository.Read(path), rule))
            .ToList();

        Findings.MustBeEmpty(findings, "One file-scoped namespace per file, no regions:");
    }

    private static IEnumerable<string> Matches(string path, string text, Regex rule) =>
        rule.Matches(text).Select(match =>
            $"{path}:{text.AsSpan(0, match.Index).Count('\n') + 1}: {match.Value.Trim()}");
}
