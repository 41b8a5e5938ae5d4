using System.Runtime.CompilerServices;
using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// Plays the stories in Scenarios/*.txt: commands, then what <c>show</c> printed after a line of dashes. With
/// KVORUM_REWRITE=1 the expected output in the sources is replaced by what came out.
/// </summary>
public sealed class ScenarioTests
{
    private const string Dashes = "----";

    public static TheoryData<string> Names() =>
        [.. Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Scenarios"), "*.txt")
            .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Scenario_ends_as_its_file_says(string name)
    {
        var isRewrite = Environment.GetEnvironmentVariable("KVORUM_REWRITE") == "1";
        var file = Path.Combine(isRewrite ? SourceFolder() : Path.Combine(AppContext.BaseDirectory, "Scenarios"), name + ".txt");
        var script = File.ReadAllText(file);
        var played = Play(script);
        if (isRewrite)
        {
            File.WriteAllText(file, played);
        }
        else
        {
            Assert.Equal(script, played);
        }
    }

    [Fact]
    public void There_are_scenarios() => Assert.True(Names().Count >= 12);

    /// <summary>The script with every expected output replaced by the real one.</summary>
    private static string Play(string script)
    {
        var world = new ScenarioWorld();
        var played = new StringBuilder();
        var lines = script.TrimEnd('\n').Split('\n');
        for (var i = 0; i < lines.Length; i++)
        {
            played.Append(lines[i]).Append('\n');
            if (lines[i] == Dashes)
            {
                played.Append(world.TakeOutput());
                while (i + 1 < lines.Length && lines[i + 1].Length > 0)
                {
                    i++;
                }
            }
            else if (lines[i].Length > 0 && !lines[i].StartsWith('#'))
            {
                world.Run(lines[i]);
            }
        }

        Assert.True(world.TakeOutput().Length == 0, "Something is shown and never compared.");
        return played.ToString();
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
