using System.Globalization;

namespace Kvorum.Simulator.Tests;

/// <summary>
/// Writes that overlap for long: clients that gave up waiting leave writes behind that may have taken effect at any
/// moment until the end, and a search that tries their orders one by one does not end.
/// </summary>
public class OpenWritesTests
{
    /// <summary>
    /// Seed 7448, one key: what was asked, when, and when it was over ("end": not before all else). Milliseconds.
    /// </summary>
    private const string Seed7448 = """
        183 470 w v0 | 679 813 w v2 | 1063 1713 c v0 v4 | 1156 1602 r v2 | 1566 end w v7 | 2041 end w v9
        2370 2601 r v2 | 6566 end c v11 v13 | 7041 end w v14 | 7601 end c v20 v28 | 8072 end w v23
        12816 end c v32 v37 | 13072 end w v25 | 13233 end w v18 | 13901 end w v33 | 14501 end w v42 | 19322 end d
        19833 end w v46 | 20609 end w v53 | 23733 end c v48 v54 | 25609 30395 r v7 | 27041 30614 w v56
        28733 30629 w v63 | 29833 30630 w v76 | 30394 30645 w v50 | 30619 30686 w v72 | 30670 30723 c v69 v73
        30685 30738 d | 30738 30743 r - | 30748 30751 r - | 31874 31875 r -
        """;

    [Fact]
    public void Open_writes_of_seed_7448_are_decided_within_1000_steps()
    {
        var judge = new LinearizabilityJudge(stepsMax: 1_000);
        var history = Read(Seed7448);

        Assert.Equal(31, history.Count);
        Assert.Equal(VerdictKind.Valid, judge.Judge(history).Kind);

        // The last answer but one is of a value that was overwritten before: nobody can have seen it again.
        history[^2] = Read("30748 30751 r v2")[0] with { Number = history.Count - 2 };
        var verdict = judge.Judge(history);
        Assert.Equal((VerdictKind.Violation, "stale read"), (verdict.Kind, verdict.Anomaly));
        Assert.Equal([history.Count - 2], verdict.Operations);
    }

    [Theory]
    [InlineData(31, 3, 100_000)]
    [InlineData(31, 8, 100_000)]
    [InlineData(60, 3, 500_000)]
    [InlineData(60, 8, 500_000)]
    public void Histories_in_doubt_are_decided_within_the_limit(int count, int clients, int stepsMax)
    {
        var judge = new LinearizabilityJudge(stepsMax);
        for (var seed = 1UL; seed <= 100; seed++)
        {
            var history = HistoryMaker.Make(seed, Mix.InDoubt, count, clients, slack: 30);
            Assert.Equal(VerdictKind.Valid, judge.Judge(history).Kind);
            for (var change = 0UL; change < 3; change++)
            {
                history = HistoryMutation.Apply(history, (seed << 2) + change);
            }

            Assert.NotEqual(VerdictKind.Undecided, judge.Judge(history).Kind);
        }
    }

    private static List<Operation> Read(string text)
    {
        var operations = new List<Operation>();
        foreach (var told in text.Split(['|', '\n'], StringSplitOptions.TrimEntries))
        {
            var words = told.Split(' ');
            var value = words.Length > 3 && words[3] != "-" ? words[3] : null;
            Step[] steps = words[2] switch
            {
                "w" => [new Step(StepKind.Write, "k", value, null)],
                "d" => [new Step(StepKind.Delete, "k", null, null)],
                "c" =>
                [
                    new Step(StepKind.CompareValue, "k", value, null), new Step(StepKind.Write, "k", words[4], null),
                ],
                _ => [new Step(StepKind.Read, "k", null, new Observation(value, 0, 0))],
            };
            var returned = words[1] == "end" ? 53_000 : long.Parse(words[1], CultureInfo.InvariantCulture);
            operations.Add(new Operation(
                operations.Count, operations.Count, long.Parse(words[0], CultureInfo.InvariantCulture), returned,
                OperationOutcome.Done, 0, words[2] != "r", IsLocal: false, Succeeded: words[2] != "c", steps));
        }

        return operations;
    }
}
