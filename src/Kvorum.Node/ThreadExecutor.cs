namespace Kvorum.Node;

/// <summary>The live executor: a thread of its own per worker, the thread pool for completions.</summary>
/// <remarks>
/// One of the two places in this project that may know threads; everything else sees <see cref="IExecutor"/>.
/// </remarks>
public sealed class ThreadExecutor : IExecutor
{
    public IWorker Attach(string name, Action turn, TimeSpan? every = null) =>
        new Worker(name, turn, every ?? Timeout.InfiniteTimeSpan);

    public void Queue(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    private sealed class Worker : IWorker, IDisposable
    {
        private readonly Action _turn;
        private readonly TimeSpan _every;
        private readonly ManualResetEventSlim _event = new(false, spinCount: 20);
        private readonly Thread _thread;
        private volatile bool _isStopping;
        private int _isSignaled;

        public Worker(string name, Action turn, TimeSpan every)
        {
            _turn = turn;
            _every = every;
            _thread = new Thread(Run) { Name = name, IsBackground = true };
            _thread.Start();
        }

        public void Wake()
        {
            if (Interlocked.Exchange(ref _isSignaled, 1) == 0)
            {
                _event.Set();
            }
        }

        public void Stop()
        {
            _isStopping = true;
            Interlocked.Exchange(ref _isSignaled, 1);
            _event.Set();
            if (Thread.CurrentThread != _thread)
            {
                _thread.Join();
            }
        }

        public void Dispose()
        {
            Stop();
            _event.Dispose();
        }

        private void Run()
        {
            while (true)
            {
                // Waiting with a limit instead of a timer: a timer would wake a pool thread as well, which spins before
                // it sleeps.
                _event.Wait(_every);
                _event.Reset();

                // Cleared before the turn: a wake that comes while the turn runs begins another one.
                Interlocked.Exchange(ref _isSignaled, 0);
                if (_isStopping)
                {
                    return;
                }

                _turn();
            }
        }
    }
}
