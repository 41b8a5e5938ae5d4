namespace Kvorum.Simulator.Tests;

/// <summary>Every judge says of 20,000 small histories what trying every order says.</summary>
public class BruteForceComparisonTests
{
    [Fact]
    public void The_total_order_judge_says_what_brute_force_says() =>
        Agree(new TotalOrderJudge(), new Differential(Workload.Mixed, Rule.Revisions | Rule.Lengths));

    [Fact]
    public void The_linearizability_judge_says_what_brute_force_says() =>
        Agree(new LinearizabilityJudge(), new Differential(Workload.SingleKey, Rule.Lengths));

    [Fact]
    public void The_append_judge_says_what_brute_force_says() =>
        Agree(new AppendJudge(), new Differential(Workload.Appends, Rule.Lengths));

    [Fact]
    public void The_list_append_judge_says_what_brute_force_says() =>
        Agree(new ListAppendJudge(), new Differential(Workload.ListTransactions, Rule.Values));

    private static void Agree(IJudge judge, Differential differential)
    {
        var tally = new Tally();

        var disagreement = differential.FindDisagreement(judge, tally);
        Assert.True(disagreement is null, disagreement);

        Assert.True(tally.Possible > 10_000, $"{tally.Possible} possible histories");
        Assert.True(tally.Impossible > 2_000, $"{tally.Impossible} impossible histories");
        TestContext.Current.SendDiagnosticMessage(string.Join(", ", tally.Anomalies));
    }
}
