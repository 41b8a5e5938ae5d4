namespace Kvorum.Simulator;

/// <summary>All judges; each run is judged by every one.</summary>
internal static class Bench
{
    public static IReadOnlyList<IJudge> Judges => [];
}
