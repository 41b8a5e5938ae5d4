using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>A judge beside brute force on many small histories, of each workload in turn.</summary>
internal sealed record Differential(Mix[] Workloads, Rule Rules)
{
    /// <summary>Twice the 10,000 histories the bar asks for each judge.</summary>
    public const int Histories = 20_000;

    public static Differential TotalOrder { get; } = new([Mix.Mixed], Rule.Revisions | Rule.Lengths);

    public static Differential Linearizability { get; } = new([Mix.SingleKey, Mix.InDoubt], Rule.Lengths);

    public static Differential Append { get; } = new([Mix.Appends], Rule.Lengths);

    public static Differential ListAppend { get; } = new([Mix.ListTransactions], Rule.Values);

    /// <summary>
    /// Half of the histories as a correct store made them, half with one to three things changed. Null when judge and
    /// brute force agree on every one; else the first disagreement.
    /// </summary>
    public string? FindDisagreement(
        IJudge judge, Tally? tally = null, long histories = Histories, ulong first = 1,
        CancellationToken cancel = default)
    {
        for (var seed = first; seed - first < (ulong)histories && !cancel.IsCancellationRequested; seed++)
        {
            var workload = Workloads[seed / 2 % (ulong)Workloads.Length];
            var history = HistoryMaker.Make(
                seed, workload, count: 3 + (int)(seed / 2 % 5), slack: seed % 3 == 0 ? 3 : 30);
            var isCorrect = seed % 2 == 0;
            for (var changes = isCorrect ? 0 : 1 + (seed / 2 % 3); changes > 0; changes--)
            {
                history = HistoryMutation.Apply(history, (seed << 2) + changes);
            }

            var isPossible = BruteForce.CanExplain(history, Rules);
            if (isCorrect && !isPossible)
            {
                return Tell(seed, history, "a correct store's history is impossible by brute force");
            }

            var verdict = judge.Judge(history);
            tally?.Add(isPossible, verdict);
            if (verdict.Kind != (isPossible ? VerdictKind.Valid : VerdictKind.Violation))
            {
                return Tell(seed, history,
                    $"brute force says {(isPossible ? "possible" : "impossible")}, the judge {verdict}");
            }
        }

        return null;
    }

    private static string Tell(ulong seed, IEnumerable<Operation> history, string what) => string.Create(
        CultureInfo.InvariantCulture,
        $"Seed {seed}: {what}\n{string.Join('\n', history.Select(Show))}");

    private static string Show(Operation operation) => string.Create(
        CultureInfo.InvariantCulture,
        $"{OperationText.Show(operation)} [{operation.Invoked}, {operation.Returned}] {operation.Outcome} at "
        + $"{operation.Revision} {(operation.Succeeded ? "" : "failed")} "
        + $"{string.Join(' ', operation.Steps.Select(step => step.Seen?.ModRevision))}");
}

/// <summary>How often a comparison came out which way: it proves nothing when one way is rare.</summary>
internal sealed class Tally
{
    public long Possible { get; private set; }

    public long Impossible { get; private set; }

    public SortedDictionary<string, int> Anomalies { get; } = new(StringComparer.Ordinal);

    public void Add(bool isPossible, Verdict verdict)
    {
        Possible += isPossible ? 1 : 0;
        Impossible += isPossible ? 0 : 1;
        Anomalies[verdict.Anomaly] = Anomalies.GetValueOrDefault(verdict.Anomaly) + 1;
    }
}
