namespace Kvorum.Node.Tests;

/// <summary>Runs the workers of one node on the caller's thread, in the order in which they were attached.</summary>
internal sealed class HandExecutor : IExecutor
{
    private readonly List<Worker> _workers = [];
    private readonly Queue<IThreadPoolWorkItem> _work = [];

    public IWorker Attach(string name, Action turn, TimeSpan? every = null)
    {
        var worker = new Worker(turn, every is not null);
        _workers.Add(worker);
        return worker;
    }

    public void Queue(IThreadPoolWorkItem work) => _work.Enqueue(work);

    /// <summary>Time passed: whoever wakes by itself does.</summary>
    public void WakeTickers()
    {
        foreach (var worker in _workers.Where(worker => worker.Ticks))
        {
            worker.Wake();
        }
    }

    /// <summary>Until nobody has anything to do.</summary>
    public void Run()
    {
        while (_workers.Any(worker => worker.IsWoken) || _work.Count > 0)
        {
            foreach (var worker in _workers)
            {
                worker.TurnIfWoken();
            }

            while (_work.TryDequeue(out var work))
            {
                work.Execute();
            }
        }
    }

    private sealed class Worker(Action turn, bool ticks) : IWorker
    {
        private bool _isStopped;

        public bool Ticks { get; } = ticks;

        public bool IsWoken { get; private set; }

        public void Wake() => IsWoken = !_isStopped;

        public void Stop()
        {
            _isStopped = true;
            IsWoken = false;
        }

        public void TurnIfWoken()
        {
            if (IsWoken)
            {
                IsWoken = false;
                turn();
            }
        }
    }
}

/// <summary>A clock that stands still until it is moved.</summary>
internal sealed class HandTime : TimeProvider
{
    private long _now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp() => _now;

    public void Advance(TimeSpan time) => _now += time.Ticks;
}
