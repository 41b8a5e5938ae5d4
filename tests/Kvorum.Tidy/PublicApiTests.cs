using System.Reflection;
using Kvorum.Tidy.Assemblies;

namespace Kvorum.Tidy;

/// <summary>What is public is a decision: a change of it shows up in review as a change of a text file.</summary>
public sealed class PublicApiTests
{
    [Theory]
    [InlineData("Kvorum.Raft")]
    [InlineData("Kvorum.Node")]
    [InlineData("Kvorum.Server")]
    public void The_public_surface_is_the_approved_one(string project)
    {
        var path = $"tests/Kvorum.Tidy/Approved/{project}.txt";
        var actual = ApiSurface.Of(Assembly.LoadFrom(BuiltAssembly.PathOf(project)));
        if (Repository.IsRewriting)
        {
            Repository.Write(path, actual);
        }

        var approved = File.Exists(Repository.Full(path)) ? Repository.Read(path) : "";
        Findings.MustBeEmpty(
            [.. Differences(approved.Split('\n'), actual.Split('\n'))],
            $"The public surface of {project} is not the one in {path}. If you meant it, run "
                + "KVORUM_REWRITE=1 dotnet test tests/Kvorum.Tidy and commit the difference; else make it internal:");
    }

    /// <summary>Lines gone and lines new, each under its type.</summary>
    private static IEnumerable<string> Differences(string[] approved, string[] actual)
    {
        var before = WithType(approved);
        var after = WithType(actual);
        return before.Except(after, StringComparer.Ordinal).Select(line => "- " + line)
            .Concat(after.Except(before, StringComparer.Ordinal).Select(line => "+ " + line));
    }

    private static List<string> WithType(string[] lines)
    {
        var type = "";
        var result = new List<string>();
        foreach (var line in lines.Where(line => line.Length > 0))
        {
            type = line.StartsWith(' ') ? type : line;
            result.Add(line.StartsWith(' ') ? $"{type} » {line.Trim()}" : line);
        }

        return result;
    }
}
