namespace Kvorum.Simulator;

/// <summary>What a judge says of a history.</summary>
public enum VerdictKind
{
    Valid = 0,

    /// <summary>The history cannot be explained.</summary>
    Violation = 1,

    /// <summary>The judge ran out of its limit. Counts as a failure of the harness, never as valid.</summary>
    Undecided = 2,
}

/// <summary>A judge's verdict.</summary>
/// <param name="Judge">"total order", "linearizability", "append" or "list append".</param>
/// <param name="Anomaly">A name, e.g. "lost write", "stale read", "G1c"; empty when valid.</param>
/// <param name="Explanation">One or two sentences for a person, with operation numbers, keys and values.</param>
/// <param name="Operations">The operations the explanation speaks of; the first is the first impossible one.</param>
public sealed record Verdict(
    string Judge, VerdictKind Kind, string Anomaly, string Explanation, IReadOnlyList<int> Operations)
{
    public static Verdict Valid(string judge) => new(judge, VerdictKind.Valid, "", "", []);
}

/// <summary>
/// Decides whether a history of client operations can be explained. Judges know nothing of nodes, logs or the
/// simulator; they are independent of one another and each is checked against brute force on small histories.
/// </summary>
public interface IJudge
{
    Verdict Judge(IReadOnlyList<Operation> history);
}
