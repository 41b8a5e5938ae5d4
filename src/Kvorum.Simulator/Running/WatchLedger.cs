using System.Text;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>One change of a key, as a watcher must be told of it.</summary>
/// <param name="Value">What was written; null: the key was deleted.</param>
/// <param name="IsCreated">The key was not there before.</param>
/// <param name="Before">What it held before; null when it was not there.</param>
internal readonly record struct WrittenValue(long Revision, string Key, string? Value, bool IsCreated, string? Before);

/// <summary>
/// What every key was changed to, in order: the committed log, applied once more by a state machine of its own that
/// nobody restarts, that takes no snapshot and that nobody watches.
/// </summary>
internal sealed class WatchLedger : WorldObserver
{
    private readonly KvMachine _machine = new(MemoryEngine.Create(), new KvOptions());
    private readonly Dictionary<string, string> _values = [];
    private readonly List<WrittenValue> _written = [];

    public WatchLedger() => _machine.Written = OnWritten;

    /// <summary>By revision; of one revision in the order of writing.</summary>
    public IReadOnlyList<WrittenValue> Written => _written;

    public long Revision => _machine.Revision;

    public override void Applied(
        int node, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
        foreach (ref readonly var entry in entries)
        {
            if (entry.Index == _machine.Applied.Next)
            {
                _machine.Apply(entry);
            }
        }

        _machine.Publish();
    }

    private void OnWritten(in Row row)
    {
        var key = Encoding.UTF8.GetString(row.Key);
        var before = _values.GetValueOrDefault(key);
        var revision = row.Header.Mod.Main;
        if (row.Header.IsTombstone)
        {
            _values.Remove(key);
            _written.Add(new WrittenValue(revision, key, null, false, before));
            return;
        }

        var value = Encoding.UTF8.GetString(row.Value);
        _values[key] = value;
        _written.Add(new WrittenValue(revision, key, value, before is null, before));
    }
}
