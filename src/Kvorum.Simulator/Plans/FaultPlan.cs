namespace Kvorum.Simulator;

/// <summary>Draws the planned faults of a run.</summary>
internal static class FaultPlan
{
    public static IReadOnlyList<Fault> Draw(ulong seed, SimSettings settings)
    {
        _ = seed;
        _ = settings;
        return [];
    }
}
