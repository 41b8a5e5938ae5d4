namespace Kvorum.Simulator;

/// <summary>A total order split by key.</summary>
internal sealed class KeyParts
{
    private readonly TotalOrder _order;
    private readonly List<(int Place, KeyOperation Part)>[] _placed;
    private readonly List<(int Place, KeyOperation Part)>[] _unknown;

    public KeyParts(TotalOrder order)
    {
        _order = order;
        _placed = new List<(int Place, KeyOperation Part)>[order.Compiled.KeyCount];
        _unknown = new List<(int Place, KeyOperation Part)>[order.Compiled.KeyCount];
        for (var key = 0; key < _placed.Length; key++)
        {
            _placed[key] = [];
            _unknown[key] = [];
        }

        if (order.Unknown.Length == 0)
        {
            return;
        }

        // Who changed something stands first at its revision; the others found what it left.
        var sorted = order.Placed.OrderBy(place => order[place].Revision)
            .ThenByDescending(place => order.Changes[place])
            .ToArray();
        for (var i = 0; i < sorted.Length; i++)
        {
            // Of two that only delete, either may be the change: what they read says nothing for sure.
            var isAmbiguous = order.Changes[sorted[i]] == ChangeKind.Maybe
                && (IsSameDelete(sorted, i, i - 1) || IsSameDelete(sorted, i, i + 1));
            Split(sorted[i], _placed, step => !isAmbiguous || step.Kind == StepKind.Delete);
        }

        foreach (var place in order.Unknown)
        {
            Split(place, _unknown, _ => true);
        }
    }

    /// <summary>Operations with a revision that touch the key, ordered by it.</summary>
    public List<(int Place, KeyOperation Part)> Placed(int key) => _placed[key];

    /// <summary>Operations with unknown outcome that may have touched it.</summary>
    public List<(int Place, KeyOperation Part)> Unknown(int key) => _unknown[key];

    /// <summary>The first event of a key at this revision or above.</summary>
    public int EventAt(int key, long revision) => EventAt(_placed[key], revision);

    /// <summary>Whether a change at this revision would contradict none of the next answers about its keys.</summary>
    /// <param name="valueOf">What is stored under a key just before it.</param>
    public bool GoesUnnoticed(int place, long revision, Func<int, int> valueOf)
    {
        foreach (var step in _order.Compiled.Steps(place))
        {
            var part = _unknown[step.Key].Find(unknown => unknown.Place == place).Part;
            if (!part.TryApply(_order.Compiled.Values, valueOf(step.Key), out var value)
                || !IsUnnoticed(_placed[step.Key], revision, value))
            {
                return false;
            }
        }

        return true;
    }

    private bool IsUnnoticed(List<(int Place, KeyOperation Part)> events, long revision, int value)
    {
        for (var at = EventAt(events, revision); at < events.Count; at++)
        {
            var part = events[at].Part;
            if (!part.TryApply(_order.Compiled.Values, value, out value))
            {
                return false;
            }

            if (part.Operation.Succeeded && part.Steps[0].Kind is StepKind.Write or StepKind.Delete)
            {
                return true;
            }
        }

        return true;
    }

    private int EventAt(List<(int Place, KeyOperation Part)> events, long revision)
    {
        var low = 0;
        var high = events.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _order[events[middle].Place].Revision < revision ? (middle + 1, high) : (low, middle);
        }

        return low;
    }

    private bool IsSameDelete(int[] sorted, int at, int other) =>
        other >= 0 && other < sorted.Length && _order.Changes[sorted[other]] == ChangeKind.Maybe
        && _order[sorted[other]].Revision == _order[sorted[at]].Revision;

    private void Split(int place, List<(int Place, KeyOperation Part)>[] keys, Func<CompiledStep, bool> counts)
    {
        var steps = _order.Compiled.Steps(place).ToArray().Where(counts).ToArray();
        var compared = steps.Where(step => step.Kind == StepKind.CompareValue).Select(step => step.Key).Distinct();
        var comparesOneKey = compared.Count() == 1;
        foreach (var group in steps.GroupBy(step => step.Key))
        {
            CompiledStep[] own = [.. group];
            var checksFailure = comparesOneKey && own.Any(step => step.Kind == StepKind.CompareValue);
            keys[group.Key].Add((place, new KeyOperation(_order[place], own, 0, checksFailure)));
        }
    }
}
