using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>
/// Gathers finished waiters and hands them to the executor up to <see cref="BatchMax"/> at a time: one work item for
/// many callers, and no caller's continuation ever runs on a replica's thread. Used by one thread; each component has
/// its own.
/// </summary>
internal sealed class Completions(IExecutor executor, ReadableEngine engine)
{
    /// <summary>Waiters per work item.</summary>
    public const int BatchMax = 256;

    private ProposalWork? _proposals;
    private ReadWork? _reads;

    public void Complete(PendingProposal waiter, in CommandResult result) => Next().Add(waiter, result, null);

    public void Fail(PendingProposal waiter, Exception error) => Next().Add(waiter, default, error);

    public void Run(PendingRead read) => NextRead().Add(read, null);

    public void Fail(PendingRead read, Exception error) => NextRead().Add(read, error);

    /// <summary>Hands over what was gathered.</summary>
    public void Flush()
    {
        if (_proposals is not null)
        {
            executor.Queue(_proposals);
            _proposals = null;
        }

        if (_reads is not null)
        {
            executor.Queue(_reads);
            _reads = null;
        }
    }

    private ProposalWork Next()
    {
        if (_proposals is { IsFull: true } full)
        {
            executor.Queue(full);
            _proposals = null;
        }

        return _proposals ??= new ProposalWork();
    }

    private ReadWork NextRead()
    {
        if (_reads is { IsFull: true } full)
        {
            executor.Queue(full);
            _reads = null;
        }

        return _reads ??= new ReadWork(engine);
    }

    private sealed class ProposalWork : IThreadPoolWorkItem
    {
        private (PendingProposal Waiter, CommandResult Result, Exception? Error)[] _items =
            new (PendingProposal, CommandResult, Exception?)[8];

        private int _count;

        public bool IsFull => _count == BatchMax;

        public void Add(PendingProposal waiter, in CommandResult result, Exception? error)
        {
            if (_count == _items.Length)
            {
                Array.Resize(ref _items, Math.Min(BatchMax, _count * 4));
            }

            _items[_count++] = (waiter, result, error);
        }

        public void Execute()
        {
            for (var i = 0; i < _count; i++)
            {
                ref var item = ref _items[i];
                if (item.Error is null)
                {
#if MUTANTS
                    item.Waiter.TrySetResult(item.Waiter.Joined(item.Result));
#else
                    item.Waiter.TrySetResult(item.Result);
#endif
                }
                else
                {
                    item.Waiter.TrySetException(item.Error);
                }
            }
        }
    }

    /// <summary>Runs confirmed queries on one view opened after all of them were confirmed and applied.</summary>
    private sealed class ReadWork(ReadableEngine engine) : IThreadPoolWorkItem
    {
        private (PendingRead Read, Exception? Error)[] _items = new (PendingRead, Exception?)[8];
        private int _count;

        public bool IsFull => _count == BatchMax;

        public void Add(PendingRead read, Exception? error)
        {
            if (_count == _items.Length)
            {
                Array.Resize(ref _items, Math.Min(BatchMax, _count * 4));
            }

            _items[_count++] = (read, error);
        }

        public void Execute()
        {
            using var view = engine.TryOpenView();
            for (var i = 0; i < _count; i++)
            {
                var (read, error) = _items[i];
                if (error is not null || view is null)
                {
                    read.TrySetException(error ?? new NodeStoppedException("it closed before the read ran."));
                    continue;
                }

                try
                {
                    read.TrySetResult(read.Query.Execute(view));
                }
#pragma warning disable CA1031 // Whatever a query throws belongs to its caller; the other reads of the batch go on.
                catch (Exception e)
#pragma warning restore CA1031
                {
                    read.TrySetException(e);
                }
            }
        }
    }
}
