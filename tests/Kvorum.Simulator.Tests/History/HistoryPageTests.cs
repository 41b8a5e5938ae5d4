using System.Text.RegularExpressions;

namespace Kvorum.Simulator.Tests;

/// <summary>A failing history as a page: complete, self-contained, and harmless whatever the values are.</summary>
public partial class HistoryPageTests
{
    [Fact]
    public void Every_operation_and_every_fault_is_on_the_page_once()
    {
        var history = HistoryMaker.Make(seed: 5, Mix.Mixed, count: 600, clients: 6, keys: 8);
        var page = Write(history);

        Assert.Equal(
            history.Select(operation => operation.Number).Order(),
            OperationIds().Matches(page).Select(id => int.Parse(id.Groups[1].Value)).Order());
        Assert.Contains("id=\"fault7\"", page, StringComparison.Ordinal);
        Assert.Contains("<h2>slow disk</h2>", page, StringComparison.Ordinal);
        Assert.Equal(6, page.Split("<h2>client ").Length - 1);
    }

    [Fact]
    public void The_first_impossible_operation_is_marked_and_its_witness_too()
    {
        var page = Write(HistoryMaker.Make(seed: 5, Mix.Mixed, count: 20));

        Assert.Matches("class=\"op \\w+ first\" id=\"op3\"", page);
        Assert.Matches("class=\"op \\w+ witness\" id=\"op1\"", page);
        Assert.Contains("It cannot be.", page, StringComparison.Ordinal);
        Assert.Contains("kvorum sim --seed 7", page, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_keys_and_explanations_are_text_never_markup()
    {
        const string Hostile = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;";
        var history = new[]
        {
            new Operation(0, 1, 10, 20, OperationOutcome.Done, 2, true, false, true,
                [new Step(StepKind.Write, Hostile, Hostile, null)]),
            new Operation(1, 1, 30, 40, OperationOutcome.Done, 2, false, false, true,
                [new Step(StepKind.Read, Hostile, null, new Observation(Hostile, 2, 0))]),
        };
        var page = HistoryPage.Write(
            history, [], new Verdict(Hostile, VerdictKind.Violation, Hostile, Hostile, [1]), Hostile);

        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script>alert", page, StringComparison.Ordinal);
        Assert.Single(ScriptEnds().Matches(page));
        Assert.Contains("&lt;img src=x onerror=alert(2)&gt;", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_page_needs_nothing_from_outside_and_is_the_same_every_time()
    {
        var history = HistoryMaker.Make(seed: 6, Mix.Mixed, count: 100);

        Assert.Equal(Write(history), Write([.. history]));
        Assert.DoesNotMatch("(?i)(src|href)=|url\\(|@import|https?:", Write(history));
    }

    private static string Write(IReadOnlyList<Operation> history) => HistoryPage.Write(
        history,
        [
            new Fault(7, FaultKind.SlowDisk, 40_000, 90_000, [1, 3], 5),
            new Fault(8, FaultKind.Crash, 60_000, 0, [2], 0),
        ],
        new Verdict("append", VerdictKind.Violation, "lost append", "It cannot be.", [3, 1]),
        "kvorum sim --seed 7");

    [GeneratedRegex("id=\"op(\\d+)\"")]
    private static partial Regex OperationIds();

    [GeneratedRegex("</script>")]
    private static partial Regex ScriptEnds();
}
