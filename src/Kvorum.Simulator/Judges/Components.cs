namespace Kvorum.Simulator;

/// <summary>Strongly connected components (Tarjan, 1972), without recursion.</summary>
internal sealed class Components
{
    private readonly DependencyGraph _graph;
    private readonly Dependency _kinds;
    private readonly int[] _component;
    private readonly int[] _number;
    private readonly int[] _low;
    private readonly Stack<int> _open = new();
    private readonly List<int> _cyclic = [];
    private int _numbers;
    private int _components;

    private Components(DependencyGraph graph, Dependency kinds)
    {
        _graph = graph;
        _kinds = kinds;
        _component = new int[graph.Places];
        _number = new int[graph.Places];
        _low = new int[graph.Places];
        for (var place = 0; place < graph.Places; place++)
        {
            if (_number[place] == 0)
            {
                Visit(place);
            }
        }

        _cyclic.Sort();
        Cyclic = [.. _cyclic];
    }

    /// <summary>The places that are in a component with others: on a cycle.</summary>
    public int[] Cyclic { get; }

    public static Components Of(DependencyGraph graph, Dependency kinds) => new(graph, kinds);

    public bool AreTogether(int left, int right) => _component[left] == _component[right];

    private void Visit(int root)
    {
        var path = new Stack<(int Place, int NextEdge)>();
        Open(root);
        path.Push((root, 0));
        while (path.TryPop(out var top))
        {
            var (place, nextEdge) = top;
            var edges = _graph.From(place);
            var child = -1;
            while (nextEdge < edges.Length && child < 0)
            {
                var edge = edges[nextEdge++];
                if ((edge.Kind & _kinds) == 0)
                {
                    continue;
                }

                if (_number[edge.To] == 0)
                {
                    child = edge.To;
                }
                else if (_component[edge.To] == 0)
                {
                    _low[place] = Math.Min(_low[place], _number[edge.To]);
                }
            }

            if (child >= 0)
            {
                path.Push((place, nextEdge));
                Open(child);
                path.Push((child, 0));
                continue;
            }

            Close(place);
            if (path.TryPeek(out var parent))
            {
                _low[parent.Place] = Math.Min(_low[parent.Place], _low[place]);
            }
        }
    }

    private void Open(int place)
    {
        _number[place] = ++_numbers;
        _low[place] = _number[place];
        _open.Push(place);
    }

    private void Close(int place)
    {
        if (_low[place] != _number[place])
        {
            return;
        }

        _components++;
        var isAlone = _open.Peek() == place;
        int member;
        do
        {
            member = _open.Pop();
            _component[member] = _components;
            if (!isAlone)
            {
                _cyclic.Add(member);
            }
        }
        while (member != place);
    }
}
