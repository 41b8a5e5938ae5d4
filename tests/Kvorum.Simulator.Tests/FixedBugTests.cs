namespace Kvorum.Simulator.Tests;

/// <summary>Plans that once broke a rule, shrunk, one file each in <c>Fixed/</c>; docs/bugs.md has the rows.</summary>
public class FixedBugTests
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "Fixed");

    public static TheoryData<string> Plans =>
    [
        .. Directory.GetFiles(Folder, "*.txt").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal),
    ];

    [Theory]
    [MemberData(nameof(Plans))]
    public void A_plan_that_once_broke_a_rule_breaks_none_any_more(string name)
    {
        var scenario = ScenarioText.Parse(File.ReadAllText(Path.Combine(Folder, name)));
        Assert.Null(Simulation.Run(scenario.Plan).Violation);
    }
}
