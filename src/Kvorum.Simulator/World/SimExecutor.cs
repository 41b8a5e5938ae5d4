using Kvorum.Node;

namespace Kvorum.Simulator;

/// <summary>
/// Where a process's workers run: a woken worker's turn begins after a drawn delay, that of the log worker after the
/// time a sync takes, so that what it writes is not durable before.
/// </summary>
internal sealed class SimExecutor(SimProcess process) : IExecutor
{
    public IWorker Attach(string name, Action turn, TimeSpan? every = null)
    {
        var isLog = name.EndsWith(" log", StringComparison.Ordinal);
        var isApply = name.EndsWith(" apply", StringComparison.Ordinal);
        return new Worker(process, process.NextWorker(), turn, isLog, isApply, every);
    }

    public void Queue(IThreadPoolWorkItem work)
    {
        if (process.IsAlive)
        {
            process.World.At(process.World.Now + process.Node.Speed.Completion(), new Completion(process, work));
        }
    }

    private sealed class Completion(SimProcess process, IThreadPoolWorkItem work) : ProcessEvent(process)
    {
        protected override void Execute()
        {
            Process.World.Trace(TraceKind.Completed, Process.Place, 0);
            work.Execute();
        }
    }

    private sealed class Worker : ProcessEvent, IWorker
    {
        private readonly Action _turn;
        private readonly bool _isLog;
        private readonly bool _isApply;
        private readonly int _number;
        private bool _isWoken;
        private bool _isStopped;

        public Worker(SimProcess process, int number, Action turn, bool isLog, bool isApply, TimeSpan? every)
            : base(process)
        {
            _number = number;
            _turn = turn;
            _isLog = isLog;
            _isApply = isApply;
            if (every is { } interval)
            {
                var ticker = new Ticker(process, this, (long)interval.TotalMicroseconds);
                ticker.Schedule();
            }
        }

        public void Wake()
        {
            if (_isWoken || _isStopped || !Process.IsAlive)
            {
                return;
            }

            _isWoken = true;
            var speed = Process.Node.Speed;
            Process.World.At(
                Process.World.Now + (_isLog ? speed.Sync() : _isApply ? speed.Apply() : speed.Wake()), this);
        }

        public void Stop() => _isStopped = true;

        public void Turn()
        {
            if (!_isStopped)
            {
                Process.World.Trace(TraceKind.Turn, Process.Place, (ulong)_number);
                _turn();
            }
        }

        protected override void Execute()
        {
            _isWoken = false;
            Turn();
        }
    }

    /// <summary>Wakes a worker by the node's own clock.</summary>
    private sealed class Ticker(SimProcess process, Worker worker, long interval) : ProcessEvent(process)
    {
        private long _next = process.Node.Clock.Local;

        public void Schedule()
        {
            var clock = Process.Node.Clock;
            _next = Math.Max(_next + interval, clock.Local + 1);
            Process.World.At(clock.WorldTimeOf(_next), this);
        }

        protected override void Execute()
        {
            var clock = Process.Node.Clock;
            if (clock.Local < _next)
            {
                // The clock stood still meanwhile.
                Process.World.At(clock.WorldTimeOf(_next), this);
                return;
            }

            worker.Turn();
            Schedule();
        }
    }
}

/// <summary>Something that happens inside a process: never after its end, and only when it is not paused.</summary>
internal abstract class ProcessEvent(SimProcess process) : SimEvent
{
    protected SimProcess Process { get; } = process;

    public sealed override void Run()
    {
        if (!Process.IsAlive)
        {
            return;
        }

        if (Process.Node.PausedUntil > Process.World.Now)
        {
            Process.Node.Park(this);
            return;
        }

        Execute();
        Process.AfterWork();
    }

    protected abstract void Execute();
}

/// <summary>How long things take on a node.</summary>
internal sealed class NodeSpeed(SimWorld world, SimSettings settings, int place)
{
    private const long SlowSyncMax = 5_000_000;

    private readonly ChanceSource _chance = new(world.Chance, ChanceStream.Executor, (ulong)place);

    /// <summary>The disk is slow: each sync takes this much longer, in microseconds.</summary>
    public long SyncExtra { get; set; }

    /// <summary>Some syncs take much longer, and applying as well, as the settings say.</summary>
    public bool HasSlowSyncs { get; set; } = true;

    public long Wake() => 1 + _chance.Below(20);

    /// <summary>The state machine may be far behind the log: it computes, or the engine stalls.</summary>
    public long Apply() => Wake() + (HasSlowSyncs && settings.ApplyDelayMean > 0
        ? Math.Min(SlowSyncMax, _chance.Exponential(settings.ApplyDelayMean))
        : 0);

    public long Completion() => 1 + _chance.Below(30);

    public long Sync()
    {
        var time = 1 + _chance.Exponential(settings.SyncMean);
        if (HasSlowSyncs && _chance.Hits(settings.SlowSyncPerMillion))
        {
            time = Math.Min(SlowSyncMax, time * _chance.Between(10, 1000));
            world.Injected.Add("disk.sync.slow");
        }

        return time + SyncExtra;
    }
}
