namespace Kvorum.Simulator.Tests;

/// <summary>
/// Who judges the judges: seeded bug 60 ("the check compares the wrong index"), and its like. A judge with such a bug
/// says of a history what the right judge says of a history with that very distortion; so each broken judge here is
/// the right one behind a lens. The comparison with brute force, the same that the right judges pass, must reject every
/// one of them.
/// </summary>
public class BrokenJudgeTests
{
    private static readonly string[] Judges = ["total order", "linearizability", "append", "list append"];

    public static TheoryData<string, string> Broken { get; } = AllPairs();

    [Theory]
    [MemberData(nameof(Broken))]
    public void The_comparison_with_brute_force_rejects_a_broken_judge(string judge, string bug)
    {
        var (right, differential) = JudgeOf(judge);

        var broken = new BrokenJudge(right, LensOf(bug, judge));
        Assert.NotNull(differential.FindDisagreement(broken, cancel: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void The_comparison_rejects_a_judge_that_finds_everything_valid() =>
        Assert.All(Judges, judge =>
            Assert.NotNull(JudgeOf(judge).Differential.FindDisagreement(
                new SleepingJudge(), cancel: TestContext.Current.CancellationToken)));

    [Fact]
    public void A_judge_that_cannot_decide_does_not_pass_for_one_that_can()
    {
        var history = HistoryMaker.Make(seed: 3, Mix.SingleKey, count: 40);

        Assert.Equal(VerdictKind.Undecided, new LinearizabilityJudge(stepsMax: 5).Judge(history).Kind);
        Assert.NotNull(JudgeOf("linearizability").Differential.FindDisagreement(
            new LinearizabilityJudge(stepsMax: 1), cancel: TestContext.Current.CancellationToken));
    }

    private static TheoryData<string, string> AllPairs()
    {
        var pairs = new TheoryData<string, string>();
        foreach (var judge in Judges)
        {
            pairs.Add(judge, "wrong index");
            pairs.Add(judge, "no real time");
            pairs.Add(judge, "unknown means never");
            pairs.Add(judge, "refused means perhaps");
            pairs.Add(judge, "answers of the last operation ignored");
        }

        return pairs;
    }

    private static (IJudge Judge, Differential Differential) JudgeOf(string judge) => judge switch
    {
        "total order" => (new TotalOrderJudge(), Differential.TotalOrder),
        "linearizability" => (new LinearizabilityJudge(), Differential.Linearizability),
        "append" => (new AppendJudge(), Differential.Append),
        _ => (new ListAppendJudge(), Differential.ListAppend),
    };

    private static Func<Operation, bool, Operation> LensOf(string bug, string judge) => bug switch
    {
        "wrong index" => (operation, _) => operation with
        {
            Steps = [.. operation.Steps.Select(step => WrongIndex(step, judge))],
        },
        "no real time" => (operation, _) => operation with { Invoked = 0, Returned = long.MaxValue },
        "unknown means never" => (operation, _) => operation.Outcome == OperationOutcome.Unknown
            ? operation with { Outcome = OperationOutcome.NoEffect }
            : operation,
        "refused means perhaps" => (operation, _) => operation.Outcome == OperationOutcome.NoEffect
            ? operation with { Outcome = OperationOutcome.Unknown }
            : operation,
        _ => (operation, isLast) => isLast
            ? operation with { Steps = [.. operation.Steps.Select(step => step with { Seen = null })] }
            : operation,
    };

    /// <summary>Compares a row's revision, a length or a list's last item with its neighbour.</summary>
    private static Step WrongIndex(Step step, string judge)
    {
        if (step.Seen is not { } seen)
        {
            return step;
        }

        if (judge == "total order" && seen.ModRevision > 0)
        {
            return step with { Seen = seen with { ModRevision = seen.ModRevision + 1 } };
        }

        if (judge == "list append" && seen.Value is { } list && list.LastIndexOf(',') is var comma and > 0)
        {
            return step with { Seen = seen with { Value = $"{list[..comma]}]" } };
        }

        return step.Kind == StepKind.Append ? step with { Seen = seen with { Length = seen.Length + 1 } } : step;
    }

    private sealed class BrokenJudge(IJudge right, Func<Operation, bool, Operation> lens) : IJudge
    {
        public Verdict Judge(IReadOnlyList<Operation> history) =>
            right.Judge([.. history.Select((operation, place) => lens(operation, place == history.Count - 1))]);
    }

    private sealed class SleepingJudge : IJudge
    {
        public Verdict Judge(IReadOnlyList<Operation> history) => Verdict.Valid("asleep");
    }
}
