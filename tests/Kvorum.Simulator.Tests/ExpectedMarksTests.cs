namespace Kvorum.Simulator.Tests;

public class ExpectedMarksTests
{
    [Fact]
    public void A_long_sweep_that_misses_a_mark_is_told_which()
    {
        Assert.Equal(["session.expired"], ExpectedMarks.MissedBy(Totals(ExpectedMarks.SeedsMin, "session.expired")));
        Assert.Empty(ExpectedMarks.MissedBy(Totals(ExpectedMarks.SeedsMin, missing: null)));
    }

    [Fact]
    public void A_short_sweep_may_miss_any() =>
        Assert.Empty(ExpectedMarks.MissedBy(Totals(ExpectedMarks.SeedsMin - 1, "session.expired")));

    private static SweepTotals Totals(long seeds, string? missing) => new(
        seeds, seeds, 0, 0, 0, 0, 0, new Dictionary<string, long>(),
        ExpectedMarks.All.Where(mark => mark != missing).ToDictionary(mark => mark, _ => 1L), []);
}
