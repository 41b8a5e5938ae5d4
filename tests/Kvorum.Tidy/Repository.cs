using System.Text;

namespace Kvorum.Tidy;

/// <summary>The work tree the tests were built from, and its files in a stable order.</summary>
internal static class Repository
{
    private static readonly string[] SkippedFolders =
        ["bin", "obj", "node_modules", "TestResults", "BenchmarkDotNet.Artifacts", "kvorum-data", "out"];

    /// <summary>The folder that holds Kvorum.slnx.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Whether approved files and lists are rewritten instead of compared.</summary>
    public static bool IsRewriting { get; } = Environment.GetEnvironmentVariable("KVORUM_REWRITE") == "1";

    /// <summary>
    /// Paths relative to the root, with slashes, ordinally sorted; build output and hidden folders left out.
    /// </summary>
    public static IReadOnlyList<string> Files(string pattern)
    {
        var found = new List<string>();
        Collect(new DirectoryInfo(Root), pattern, found);
        found.Sort(StringComparer.Ordinal);
        return found;
    }

    /// <summary>C# files written by hand, of all projects and tools.</summary>
    public static IReadOnlyList<string> SourceFiles() => Files("*.cs");

    public static string Read(string path) => File.ReadAllText(Full(path));

    public static string Full(string path) => Path.Combine(Root, path);

    public static void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(Full(path))!); // A relative path of ours always has a folder.
        File.WriteAllText(Full(path), text, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
    }

    /// <summary>Folders right below <paramref name="path"/> that hold at least one file of the repository.</summary>
    public static IReadOnlyList<string> Folders(string path) =>
        [.. Files("*")
            .Where(file => file.StartsWith(path + "/", StringComparison.Ordinal))
            .Select(file => file[(path.Length + 1)..].Split('/'))
            .Where(parts => parts.Length > 1)
            .Select(parts => parts[0])
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)];

    private static void Collect(DirectoryInfo folder, string pattern, List<string> found)
    {
        foreach (var file in folder.EnumerateFiles(pattern))
        {
            found.Add(Path.GetRelativePath(Root, file.FullName).Replace('\\', '/'));
        }

        foreach (var child in folder.EnumerateDirectories())
        {
            var isHidden = child.Name.StartsWith('.') && child.Name != ".ci";
            if (!isHidden && child.LinkTarget is null && !SkippedFolders.Contains(child.Name, StringComparer.Ordinal))
            {
                Collect(child, pattern, found);
            }
        }
    }

    private static string FindRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Kvorum.slnx")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Kvorum.slnx in any folder above {AppContext.BaseDirectory}.");
    }
}

/// <summary>Fails with a list of what is wrong and one sentence on what to do about it.</summary>
internal static class Findings
{
    public static void MustBeEmpty(IReadOnlyCollection<string> findings, string whatToDo)
    {
        if (findings.Count > 0)
        {
            Assert.Fail(string.Join(Environment.NewLine, findings.Select(finding => "  " + finding).Prepend(whatToDo)));
        }
    }
}
