namespace Kvorum.Simulator.Tests;

/// <summary>Every judge says of 20,000 small histories of each workload what trying every order says.</summary>
public class BruteForceComparisonTests
{
    [Fact]
    public void The_total_order_judge_says_what_brute_force_says() =>
        Agree(new TotalOrderJudge(), Differential.TotalOrder);

    [Fact]
    public void The_linearizability_judge_says_what_brute_force_says() =>
        Agree(new LinearizabilityJudge(), Differential.Linearizability);

    [Fact]
    public void The_append_judge_says_what_brute_force_says() =>
        Agree(new AppendJudge(), Differential.Append);

    [Fact]
    public void The_list_append_judge_says_what_brute_force_says() =>
        Agree(new ListAppendJudge(), Differential.ListAppend);

    private static void Agree(IJudge judge, Differential differential)
    {
        var tally = new Tally();

        var disagreement = differential.FindDisagreement(
            judge, tally, Differential.Histories * differential.Workloads.Length);
        Assert.True(disagreement is null, disagreement);

        Assert.True(tally.Possible > 10_000, $"{tally.Possible} possible histories");
        Assert.True(tally.Impossible > 2_000, $"{tally.Impossible} impossible histories");
        TestContext.Current.SendDiagnosticMessage(string.Join(", ", tally.Anomalies));
    }
}
