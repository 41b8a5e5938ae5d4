namespace Kvorum.Simulator.Tests;

/// <summary>Histories as large as a run's, too large for brute force: a correct store is never accused.</summary>
public class LargeHistoryTests
{
    [Fact]
    public void No_judge_accuses_a_correct_store_of_six_hundred_operations()
    {
        IJudge[] judges = [new TotalOrderJudge(), new LinearizabilityJudge(), new AppendJudge(), new ListAppendJudge()];
        Mix[] workloads =
            [Mix.Mixed, Mix.SingleKey, Mix.Appends, Mix.ListTransactions];
        foreach (var workload in workloads)
        {
            for (var seed = 1UL; seed <= 5; seed++)
            {
                var history = HistoryMaker.Make(seed, workload, count: 600, clients: 5, keys: 8);
                Assert.All(judges, judge => Assert.Equal(VerdictKind.Valid, judge.Judge(history).Kind));
            }
        }
    }

    [Fact]
    public void Transactions_over_several_keys_do_not_make_the_black_box_judges_accuse_a_correct_store()
    {
        for (var seed = 1UL; seed <= 3_000; seed++)
        {
            var history = HistoryMaker.Make(seed, Mix.Mixed, count: 6);
            Assert.Equal(VerdictKind.Valid, new LinearizabilityJudge().Judge(history).Kind);
            Assert.Equal(VerdictKind.Valid, new AppendJudge().Judge(history).Kind);
            Assert.Equal(VerdictKind.Valid, new ListAppendJudge().Judge(history).Kind);
        }
    }

    [Fact]
    public void A_read_that_goes_back_in_time_is_found_among_six_hundred_operations()
    {
        var history = HistoryMaker.Make(seed: 7, Mix.SingleKey, count: 600, clients: 5, keys: 8);
        var at = history.FindLastIndex(operation => operation.Outcome == OperationOutcome.Done
            && operation.Steps is [{ Kind: StepKind.Read, Seen.Value: not null }]);
        history[at] = history[at] with
        {
            Steps = [history[at].Steps[0] with { Seen = new Observation(null, 0, 0) }],
        };

        Assert.Equal(VerdictKind.Violation, new TotalOrderJudge().Judge(history).Kind);
        Assert.Equal(VerdictKind.Violation, new LinearizabilityJudge().Judge(history).Kind);
    }
}
