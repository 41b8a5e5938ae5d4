using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// What every entry did, as the first node that applied it said: the others must say the same (R11), a state that came
/// from a snapshot must be that of a replay from the first entry (R12), and what was acknowledged stays (R10).
/// </summary>
internal sealed class StateLedger
{
    private readonly List<(CommandStatus Status, long Revision, long Count)> _results = [];
    private readonly Dictionary<ulong, (ulong Hash, int Node)> _hashes = [];
    private readonly RevisionSteps _revisions = new();
    private readonly SessionEffects _sessions = new();
    private readonly KvMachine _replay = new(MemoryEngine.Create(), new KvOptions());
    private long _acknowledged;

    public LogIndex Last => new((ulong)_results.Count);

    /// <summary>A node applied an entry.</summary>
    /// <returns>Rule and explanation; null for nothing wrong.</returns>
    public (string Rule, string Text)? Applied(int node, in LogEntry entry, in CommandResult result)
    {
        var place = (int)entry.Index.Value - 1;
        if (place > _results.Count)
        {
            return ("R4", $"Node {node} applied index {entry.Index}; nobody applied the one before.");
        }

        if (place < _results.Count)
        {
            var first = _results[place];
            return first == (result.Status, result.Revision, result.Count)
                ? null
                : ("R11", $"Node {node} applied index {entry.Index} with result {result.Status}, revision "
                    + $"{result.Revision}, count {result.Count}; elsewhere it was {first.Status}, {first.Revision}, "
                    + $"{first.Count}.");
        }

        _results.Add((result.Status, result.Revision, result.Count));
        if (entry.Kind is EntryKind.Command && CommandCodec.TryDecode(entry.Payload, out var command)
            && command is not null)
        {
            var repeats = _sessions.Applied(entry.Index, command, result, out var wrong);
            if ((wrong ?? _revisions.Applied(entry.Index, command, result, repeats)) is { } text)
            {
                return (wrong is null ? "K2" : "K3", text);
            }
        }

        _replay.Apply(entry);
        return null;
    }

    /// <summary>R11: the running hash after an entry is the same everywhere.</summary>
    public string? Hashed(int node, LogIndex index, ulong hash)
    {
        var place = SimulatorMutants.HashCheckWrongIndex ? index.Value + ((ulong)node << 48) : index.Value;
        if (_hashes.TryAdd(place, (hash, node)))
        {
            return null;
        }

        var first = _hashes[place];
        return first.Hash == hash
            ? null
            : $"Node {node} has state hash {hash:x} at index {index}; node {first.Node} had {first.Hash:x}.";
    }

    /// <summary>Whether a node's state can be compared with the replay now.</summary>
    public bool IsAt(LogIndex index)
    {
        _replay.Publish();
        return _replay.Applied == index && _replay.Engine.CompactedRevision == 0;
    }

    /// <summary>R12: rows, sessions and revisions, byte for byte.</summary>
    public string? CompareContent(int node, KvMachine machine) => Digest(machine) == Digest(_replay)
        ? null
        : $"Node {node} restored a snapshot and has at index {machine.Applied} another state than a replay of all "
            + "entries: rows, revisions or client sessions differ.";

    /// <summary>A client was told that a write took effect at a revision.</summary>
    public string? Acknowledged(Operation operation)
    {
        if (operation is not { Outcome: OperationOutcome.Done, IsWrite: true, Succeeded: true })
        {
            return null;
        }

        _acknowledged = Math.Max(_acknowledged, operation.Revision);
        return operation.Revision <= _revisions.Newest
            ? null
            : $"Operation {operation.Number} was acknowledged at revision {operation.Revision}; no node has applied "
                + $"more than revision {_revisions.Newest}.";
    }

    /// <summary>R10: all is over, and a node has what was acknowledged.</summary>
    public string? CheckKept(int node, long revision) => revision >= _acknowledged
        ? null
        : $"Node {node} ends at revision {revision}; revision {_acknowledged} was acknowledged to a client.";

    private static ulong Digest(KvMachine machine)
    {
        using var capture = machine.Capture();
        var hash = new StateHash(0);
        capture.WriteTo(bytes => hash.Add(bytes));
        return hash.Value;
    }
}
