using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R2, the log matching property (paper §5.3): two entries with the same term and index are the same entry, and
/// everything before them is the same.
/// </summary>
internal sealed class EntryBook
{
    private readonly Dictionary<ulong, ulong> _chains = new() { [0] = 0 };

    /// <summary>A node has this entry after this prefix.</summary>
    /// <returns>What is wrong; null for nothing.</returns>
    public string? Add(int node, EntryId id, ulong chain)
    {
        var key = KeyOf(id);
        if (_chains.TryGetValue(key, out var known))
        {
            return known == chain
                ? null
                : $"Node {node} has entry {id} with another content or another prefix than a node had before.";
        }

        _chains.Add(key, chain);
        return null;
    }

    public bool TryFind(EntryId id, out ulong chain) => _chains.TryGetValue(KeyOf(id), out chain);

    /// <summary>Runs are short: 2^24 terms and 2^40 entries are never reached.</summary>
    private static ulong KeyOf(EntryId id) => (id.Term.Value << 40) | id.Index.Value;
}
