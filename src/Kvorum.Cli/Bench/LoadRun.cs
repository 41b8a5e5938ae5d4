using System.Diagnostics;

namespace Kvorum.Cli.Bench;

/// <summary>Keeps a fixed number of calls in flight for a while and measures them.</summary>
internal sealed class LoadRun
{
    /// <summary>
    /// A caller whose call failed waits this long, as a client would, instead of asking again at once.
    /// </summary>
    private static readonly TimeSpan FailurePause = TimeSpan.FromMilliseconds(10);

    private readonly LoadTarget _target;
    private readonly BenchSettings _settings;
    private readonly Caller[] _callers;
    private volatile bool _isMeasuring;
    private volatile bool _isOver;

    private LoadRun(LoadTarget target, BenchSettings settings, int inFlight)
    {
        _target = target;
        _settings = settings;
        _callers = [.. Enumerable.Range(0, inFlight).Select(number => new Caller(number))];
    }

    /// <summary>Warms up, measures, waits for the last calls.</summary>
    public static async Task<LoadReport> MeasureAsync(
        LoadTarget target, BenchSettings settings, int inFlight, CollectorPauses pauses, CancellationToken cancel)
    {
        target.Prepare();
        var run = new LoadRun(target, settings, inFlight);
        var loops = run._callers
            .Select(caller => Task.Run(() => run.CallAsync(caller), CancellationToken.None))
            .ToArray();
        try
        {
            await Task.Delay(settings.WarmUp, cancel).ConfigureAwait(false);
            var syncsBefore = target.Syncs;
            _ = pauses.TakeLongest();
            var before = ProcessSample.Take();
            run._isMeasuring = true;
            await Task.Delay(settings.Seconds, cancel).ConfigureAwait(false);
            run._isMeasuring = false;
            var after = ProcessSample.Take();
            return run.Report(before, after, pauses.TakeLongest(), syncsBefore, target.Syncs);
        }
        finally
        {
            run._isOver = true;
            await Task.WhenAll(loops).ConfigureAwait(false);
        }
    }

    /// <summary>One caller: the next call begins when the last one ended.</summary>
    private async Task CallAsync(Caller caller)
    {
        while (!_isOver)
        {
            var key = caller.NextKey(_target.Keys);
            var isWrite = _settings.Mode switch
            {
                LoadMode.Write => true,
                LoadMode.Read => false,
                _ => caller.NextIsWrite(),
            };
            var began = Stopwatch.GetTimestamp();
            try
            {
                if (isWrite)
                {
                    await _target.WriteAsync(caller.Number, key).ConfigureAwait(false);
                }
                else
                {
                    await _target.ReadAsync(caller.Number, key).ConfigureAwait(false);
                }

                if (_isMeasuring)
                {
                    caller.Record(Stopwatch.GetElapsedTime(began));
                }
            }
#pragma warning disable CA1031 // Whatever the failure is: it is counted by its kind and reported.
            catch (Exception e)
#pragma warning restore CA1031
            {
                caller.RecordFailure(e.GetType().Name);
                await Task.Delay(FailurePause).ConfigureAwait(false);
            }
        }
    }

    private LoadReport Report(
        ProcessSample before,
        ProcessSample after,
        TimeSpan longestPause,
        (long Count, TimeSpan Total)? syncsBefore,
        (long Count, TimeSpan Total)? syncsAfter)
    {
        var latencies = new LatencyHistogram();
        var failures = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (var caller in _callers)
        {
            caller.AddTo(latencies, failures);
        }

        var count = Math.Max(latencies.Count, 1);
        var seconds = Stopwatch.GetElapsedTime(before.Timestamp, after.Timestamp).TotalSeconds;
        return new LoadReport
        {
            Mode = _settings.Mode,
            InFlight = _callers.Length,
            Seconds = seconds,
            Calls = latencies.Count,
            Failures = failures,
            Latencies = latencies,
            CpuMicrosecondsPerCall = (after.Cpu - before.Cpu).TotalMicroseconds / count,
            CollectorPauseTotal = after.CollectorPauses - before.CollectorPauses,
            CollectorPauseMax = longestPause,
            Collections = after.Collections - before.Collections,
            AllocatedBytesPerCall = (after.AllocatedBytes - before.AllocatedBytes) / (double)count,
            Syncs = syncsAfter?.Count - syncsBefore?.Count,
            SyncTotal = syncsAfter?.Total - syncsBefore?.Total,
        };
    }

    /// <summary>What belongs to one caller, touched by it alone until the run is over.</summary>
    private sealed class Caller(int number)
    {
        private readonly LatencyHistogram _latencies = new();
        private readonly Dictionary<string, long> _failures = [];
        private ulong _chance = ((ulong)number + 1) * 0x9E3779B97F4A7C15;

        public int Number { get; } = number;

        public void Record(TimeSpan latency)
        {
            lock (_latencies)
            {
                _latencies.Record(latency);
            }
        }

        public void RecordFailure(string kind)
        {
            lock (_latencies)
            {
                _failures[kind] = _failures.GetValueOrDefault(kind) + 1;
            }
        }

        public void AddTo(LatencyHistogram latencies, SortedDictionary<string, long> failures)
        {
            lock (_latencies)
            {
                latencies.Add(_latencies);
                foreach (var (kind, count) in _failures)
                {
                    failures[kind] = failures.GetValueOrDefault(kind) + count;
                }
            }
        }

        public int NextKey(int keys) => (int)((UInt128)Next() * (uint)keys >> 64);

        public bool NextIsWrite() => (Next() & 1) == 1;

        /// <summary>xorshift64*: fast, and the same keys in every run.</summary>
        private ulong Next()
        {
            _chance ^= _chance >> 12;
            _chance ^= _chance << 25;
            _chance ^= _chance >> 27;
            return _chance * 0x2545F4914F6CDD1D;
        }
    }
}
