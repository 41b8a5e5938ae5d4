namespace Kvorum.Simulator;

/// <summary>Why one operation must stand before another.</summary>
[Flags]
internal enum Dependency : byte
{
    None = 0,

    /// <summary>It appended the item before the other's.</summary>
    Ww = 1,

    /// <summary>It appended what the other read.</summary>
    Wr = 2,

    /// <summary>It read the list before the other appended.</summary>
    Rw = 4,

    /// <summary>It was answered before the other was invoked, or is the same client's earlier one.</summary>
    Realtime = 8,
}

/// <summary>Edges between places of a history, grouped by where they start.</summary>
internal sealed class DependencyGraph
{
    private readonly int[] _first;
    private readonly Edge[] _edges;

    private DependencyGraph(int places, List<Edge> edges)
    {
        Places = places;
        _first = new int[places + 1];
        foreach (var edge in edges)
        {
            _first[edge.From + 1]++;
        }

        for (var place = 0; place < places; place++)
        {
            _first[place + 1] += _first[place];
        }

        var next = _first.AsSpan(0, places).ToArray();
        _edges = new Edge[edges.Count];
        foreach (var edge in edges)
        {
            _edges[next[edge.From]++] = edge;
        }
    }

    public int Places { get; }

    public static DependencyGraph Of(ListHistory history)
    {
        var edges = new List<Edge>(4 * history.Operations.Count);
        for (var key = 0; key < history.Lists.Count; key++)
        {
            if (!history.Lists[key].IsLeftOut)
            {
                AddVersions(history, key, edges);
            }
        }

        AddRealtime(history, edges);
        return new DependencyGraph(history.Operations.Count, edges);
    }

    public ReadOnlySpan<Edge> From(int place) => _edges.AsSpan(_first[place], _first[place + 1] - _first[place]);

    private static void AddVersions(ListHistory history, int key, List<Edge> edges)
    {
        var list = history.Lists[key];
        var writers = new int[list.Longest.Length];
        for (var i = 0; i < writers.Length; i++)
        {
            writers[i] = list.Appends[list.Longest[i]].Place;
            Add(edges, i > 0 ? writers[i - 1] : -1, writers[i], Dependency.Ww, key);
        }

        // What took effect and is in no list read stands behind all of them.
        var unread = new List<int>();
        foreach (var item in list.Appends)
        {
            if (item.LastSeenBy < 0 && history.IsEffective[item.Place])
            {
                unread.Add(item.Place);
                Add(edges, writers.Length > 0 ? writers[^1] : -1, item.Place, Dependency.Ww, key);
            }
        }

        foreach (var read in list.Reads)
        {
            Add(edges, read.Outside > 0 ? writers[read.Outside - 1] : -1, read.Place, Dependency.Wr, key);
            if (read.Outside < writers.Length)
            {
                Add(edges, read.Place, writers[read.Outside], Dependency.Rw, key);
            }
            else
            {
                foreach (var writer in unread)
                {
                    Add(edges, read.Place, writer, Dependency.Rw, key);
                }
            }
        }
    }

    private static void Add(List<Edge> edges, int from, int to, Dependency kind, int key)
    {
        if (from >= 0 && from != to)
        {
            edges.Add(new Edge(from, to, kind, key));
        }
    }

    /// <summary>
    /// From each operation to those invoked after its answer, but only over the frontier: what was answered and is not
    /// itself before another answered one. The rest follows by transitivity.
    /// </summary>
    private static void AddRealtime(ListHistory history, List<Edge> edges)
    {
        var operations = history.Operations;
        var judged = Enumerable.Range(0, operations.Count)
            .Where(place => history.IsEffective[place] && !operations[place].IsLocal
                || operations[place] is { Outcome: OperationOutcome.Done, Succeeded: false, IsLocal: false })
            .ToArray();
        var byInvocation = judged.OrderBy(place => operations[place].Invoked).ToArray();
        var byReturn = judged.Where(place => operations[place].Outcome == OperationOutcome.Done)
            .OrderBy(place => operations[place].Returned)
            .ToArray();
        var frontier = new List<int>();
        var returned = 0;
        foreach (var place in byInvocation)
        {
            while (returned < byReturn.Length
                && operations[byReturn[returned]].Returned < operations[place].Invoked)
            {
                var ended = operations[byReturn[returned]];
                frontier.RemoveAll(other => operations[other].Returned < ended.Invoked);
                frontier.Add(byReturn[returned++]);
            }

            foreach (var other in frontier)
            {
                edges.Add(new Edge(other, place, Dependency.Realtime, -1));
            }
        }
    }

    /// <param name="Key">The list it is about; −1 for real time.</param>
    internal readonly record struct Edge(int From, int To, Dependency Kind, int Key);
}
