namespace Kvorum.Simulator;

/// <summary>How a seeded bug fared.</summary>
/// <param name="Mutant">Its number; 0 for the shipped code.</param>
/// <param name="Seeds">
/// How many runs were made until one showed it, that one included; all of them when none did.
/// </param>
/// <param name="Seed">
/// The first seed that showed it; null for a survivor, and for what the checkers' own test caught before any seed.
/// </param>
/// <param name="Violation">What caught it.</param>
public sealed record MutantVerdict(int Mutant, int Seeds, ulong? Seed, Violation? Violation);

/// <summary>
/// Looks for a seed that shows a bug: same plans, same rules, same judges as for the shipped code. Which bug is
/// switched on is the process's affair, so one process hunts one mutant at a time.
/// </summary>
public static class MutantHunt
{
    /// <summary>
    /// Runs seeds in order from <paramref name="first"/> until one is violated or the budget is spent.
    /// </summary>
    /// <param name="mutant">The number switched on; only noted.</param>
    /// <param name="threads">How many seeds run at a time; the verdict does not depend on it.</param>
    /// <param name="cancel">Ends the hunt with what there is.</param>
    public static MutantVerdict Hunt(int mutant, ulong first, int budget, int threads, CancellationToken cancel)
    {
        if (CheckerSelfTest.Run() is { } blind)
        {
            return new MutantVerdict(mutant, 0, null, blind);
        }

        var next = -1;
        var best = budget;
        var done = 0;
        var gate = new Lock();
        Violation? violation = null;
        var options = new ParallelOptions { MaxDegreeOfParallelism = threads };
        Parallel.For(0, threads, options, _ =>
        {
            while (!cancel.IsCancellationRequested)
            {
                var place = Interlocked.Increment(ref next);
                if (place >= Volatile.Read(ref best))
                {
                    return;
                }

                var found = Run(mutant, first + (ulong)place);
                lock (gate)
                {
                    done++;
                    if (found is not null && place < best)
                    {
                        best = place;
                        violation = found;
                    }
                }
            }
        });

        return violation is null
            ? new MutantVerdict(mutant, done, null, null)
            : new MutantVerdict(mutant, best + 1, first + (ulong)best, violation);
    }

    private static Violation? Run(int mutant, ulong seed)
    {
        var plan = Simulation.Plan(seed);
        return Simulation.Run(plan with { Settings = plan.Settings with { Mutant = mutant } }).Violation;
    }
}
