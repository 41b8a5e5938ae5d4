using System.Xml.Linq;
using Kvorum.Tidy.Assemblies;

namespace Kvorum.Tidy;

/// <summary>Who may know whom: in the project files, and in what was built from them.</summary>
public sealed class ReferenceTests
{
    public static TheoryData<string> Projects => [.. ProjectRule.All.Select(rule => rule.Name)];

    [Fact]
    public void Every_project_of_src_has_a_rule()
    {
        var named = ProjectRule.All.Select(rule => rule.Name).ToHashSet(StringComparer.Ordinal);
        var findings = Repository.Folders("src").Where(project => !named.Contains(project)).ToList();

        Findings.MustBeEmpty(findings, "Say in tests/Kvorum.Tidy/Assemblies/ProjectRule.cs what it may reference:");
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void Project_references_stay_within_the_table(string project)
    {
        var rule = RuleOf(project);
        var file = XDocument.Load(Repository.Full($"src/{project}/{project}.csproj"));
        var projects = file.Descendants("ProjectReference").Select(reference =>
            Path.GetFileNameWithoutExtension((string?)reference.Attribute("Include") ?? ""));
        var packages = file.Descendants("PackageReference")
            .Select(reference => (string?)reference.Attribute("Include") ?? "");

        var findings = projects.Except(rule.Projects).Select(name => $"project {name}")
            .Concat(packages.Except(rule.Packages).Select(name => $"package {name}"));
        Findings.MustBeEmpty([.. findings], $"{project} may not reference (the table is in docs/architecture.md):");
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void The_built_assembly_refers_only_to_what_its_project_may(string project)
    {
        var rule = RuleOf(project);
        var findings = BuiltAssembly.References(rule.Assembly).Where(name =>
            name.StartsWith("Kvorum.", StringComparison.Ordinal)
                ? !rule.Projects.Contains(name)
                : rule.Frameworks is not null && !rule.Frameworks.Contains(name));

        Findings.MustBeEmpty(
            [.. findings],
            $"{rule.Assembly}.dll refers to assemblies that its ring does not allow "
                + "(tests/Kvorum.Tidy/Assemblies/ProjectRule.cs lists the allowed ones):");
    }

    [Fact]
    public void The_state_machine_uses_only_the_named_types_of_consensus()
    {
        var findings = BuiltAssembly.TypesUsedFrom("Kvorum.Kv", "Kvorum.Raft").Except(ProjectRule.RaftTypesOfKv);

        Findings.MustBeEmpty([.. findings], "Kv knows places in the log, and nothing of how consensus reaches them:");
    }

    private static ProjectRule RuleOf(string project) => ProjectRule.All.Single(rule => rule.Name == project);
}
