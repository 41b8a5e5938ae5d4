using Kvorum.Tidy.Assemblies;

namespace Kvorum.Tidy;

/// <summary>
/// What would make two runs of the same inputs differ is not in the built assemblies of the deterministic rings. The
/// analyzers say so while compiling; this reads what was compiled, where no suppression helps.
/// </summary>
public sealed class DeterminismTests
{
    /// <summary>Banned in every deterministic project: types, namespaces (ending in a dot) and members.</summary>
    private static readonly string[] Everywhere =
    [
        "System.Diagnostics.Stopwatch", "System.Random", "System.HashCode", "System.Guid.NewGuid",
        "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTimeOffset.get_Now",
        "System.DateTimeOffset.get_UtcNow", "System.String.GetHashCode", "System.Object.GetHashCode",
        "System.Threading.Tasks.Task.Run", "System.Threading.Tasks.Task.Delay",
        "System.Threading.Tasks.TaskFactory", "System.Threading.Tasks.Parallel", "System.Threading.Thread.Sleep",
        "System.Threading.Timer", "System.WeakReference", "System.Runtime.CompilerServices.ConditionalWeakTable`2",
        "System.Collections.Concurrent.", "System.Collections.Immutable.", "System.Collections.Frozen.",
        "System.Threading.Channels.", "System.Net.",
    ];

    /// <summary>Banned in the pure ring as well.</summary>
    private static readonly string[] Pure =
    [
        "System.DateTime", "System.DateTimeOffset", "System.TimeProvider", "System.Environment", "System.Guid",
        "System.Threading.Thread", "System.Threading.ThreadPool", "System.Threading.Monitor",
        "System.Threading.Lock", "System.Threading.Tasks.", "System.IO.", "System.Globalization.CultureInfo",
    ];

    /// <summary>The one reading of the surroundings: the live overload of KvorumNode.Open names its process.</summary>
    private static readonly string[] Allowed = ["System.Environment", "System.Environment.get_ProcessId"];

    [Theory]
    [InlineData("Kvorum.Raft")]
    [InlineData("Kvorum.Kv")]
    public void The_pure_ring_was_compiled_without_clocks_threads_chance_or_hash_codes(string assembly) =>
        Findings.MustBeEmpty(
            Forbidden(assembly, [.. Everywhere, .. Pure]), $"{assembly}.dll uses what the pure ring may not:");

    [Theory]
    [InlineData("Kvorum.Storage")]
    [InlineData("Kvorum.Node")]
    [InlineData("Kvorum.Client")]
    public void The_deterministic_ring_was_compiled_without_clocks_chance_or_hash_codes(string assembly) =>
        Findings.MustBeEmpty(
            Forbidden(assembly, [.. Everywhere, "System.Environment"]), $"{assembly}.dll uses what its ring may not:");

    [Fact]
    public void The_simulator_was_compiled_without_threads_of_its_own_in_a_run() =>
        Findings.MustBeEmpty(
            // Many runs may stand side by side, each on one thread with a world of its own.
            Forbidden("Kvorum.Simulator", [.. Everywhere.Where(name => name != "System.Threading.Tasks.Parallel")]),
            "Kvorum.Simulator.dll uses what its ring may not:");

    [Fact]
    public void What_is_used_is_seen_with_its_members() =>
        Assert.Contains("System.TimeProvider.GetTimestamp", BuiltAssembly.Uses("Kvorum.Node"));

    private static List<string> Forbidden(string assembly, string[] banned) =>
    [
        .. BuiltAssembly.Uses(assembly).Where(use => !Allowed.Contains(use) && banned.Any(name =>
            use == name
                || use.StartsWith(name.EndsWith('.') ? name : name + ".", StringComparison.Ordinal))),
    ];
}
