using Kvorum.Kv;

namespace Kvorum.Node;

/// <summary>Leases and watchers: what is asked of the applied state beside its rows.</summary>
public sealed partial class KvorumNode
{
    public long Revision => _recovery.Machine.Engine.Revision;

    public async Task<LeaseStatus?> FindLeaseAsync(
        long id, bool withKeys, TimeSpan timeout, CancellationToken cancel)
    {
        await ConfirmAsync(timeout, cancel).ConfigureAwait(false);
        var lease = await AskApplierAsync(machine => machine.FindLease(id, withKeys), cancel).ConfigureAwait(false);
        return lease is null ? null : new LeaseStatus(id, lease.TtlSeconds, _leases.SecondsLeft(id), lease.Keys);
    }

    public async Task<IReadOnlyList<long>> LeasesAsync(TimeSpan timeout, CancellationToken cancel)
    {
        await ConfirmAsync(timeout, cancel).ConfigureAwait(false);
        return await AskApplierAsync(machine => machine.LeaseIds(), cancel).ConfigureAwait(false);
    }

    public Task<HashResult> HashAsync(HashQuery query, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        using var view = _readable.TryOpenView() ?? throw new NodeStoppedException(Asked);
        return Task.FromResult(query.Execute(view));
    }

    public Watcher Watch(WatchOptions options, Action<Watcher> onReady) => _watches.Add(options, onReady);

    public KeyValue? ReadBefore(ReadOnlyMemory<byte> key, long revision)
    {
        using var view = _readable.TryOpenView();
        if (view is null || revision <= 1 || revision - 1 < view.CompactedRevision || revision - 1 > view.Revision)
        {
            return null;
        }

        var result = new RangeQuery(key, default) { AtRevision = revision - 1 }.Execute(view);
        return result.Rows.Count > 0 ? result.Rows[0] : null;
    }

    /// <summary>Completes when this node has applied all that was committed when it was asked.</summary>
    private Task<RangeResult> ConfirmAsync(TimeSpan timeout, CancellationToken cancel) =>
        ReadAsync(new RangeQuery(new byte[] { 0 }, default), Consistency.Linearizable, timeout, cancel);

    private Task<T> AskApplierAsync<T>(Func<KvMachine, T> question, CancellationToken cancel)
    {
        if (_running is not { } running)
        {
            return Task.FromException<T>(new NoLeaderException()); // Its log is being mended.
        }

        var pending = new ApplierQuestion<T>(question);
        running.Applier.Ask(pending);
        _applierWorker.Wake();
        return pending.Task.WaitAsync(cancel);
    }
}
