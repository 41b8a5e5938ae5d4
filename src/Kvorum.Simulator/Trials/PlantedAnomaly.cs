namespace Kvorum.Simulator;

/// <summary>An anomaly as a story, and what a judge must call it.</summary>
internal sealed record PlantedAnomaly(string Judge, string Name, string Text)
{
    private const string TotalOrder = "total order";
    private const string Linearizability = "linearizability";
    private const string Append = "append";
    private const string ListAppend = "list append";

    public static IReadOnlyList<PlantedAnomaly> All { get; } =
    [
        new(TotalOrder, "stale read", "w k a 2 | w k b 3 | r k a/2 2"),
        new(TotalOrder, "stale write", "w k a 3 | w k b 2"),
        new(TotalOrder, "lost write", "w k a 2 | w k b 3 | r k a/2 3"),
        new(TotalOrder, "reused revision", "w k a 2 | w l b 2"),
        new(TotalOrder, "invented value", "w k a 2 | r k x/2 2"),
        new(TotalOrder, "effect of a refused write", "no w k a 0 | r k a/2 2"),
        new(TotalOrder, "read from the future", "r k a/2 1 | w k a 2"),
        new(TotalOrder, "wrong revision", "w k a 2 | w l b 3 | r k a/3 3"),
        new(TotalOrder, "lost revision", "w k a 2 | w k b 4"),
        new(TotalOrder, "double effect", "un w k a 0 | r k a/2 2 | w k b 3 | r k a/4 4"),
        new(TotalOrder, "wrong length", "a k i 1 2 | a k j 3 3"),
        new(TotalOrder, "wrong compare outcome", "w k a 2 | c k b c 3"),
        new(Linearizability, "stale read", "w k a 0 | w k b 0 | r k a 0"),
        new(Linearizability, "stale read", "w k a 0 | r k - 0"),
        new(Linearizability, "invented value", "w k a 0 | r k x 0"),
        new(Linearizability, "effect of a refused write", "no w k a 0 | r k a 0"),
        new(Linearizability, "read from the future", "r k a 0 | w k a 0"),
        new(Linearizability, "wrong length", "a k i 1 0 | a k j 3 0"),
        new(Linearizability, "wrong compare outcome", "w k a 0 | c k b c 0"),
        new(Append, "lost append", "a k i 1 0 | r k - 0"),
        new(Append, "lost append", "a k i 1 0 | a k j 1 0 | r k [j] 0"),
        new(Append, "duplicate", "a k i 1 0 | r k [i,i] 0"),
        new(Append, "wrong length", "a k i 1 0 | a k j 1 0"),
        new(Append, "wrong length", "a k i 1 0 | a k j 3 0"),
        new(Append, "incompatible order", "un a k i 0 | un a k j 0 | r k [i,j] 0 | r k [j] 0"),
        new(Append, "invented item", "a k i 1 0 | r k [i,x] 0"),
        new(Append, "effect of a refused append", "no a k i 0 | r k [i] 0"),
        new(Append, "stale read", "a k i 1 0 | a k j 2 0 | r k [i,j] 0 | r k [i] 0"),
        new(Append, "late append", "a k i 2 0 | a k j 1 0"),
        new(ListAppend, "G0", "& a k 1 0, a l 1 0 & a k 2 0, a l 2 0 | r k [1,2] 0 | r l [2,1] 0"),
        new(ListAppend, "G1a", "no a k 1 0 | r k [1] 0"),
        new(ListAppend, "G1b", "& a k 1 0, a k 2 0 & r k [1] 0 | r k [1,2] 0"),
        new(ListAppend, "G1c", "& a k 1 0, r l [2] 0 & a l 2 0, r k [1] 0"),
        new(ListAppend, "G-single", "& a k 1 0, a l 2 0 & r k [1] 0, r l - 0 | r l [2] 0"),
        new(ListAppend, "G2", "& r k - 0, a l 1 0 & r l - 0, a k 2 0 | r k [2] 0 | r l [1] 0"),
        new(ListAppend, "lost update", "& r k - 0, a k 1 0 & r k - 0, a k 2 0 | r k [1,2] 0"),
        new(ListAppend, "G0-realtime", "a k 1 0 | a k 2 0 | r k [2,1] 0"),
        new(ListAppend, "G1c-realtime", "r k [1] 0 | a k 1 0"),
        new(ListAppend, "G-single-realtime", "a k 1 0 | a k 2 0 | r k [1] 0 | r k [1,2] 0"),
        new(ListAppend, "lost append", "a k 1 0 | r k - 0"),
        new(ListAppend, "duplicate", "a k 1 0 | r k [1,1] 0"),
        new(ListAppend, "incompatible order", "& a k 1 0 & a k 2 0 | r k [1,2] 0 | r k [2] 0"),
        new(ListAppend, "internal", "& a k 1 0, r k - 0 | r k [1] 0"),
        new(ListAppend, "internal", "a k 1 0 | & r k - 0, r k [1] 0"),
        new(ListAppend, "invented item", "a k 1 0 | r k [1,9] 0"),
    ];

    /// <summary>
    /// Plants it behind a correct beginning on other keys. Null when the judge calls it by its name and points at it.
    /// </summary>
    public string? FindMistake(IJudge judge, ulong seed, int beginningCount)
    {
        var beginning = HistoryMaker.Make(
            seed, Mix.Mixed, beginningCount, clients: 5, keys: 4, isAnswered: true);
        var verdict = judge.Judge(Story.TellAfter(beginning, Text));
        var isNamed = verdict.Kind == VerdictKind.Violation && verdict.Anomaly == Name
            && verdict.Operations.All(number => number >= beginningCount);
        return isNamed ? null : $"seed {seed}: '{Text}' behind {beginningCount} operations is '{Name}', not {verdict}";
    }
}
