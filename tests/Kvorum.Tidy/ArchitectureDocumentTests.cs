using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Kvorum.Tidy;

/// <summary>docs/architecture.md and Kvorum.slnx name what is there, and nothing that is not.</summary>
public sealed partial class ArchitectureDocumentTests
{
    private const string Document = "docs/architecture.md";

    [GeneratedRegex(@"^### `(Kvorum\.\w+)`\s*$", RegexOptions.Multiline)]
    private static partial Regex ProjectHeading();

    [GeneratedRegex(@"^\| `(\w+)/` \|", RegexOptions.Multiline)]
    private static partial Regex FolderRow();

    [GeneratedRegex(@"^\| `(Kvorum\.[\w.]+)` \|", RegexOptions.Multiline)]
    private static partial Regex ProjectRow();

    [Fact]
    public void Every_project_has_its_line_and_every_line_its_project()
    {
        var text = Repository.Read(Document);
        var named = ProjectHeading().Matches(text).Concat(ProjectRow().Matches(text))
            .Select(match => match.Groups[1].Value).ToHashSet(StringComparer.Ordinal);
        var there = Projects().Select(Path.GetFileNameWithoutExtension).OfType<string>()
            .ToHashSet(StringComparer.Ordinal);

        var findings = there.Except(named).Order(StringComparer.Ordinal)
            .Select(name => $"{name} is missing: a section \"### `{name}`\" for a project of src, "
                + $"else a row \"| `{name}` | … |\"")
            .Concat(named.Except(there).Order(StringComparer.Ordinal)
                .Select(name => $"{name} is named but does not exist"));
        Findings.MustBeEmpty([.. findings], $"{Document} shows what is there:");
    }

    [Fact]
    public void Every_first_level_folder_has_its_line_and_every_line_its_folder()
    {
        var findings = new List<string>();
        foreach (var (project, section) in Sections())
        {
            var named = FolderRow().Matches(section).Select(match => match.Groups[1].Value)
                .ToHashSet(StringComparer.Ordinal);
            var there = Repository.Folders($"src/{project}").ToHashSet(StringComparer.Ordinal);
            findings.AddRange(there.Except(named).Order(StringComparer.Ordinal)
                .Select(folder => $"under \"### `{project}`\" a row is missing: | `{folder}/` | what it is for |"));
            findings.AddRange(named.Except(there).Order(StringComparer.Ordinal)
                .Select(folder => $"under \"### `{project}`\": `{folder}/` is named but does not exist"));
        }

        Findings.MustBeEmpty(findings, $"{Document} shows the first-level folders of every project of src:");
    }

    [Fact]
    public void The_solution_holds_every_project()
    {
        var listed = XDocument.Load(Repository.Full("Kvorum.slnx")).Descendants("Project")
            .Select(project => (string?)project.Attribute("Path")).OfType<string>().ToHashSet(StringComparer.Ordinal);

        var findings = Projects().Where(path => !listed.Contains(path)).Select(path => $"{path} is missing");
        Findings.MustBeEmpty([.. findings], "Kvorum.slnx lists every project, or nobody builds it:");
    }

    private static IEnumerable<string> Projects() => Repository.Files("*.csproj");

    private static IEnumerable<(string Project, string Section)> Sections()
    {
        var text = Repository.Read(Document);
        foreach (Match heading in ProjectHeading().Matches(text))
        {
            var end = text.IndexOf("\n##", heading.Index + heading.Length, StringComparison.Ordinal);
            yield return (heading.Groups[1].Value, text[heading.Index..(end < 0 ? text.Length : end)]);
        }
    }
}
