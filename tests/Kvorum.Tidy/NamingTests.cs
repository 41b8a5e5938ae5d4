using System.Text.RegularExpressions;
using Kvorum.Tidy.Source;

namespace Kvorum.Tidy;

/// <summary>Names that fit everything say nothing (docs/style.md, "Names").</summary>
public sealed partial class NamingTests
{
    private static readonly string[] ForbiddenFolders =
        ["Interfaces", "Models", "Enums", "Helpers", "Extensions", "Utils", "Common", "Misc"];

    [GeneratedRegex("(Manager|Helpers?|Utils?|Utility|Utilities|Info)$")]
    private static partial Regex EmptySuffix();

    [Fact]
    public void No_type_or_file_is_called_manager_helper_util_or_info()
    {
        var findings = new List<string>();
        foreach (var path in Repository.SourceFiles())
        {
            var (_, types) = MemberScanner.Scan(CodeText.Strip(Repository.Read(path)));
            findings.AddRange(types.Where(type => EmptySuffix().IsMatch(type.Name))
                .Select(type => $"{path}:{type.Line}: type {type.Name}"));
            if (EmptySuffix().IsMatch(Path.GetFileNameWithoutExtension(path).Split('.')[0]))
            {
                findings.Add($"{path}: file name");
            }
        }

        Findings.MustBeEmpty(findings, "Name it by what it does, in words of docs/glossary.md:");
    }

    [Fact]
    public void No_folder_is_named_by_the_kind_of_its_code()
    {
        var findings = Repository.Files("*")
            .Select(path => path.Split('/')[..^1].FirstOrDefault(part => ForbiddenFolders.Contains(part)) is { } folder
                ? $"{path}: folder {folder}"
                : null)
            .OfType<string>()
            .ToList();

        Findings.MustBeEmpty(findings, "A folder is named by its subject, not by the kind of code in it:");
    }
}
