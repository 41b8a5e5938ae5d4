namespace Kvorum.Simulator;

/// <summary>Finds the worst kind of cycle in a dependency graph, and the shortest of its kind.</summary>
internal sealed class CycleFinder(ListHistory history, DependencyGraph graph)
{
    private const Dependency Versions = Dependency.Ww | Dependency.Wr | Dependency.Rw;

    /// <summary>Cycles looked at per kind: the shortest of these is told.</summary>
    private const int CyclesMax = 2_000;

    public Verdict? FindViolation()
    {
        if (Components.Of(graph, Versions | Dependency.Realtime).Cyclic.Length == 0)
        {
            return null;
        }

        return FindWorst(Dependency.None, "") ?? FindWorst(Dependency.Realtime, "-realtime");
    }

    private Verdict? FindWorst(Dependency realtime, string suffix)
    {
        if (ShortestIn(Dependency.Ww | realtime) is { } dirtyWrite)
        {
            return Explain($"G0{suffix}", dirtyWrite);
        }

        if (ShortestIn(Dependency.Ww | Dependency.Wr | realtime) is { } circular)
        {
            return Explain($"G1c{suffix}", circular);
        }

        var all = Components.Of(graph, Versions | realtime);
        if (ShortestWithOneRw(all, Dependency.Ww | Dependency.Wr | realtime) is { } single)
        {
            return Explain(NameOfSingle(single) ?? $"G-single{suffix}", single);
        }

        return ShortestIn(Versions | realtime) is { } several ? Explain($"G2{suffix}", several) : null;
    }

    private List<DependencyGraph.Edge>? ShortestIn(Dependency kinds)
    {
        var components = Components.Of(graph, kinds);
        List<DependencyGraph.Edge>? shortest = null;
        foreach (var place in components.Cyclic.Take(CyclesMax))
        {
            var cycle = PathBetween(place, place, kinds, components);
            shortest = cycle is not null && (shortest is null || cycle.Count < shortest.Count) ? cycle : shortest;
        }

        return shortest;
    }

    /// <summary>A cycle with exactly one anti-dependency: the edge, and a way back without one.</summary>
    private List<DependencyGraph.Edge>? ShortestWithOneRw(Components components, Dependency wayBack)
    {
        List<DependencyGraph.Edge>? shortest = null;
        foreach (var place in components.Cyclic)
        {
            foreach (var edge in graph.From(place))
            {
                if (edge.Kind != Dependency.Rw || !components.AreTogether(edge.From, edge.To))
                {
                    continue;
                }

                var path = PathBetween(edge.To, edge.From, wayBack, components);
                if (path is not null && (shortest is null || path.Count + 1 < shortest.Count))
                {
                    shortest = [edge, .. path];
                }
            }
        }

        return shortest;
    }

    /// <summary>Breadth first inside one component; from a place to itself it is a whole cycle.</summary>
    private List<DependencyGraph.Edge>? PathBetween(int from, int to, Dependency kinds, Components components)
    {
        var reachedBy = new Dictionary<int, DependencyGraph.Edge>();
        var queue = new Queue<int>([from]);
        while (queue.TryDequeue(out var place))
        {
            foreach (var edge in graph.From(place))
            {
                if ((edge.Kind & kinds) == 0 || !components.AreTogether(edge.From, edge.To)
                    || !reachedBy.TryAdd(edge.To, edge))
                {
                    continue;
                }

                if (edge.To == to)
                {
                    return Unroll(reachedBy, from, to);
                }

                queue.Enqueue(edge.To);
            }
        }

        return null;
    }

    private static List<DependencyGraph.Edge> Unroll(Dictionary<int, DependencyGraph.Edge> reachedBy, int from, int to)
    {
        var path = new List<DependencyGraph.Edge>();
        var place = to;
        do
        {
            path.Add(reachedBy[place]);
            place = reachedBy[place].From;
        }
        while (place != from);

        path.Reverse();
        return path;
    }

    /// <summary>Two cycles with one anti-dependency have names of their own.</summary>
    private string? NameOfSingle(List<DependencyGraph.Edge> cycle)
    {
        var rw = cycle.First(edge => edge.Kind == Dependency.Rw);
        var list = history.Lists[rw.Key];
        if (cycle.Count != 2)
        {
            return null;
        }

        var back = cycle.First(edge => edge.Kind != Dependency.Rw);
        if (back.Kind == Dependency.Realtime)
        {
            var isUnread = list.Appends.Exists(item => item.Place == rw.To && item.LastSeenBy < 0);
            return isUnread ? "lost append" : null;
        }

        var first = list.Reads.Find(read => read.Place == rw.To);
        var second = list.Reads.Find(read => read.Place == rw.From);
        return back.Kind == Dependency.Ww && back.Key == rw.Key && first?.Outside == second?.Outside
            ? "lost update"
            : null;
    }

    private Verdict Explain(string anomaly, List<DependencyGraph.Edge> cycle)
    {
        var start = 0;
        for (var i = 1; i < cycle.Count; i++)
        {
            if (history.Operations[cycle[i].From].Invoked > history.Operations[cycle[start].From].Invoked)
            {
                start = i;
            }
        }

        List<DependencyGraph.Edge> rotated = [.. cycle[start..], .. cycle[..start]];
        return history.Violation(
            anomaly,
            $"{string.Join("; ", rotated.Select(Sentence))}: no order of these {rotated.Count} operations gives these "
            + $"answers.",
            [.. rotated.Select(edge => edge.From)]);
    }

    private string Sentence(DependencyGraph.Edge edge)
    {
        var from = history.Show(edge.From);
        var to = history.Show(edge.To);
        return edge.Kind switch
        {
            Dependency.Ww => $"{from} appended to {history.Lists[edge.Key].Text} before {to}",
            Dependency.Wr => $"what {from} appended to {history.Lists[edge.Key].Text} was found by {to}",
            Dependency.Rw => $"{from} read {history.Lists[edge.Key].Text} without what {to} appended",
            _ => $"{from} was answered before {to} was invoked",
        };
    }
}
