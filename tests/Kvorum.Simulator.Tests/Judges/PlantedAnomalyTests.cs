namespace Kvorum.Simulator.Tests;

/// <summary>Each judge calls each anomaly it can see by its name, behind any correct beginning.</summary>
public class PlantedAnomalyTests
{
    [Theory]
    [InlineData("stale read", "w k a 2 | w k b 3 | r k a/2 2")]
    [InlineData("stale write", "w k a 3 | w k b 2")]
    [InlineData("lost write", "w k a 2 | w k b 3 | r k a/2 3")]
    [InlineData("reused revision", "w k a 2 | w l b 2")]
    [InlineData("invented value", "w k a 2 | r k x/2 2")]
    [InlineData("effect of a refused write", "no w k a 0 | r k a/2 2")]
    [InlineData("read from the future", "r k a/2 1 | w k a 2")]
    [InlineData("wrong revision", "w k a 2 | w l b 3 | r k a/3 3")]
    [InlineData("lost revision", "w k a 2 | w k b 4")]
    [InlineData("double effect", "un w k a 0 | r k a/2 2 | w k b 3 | r k a/4 4")]
    [InlineData("wrong length", "a k i 1 2 | a k j 3 3")]
    [InlineData("wrong compare outcome", "w k a 2 | c k b c 3")]
    public void The_total_order_judge_names(string anomaly, string story) =>
        AssertNamed(new TotalOrderJudge(), anomaly, story);

    [Theory]
    [InlineData("stale read", "w k a 0 | w k b 0 | r k a 0")]
    [InlineData("stale read", "w k a 0 | r k - 0")]
    [InlineData("invented value", "w k a 0 | r k x 0")]
    [InlineData("effect of a refused write", "no w k a 0 | r k a 0")]
    [InlineData("read from the future", "r k a 0 | w k a 0")]
    [InlineData("wrong length", "a k i 1 0 | a k j 3 0")]
    [InlineData("wrong compare outcome", "w k a 0 | c k b c 0")]
    public void The_linearizability_judge_names(string anomaly, string story) =>
        AssertNamed(new LinearizabilityJudge(), anomaly, story);

    [Theory]
    [InlineData("lost append", "a k i 1 0 | r k - 0")]
    [InlineData("lost append", "a k i 1 0 | a k j 1 0 | r k [j] 0")]
    [InlineData("duplicate", "a k i 1 0 | r k [i,i] 0")]
    [InlineData("wrong length", "a k i 1 0 | a k j 1 0")]
    [InlineData("wrong length", "a k i 1 0 | a k j 3 0")]
    [InlineData("incompatible order", "un a k i 0 | un a k j 0 | r k [i,j] 0 | r k [j] 0")]
    [InlineData("invented item", "a k i 1 0 | r k [i,x] 0")]
    [InlineData("effect of a refused append", "no a k i 0 | r k [i] 0")]
    [InlineData("stale read", "a k i 1 0 | a k j 2 0 | r k [i,j] 0 | r k [i] 0")]
    [InlineData("late append", "a k i 2 0 | a k j 1 0")]
    public void The_append_judge_names(string anomaly, string story) =>
        AssertNamed(new AppendJudge(), anomaly, story);

    [Theory]
    [InlineData("G0", "& a k 1 0, a l 1 0 & a k 2 0, a l 2 0 | r k [1,2] 0 | r l [2,1] 0")]
    [InlineData("G1a", "no a k 1 0 | r k [1] 0")]
    [InlineData("G1b", "& a k 1 0, a k 2 0 & r k [1] 0 | r k [1,2] 0")]
    [InlineData("G1c", "& a k 1 0, r l [2] 0 & a l 2 0, r k [1] 0")]
    [InlineData("G-single", "& a k 1 0, a l 2 0 & r k [1] 0, r l - 0 | r l [2] 0")]
    [InlineData("G2", "& r k - 0, a l 1 0 & r l - 0, a k 2 0 | r k [2] 0 | r l [1] 0")]
    [InlineData("lost update", "& r k - 0, a k 1 0 & r k - 0, a k 2 0 | r k [1,2] 0")]
    [InlineData("G0-realtime", "a k 1 0 | a k 2 0 | r k [2,1] 0")]
    [InlineData("G1c-realtime", "r k [1] 0 | a k 1 0")]
    [InlineData("G-single-realtime", "a k 1 0 | a k 2 0 | r k [1] 0 | r k [1,2] 0")]
    [InlineData("lost append", "a k 1 0 | r k - 0")]
    [InlineData("duplicate", "a k 1 0 | r k [1,1] 0")]
    [InlineData("incompatible order", "& a k 1 0 & a k 2 0 | r k [1,2] 0 | r k [2] 0")]
    [InlineData("internal", "& a k 1 0, r k - 0 | r k [1] 0")]
    [InlineData("internal", "a k 1 0 | & r k - 0, r k [1] 0")]
    [InlineData("invented item", "a k 1 0 | r k [1,9] 0")]
    public void The_list_append_judge_names(string anomaly, string story) =>
        AssertNamed(new ListAppendJudge(), anomaly, story);

    [Fact]
    public void The_explanation_of_a_cycle_tells_each_step_of_it()
    {
        var history = Story.Tell("& r k - 0, a l 1 0 & r l - 0, a k 2 0 | r k [2] 0 | r l [1] 0");
        var verdict = new ListAppendJudge().Judge(history);

        Assert.Equal([0, 1], verdict.Operations);
        Assert.Contains("l without what operation 0", verdict.Explanation, StringComparison.Ordinal);
        Assert.Contains("k without what operation 1", verdict.Explanation, StringComparison.Ordinal);
    }

    /// <summary>Alone, and behind ten correct histories on other keys.</summary>
    private static void AssertNamed(IJudge judge, string anomaly, string story)
    {
        Assert.Equal(anomaly, judge.Judge(Story.Tell(story)).Anomaly);
        var beginnings = 0;
        for (var seed = 1UL; beginnings < 10; seed++)
        {
            var beginning = HistoryMaker.Make(seed, Workload.Mixed, count: 12);
            if (beginning.TrueForAll(operation => operation.Outcome == OperationOutcome.Done))
            {
                var verdict = judge.Judge(Story.TellAfter(beginning, story));
                Assert.Equal((VerdictKind.Violation, anomaly), (verdict.Kind, verdict.Anomaly));
                Assert.All(verdict.Operations, number => Assert.InRange(number, 12, 30));
                beginnings++;
            }
        }
    }
}
