namespace Kvorum.Simulator;

/// <summary>Tries plans in the place of the smallest one known, several at a time.</summary>
/// <remarks>
/// What is taken depends on the order of the candidates only, not on which thread is done first; a limit of time is
/// the one thing that may make two searches differ.
/// </remarks>
/// <param name="run">Runs a plan up to a moment of virtual time.</param>
/// <param name="isOver">Asked before each round of runs; true ends the search.</param>
/// <param name="runsMax">The most runs.</param>
/// <param name="workers">How many runs at a time.</param>
/// <param name="failure">What a candidate must show again: the same broken rule.</param>
internal sealed class ShrinkSearch(
    Func<SimPlan, long, SimResult> run, Func<bool> isOver, int runsMax, int workers, SimResult failure)
{
    private readonly string _rule = failure.Violation!.Rule;

    /// <summary>The smallest failing result found.</summary>
    public SimResult Best { get; private set; } = failure;

    public SimPlan Plan => Best.Plan;

    /// <summary>Runs made so far.</summary>
    public int Runs { get; private set; }

    public bool MayRun => Runs < runsMax && !isOver();

    /// <summary>
    /// A candidate that has not failed by then is given up: little of what a run costs comes before the failure.
    /// </summary>
    private long Patience
    {
        get
        {
            const long Slack = 3_000_000;
            var at = Best.Violation!.At;
            return at > long.MaxValue / 2 ? long.MaxValue : at + at / 4 + Slack;
        }
    }

    /// <summary>Takes a candidate that fails the same way.</summary>
    public bool Try(SimPlan candidate) => First([candidate]) == 0;

    /// <summary>Takes the first of the candidates that fails the same way.</summary>
    /// <returns>Its place; −1 when none did.</returns>
    public int First(IReadOnlyList<SimPlan> candidates)
    {
        for (var from = 0; from < candidates.Count && MayRun; from += workers)
        {
            var count = Math.Min(workers, candidates.Count - from);
            var results = new SimResult?[count];
            var patience = Patience;
            var start = from;
            Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = workers }, i =>
            {
                if (!IsTheSame(candidates[start + i]))
                {
                    results[i] = run(candidates[start + i], patience);
                }
            });
            Runs += results.Count(result => result is not null);
            for (var i = 0; i < count; i++)
            {
                if (results[i] is { } result && result.Violation?.Rule == _rule)
                {
                    Best = result;
                    return from + i;
                }
            }
        }

        return -1;
    }

    private bool IsTheSame(SimPlan plan) =>
        plan.Seed == Plan.Seed && plan.Faults.Count == Plan.Faults.Count
        && plan.Operations.Count == Plan.Operations.Count && plan.Settings == Plan.Settings;
}
