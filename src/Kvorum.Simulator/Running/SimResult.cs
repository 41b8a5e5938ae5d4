namespace Kvorum.Simulator;

/// <summary>Something that must never be, and was.</summary>
/// <param name="Rule">"R1" to "R13", "K1" to "K4", "V1", "V2", "Q1", or a judge's name.</param>
/// <param name="At">Virtual time in microseconds.</param>
public sealed record Violation(string Rule, string Explanation, long At);

/// <summary>What came of a run.</summary>
public sealed record SimResult
{
    public required SimPlan Plan { get; init; }

    /// <summary>Null when nothing was violated.</summary>
    public required Violation? Violation { get; init; }

    /// <summary>64 bits chained over every event; equal in every process for the same plan.</summary>
    public required ulong TraceHash { get; init; }

    public required IReadOnlyList<Operation> History { get; init; }

    /// <summary>What each judge said; the violation, if any, is made from the first that is not valid.</summary>
    public required IReadOnlyList<Verdict> Verdicts { get; init; }

    /// <summary>Virtual time in microseconds.</summary>
    public required long SimulatedTime { get; init; }

    public required long Events { get; init; }

    /// <summary>Faults that took effect, messages dropped and the like, by name.</summary>
    public required IReadOnlyDictionary<string, long> Injected { get; init; }

    /// <summary>Interesting states that were reached, by name, with how often.</summary>
    public required IReadOnlyDictionary<string, long> Marks { get; init; }

    /// <summary>
    /// True when too many copies were lost for anybody to go on and every affected node stopped and said why, as it
    /// must.
    /// </summary>
    public required bool IsSafeHalt { get; init; }
}
