namespace Kvorum.Simulator.Tests;

/// <summary>Each judge calls each anomaly it can see by its name, behind any correct beginning.</summary>
public class PlantedAnomalyTests
{
    public static TheoryData<string, string, string> Planted { get; } =
        [.. PlantedAnomaly.All.Select(planted => (planted.Judge, planted.Name, planted.Text))];

    [Theory]
    [MemberData(nameof(Planted))]
    public void The_judge_names(string judge, string anomaly, string story) =>
        AssertNamed(JudgeOf(judge), new PlantedAnomaly(judge, anomaly, story));

    [Fact]
    public void The_explanation_of_a_cycle_tells_each_step_of_it()
    {
        var history = Story.Tell("& r k - 0, a l 1 0 & r l - 0, a k 2 0 | r k [2] 0 | r l [1] 0");
        var verdict = new ListAppendJudge().Judge(history);

        Assert.Equal([0, 1], verdict.Operations);
        Assert.Contains("l without what operation 0", verdict.Explanation, StringComparison.Ordinal);
        Assert.Contains("k without what operation 1", verdict.Explanation, StringComparison.Ordinal);
    }

    private static IJudge JudgeOf(string name) => name switch
    {
        "total order" => new TotalOrderJudge(),
        "linearizability" => new LinearizabilityJudge(),
        "append" => new AppendJudge(),
        _ => new ListAppendJudge(),
    };

    /// <summary>Alone, and behind ten correct histories on other keys.</summary>
    private static void AssertNamed(IJudge judge, PlantedAnomaly planted)
    {
        Assert.Equal(planted.Name, judge.Judge(Story.Tell(planted.Text)).Anomaly);
        for (var seed = 1UL; seed <= 10; seed++)
        {
            Assert.Null(planted.FindMistake(judge, seed, beginningCount: 12));
        }
    }
}
