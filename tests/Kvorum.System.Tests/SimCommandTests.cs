using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests;

/// <summary>The simulator as a command.</summary>
public sealed class SimCommandTests
{
    [Fact]
    public async Task Ctrl_C_ends_a_sweep_with_the_summary_so_far()
    {
        using var sweep = KvorumProcess.Start("sim", "--seed", "1", "--seeds", "1000000", "--workers", "1");
        await Wait.UntilAsync(
            "the first progress of the sweep", Wait.Usual,
            () => sweep.Errors.Contains(" of 1,000,000 seeds", StringComparison.Ordinal));

        sweep.Signal(KvorumProcess.CtrlC);
        Assert.Equal(0, await sweep.WaitForExitAsync(Wait.Usual));
        Assert.Contains("seeds from 1: 0 violations", sweep.Output, StringComparison.Ordinal);
        Assert.Contains("  hash ", sweep.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--trace: expected a file that can be written", "sim", "--seed", "1", "--trace", "/nonexistent/trace")]
    [InlineData("--trace: expected a file that can be written", "sim", "--seed", "1", "--trace", "/")]
    [InlineData("--scenario: expected a file or a name", "sim", "--scenario", "/")]
    [InlineData("--other: expected the path of a kvorum.dll", "verify", "determinism", "--other", "/nonexistent.dll")]
    [InlineData("This build has no seeded bugs", "verify", "shrinking")]
    public async Task What_cannot_be_done_is_refused_before_anything_runs(string message, params string[] arguments)
    {
        using var command = KvorumProcess.Start(arguments);

        Assert.Equal(2, await command.WaitForExitAsync(Wait.Usual));
        Assert.Contains(message, command.Errors, StringComparison.Ordinal);
        Assert.Empty(command.Output);
    }
}
