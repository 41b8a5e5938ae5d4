using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// K1 at its root: a read barrier is confirmed at an index that covers everything that was committed anywhere when the
/// read was asked for (thesis §6.4).
/// </summary>
internal sealed class FreshReads
{
    private readonly Dictionary<(int Node, ulong RequestId), LogIndex> _asked = [];

    public void Asked(int node, ulong requestId, LogIndex committed) => _asked[(node, requestId)] = committed;

    public string? Answered(int node, in ReadOutcome outcome)
    {
        if (!_asked.Remove((node, outcome.RequestId), out var committed) || !outcome.Accepted)
        {
            return null;
        }

        return outcome.Index >= committed
            ? null
            : $"Node {node} may read at index {outcome.Index}; index {committed} was committed before it asked.";
    }
}
