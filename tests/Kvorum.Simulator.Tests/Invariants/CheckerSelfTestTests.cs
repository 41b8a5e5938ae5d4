namespace Kvorum.Simulator.Tests;

public class CheckerSelfTestTests
{
    [Fact]
    public void The_checkers_report_every_planted_divergence_and_nothing_else() => Assert.Null(CheckerSelfTest.Run());
}
