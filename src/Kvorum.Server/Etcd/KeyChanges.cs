using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Server.Etcd;

/// <summary>A watcher for one reader that waits.</summary>
internal sealed class KeyChanges : IDisposable
{
    private readonly SemaphoreSlim _ready = new(0);
    private readonly List<KeyEvent> _events = [];
    private readonly Watcher _watcher;

    public KeyChanges(EtcdNode node, WatchOptions options) =>
        _watcher = node.Kvorum.Watch(options, _ => _ready.Release());

    /// <summary>The next events, at least one; none when what was asked for is compacted.</summary>
    public async Task<IReadOnlyList<KeyEvent>> NextAsync(CancellationToken cancel)
    {
        _events.Clear();
        while (true)
        {
            await _ready.WaitAsync(cancel).ConfigureAwait(false);
            var progress = _watcher.Take(_events);
            if (_events.Count > 0 || progress.CompactedRevision > 0)
            {
                return _events;
            }
        }
    }

    public void Dispose() => _watcher.Dispose();
}
