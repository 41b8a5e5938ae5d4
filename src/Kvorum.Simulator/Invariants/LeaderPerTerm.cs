using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R1, election safety (paper §5.2): at most one leader in a term, ever. A node that led before a restart does not lead
/// the same term again either.
/// </summary>
internal sealed class LeaderPerTerm
{
    private readonly Dictionary<ulong, (int Node, int Life)> _leaders = [];

    public string? Led(int node, int life, Term term)
    {
        if (_leaders.TryAdd(term.Value, (node, life)))
        {
            return null;
        }

        var first = _leaders[term.Value];
        if (first == (node, life))
        {
            return null;
        }

        return first.Node == node
            ? $"Node {node} leads term {term} again after a restart."
            : $"Node {node} leads term {term}, which node {first.Node} led already.";
    }
}
