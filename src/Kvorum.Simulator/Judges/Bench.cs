namespace Kvorum.Simulator;

/// <summary>All judges; each run is judged by every one.</summary>
internal static class Bench
{
    /// <summary>They keep nothing from one history to the next, so any thread may ask them.</summary>
    public static IReadOnlyList<IJudge> Judges { get; } =
        [new TotalOrderJudge(), new LinearizabilityJudge(), new AppendJudge(), new ListAppendJudge()];
}
