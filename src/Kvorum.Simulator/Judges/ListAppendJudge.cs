namespace Kvorum.Simulator;

/// <summary>
/// Elle's list-append check (Kingsbury and Alvaro, 2020): lists tell the order of their versions, versions tell who
/// must stand before whom, and a cycle of that is an anomaly with a name (Adya, 1999).
/// </summary>
/// <remarks>
/// Lengths and revisions are not believed, only lists and times. Keys that somebody may have written or deleted are
/// left out; so are local reads, but for what they hold. Operations with unknown outcome count when something they
/// appended was seen.
/// </remarks>
public sealed class ListAppendJudge : IJudge
{
    internal const string Name = "list append";

    public Verdict Judge(IReadOnlyList<Operation> history)
    {
        var lists = new ListHistory(history);
        if (lists.FindViolation() is { } violation)
        {
            return violation;
        }

        var graph = DependencyGraph.Of(lists);
        return new CycleFinder(lists, graph).FindViolation() ?? Verdict.Valid(Name);
    }
}
