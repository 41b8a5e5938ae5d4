namespace Kvorum.Simulator;

/// <summary>What is swept.</summary>
/// <param name="First">The first seed; the others follow by one.</param>
/// <param name="Count">How many seeds at most; 1 or more.</param>
/// <param name="Workers">Threads; each runs one seed at a time. 1 to 64.</param>
/// <param name="RunsPerSeed">2: every seed runs twice and must give the same trace hash.</param>
/// <param name="FailuresMax">The sweep ends after so many failing seeds.</param>
public sealed record SweepOptions(ulong First, long Count, int Workers, int RunsPerSeed = 1, int FailuresMax = 1);

/// <summary>Runs many seeds on several threads and adds up what came of them.</summary>
/// <remarks>A seed's result does not depend on the others, nor on the number of threads.</remarks>
public sealed class SeedSweep(SweepOptions options, Func<ulong, SimPlan> plan, Func<SimPlan, SimResult> run)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, long> _injected = [];
    private readonly Dictionary<string, long> _marks = [];
    private readonly List<SimResult> _failures = [];
    private long _next;
    private volatile bool _isOver;
    private long _seeds;
    private long _runs;
    private long _operations;
    private long _events;
    private Int128 _simulated;
    private long _safeHalts;
    private ulong _hash;
    private Exception? _broken;

    /// <summary>The totals so far. Any thread.</summary>
    public SweepTotals Totals
    {
        get
        {
            lock (_lock)
            {
                return new SweepTotals(
                    _seeds, _runs, (double)_simulated / 1e6, _operations, _events, _safeHalts, _hash,
                    Sorted(_injected), Sorted(_marks), [.. _failures]);
            }
        }
    }

    /// <summary>Told of each seed when it is done, one call at a time; any worker's thread.</summary>
    public Action<ulong, SimResult>? OnSeed { get; init; }

    /// <summary>Ends the sweep when the seeds under way are done. Any thread.</summary>
    public void Stop() => _isOver = true;

    /// <summary>Runs to the end, to the last allowed failure or to <see cref="Stop"/>.</summary>
    /// <exception cref="InvalidOperationException">A run itself broke: no verdict, a bug of the simulator.</exception>
    public SweepTotals Run()
    {
        var threads = new Thread[Math.Max(0, options.Workers - 1)];
        for (var i = 0; i < threads.Length; i++)
        {
            threads[i] = new Thread(Work) { IsBackground = true, Name = $"sim {i + 2}" };
            threads[i].Start();
        }

        Work();
        foreach (var thread in threads)
        {
            thread.Join();
        }

        return _broken is null ? Totals : throw new InvalidOperationException(_broken.Message, _broken);
    }

    private void Work()
    {
        while (!_isOver)
        {
            var place = Interlocked.Increment(ref _next) - 1;
            if (place >= options.Count)
            {
                return;
            }

            var seed = unchecked(options.First + (ulong)place);
            try
            {
                Add(seed, RunSeed(seed));
            }
#pragma warning disable CA1031 // A thread must not end the process; Run tells with the seed.
            catch (Exception e)
#pragma warning restore CA1031
            {
                _broken ??= new InvalidOperationException($"Seed {seed}: the simulator itself broke: {e.Message}", e);
                _isOver = true;
            }
        }
    }

    private SimResult RunSeed(ulong seed)
    {
        var result = run(plan(seed));
        for (var i = 1; i < options.RunsPerSeed && result.Violation is null; i++)
        {
            var again = run(plan(seed));
            if (again.TraceHash != result.TraceHash)
            {
                var told = $"one seed gave trace hash {result.TraceHash:x16} first and {again.TraceHash:x16} then.";
                return again with { Violation = new Violation("determinism", told, again.SimulatedTime) };
            }
        }

        return result;
    }

    private void Add(ulong seed, SimResult result)
    {
        lock (_lock)
        {
            _seeds++;
            _runs += options.RunsPerSeed;
            _simulated += (Int128)result.SimulatedTime * options.RunsPerSeed;
            _operations += result.History.Count;
            _events += result.Events;
            _safeHalts += result.IsSafeHalt ? 1 : 0;

            // A sum does not depend on the order in which the threads come here.
            _hash = unchecked(_hash + new KeyedChance(seed).Bits(ChanceStream.Phase, result.TraceHash, 0));
            Count(_injected, result.Injected);
            Count(_marks, result.Marks);
            if (result.Violation is not null)
            {
                _failures.Add(result);
                _isOver |= _failures.Count >= options.FailuresMax;
            }

            OnSeed?.Invoke(seed, result);
        }
    }

    private static void Count(Dictionary<string, long> totals, IReadOnlyDictionary<string, long> counts)
    {
        foreach (var (name, count) in counts)
        {
            totals[name] = totals.GetValueOrDefault(name) + count;
        }
    }

    private static SortedDictionary<string, long> Sorted(Dictionary<string, long> counts) =>
        new(counts, StringComparer.Ordinal);
}

/// <summary>What a sweep has come to.</summary>
/// <param name="SimulatedSeconds">Virtual time of all runs together.</param>
/// <param name="Events">Of each seed's first run.</param>
/// <param name="SafeHalts">
/// Seeds that destroyed more than a cluster can survive, and in which it stopped as it must.
/// </param>
/// <param name="Hash">Over the trace hashes of all seeds, whatever their order.</param>
public sealed record SweepTotals(
    long Seeds,
    long Runs,
    double SimulatedSeconds,
    long Operations,
    long Events,
    long SafeHalts,
    ulong Hash,
    IReadOnlyDictionary<string, long> Injected,
    IReadOnlyDictionary<string, long> Marks,
    IReadOnlyList<SimResult> Failures);
