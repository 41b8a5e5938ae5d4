namespace Kvorum.Simulator;

/// <summary>Who wrote which value, and which changes of a key have a revision.</summary>
internal sealed class WriterTable
{
    /// <summary>The value was written by more than one operation, so it tells nothing.</summary>
    public const int Several = -2;

    private readonly TotalOrder _order;
    private readonly Dictionary<long, int> _values = [];
    private readonly Dictionary<long, int> _items = [];
    private readonly List<Change>[] _changes;
    private readonly bool[] _mayVanish;
    private readonly HashSet<long> _claimed = [];

    public WriterTable(TotalOrder order)
    {
        _order = order;
        _changes = new List<Change>[order.Compiled.KeyCount];
        for (var key = 0; key < _changes.Length; key++)
        {
            _changes[key] = [];
        }

        _mayVanish = new bool[_changes.Length];
        for (var place = 0; place < order.Changes.Length; place++)
        {
            AddValues(place);
        }

        foreach (var place in order.Placed)
        {
            AddChanges(place);
        }

        foreach (var place in order.Unknown)
        {
            foreach (var step in order.Compiled.Steps(place))
            {
                _mayVanish[step.Key] |= step.Kind == StepKind.Delete;
            }
        }
    }

    /// <summary>The place of the operation that made this value; null when there is none.</summary>
    public int? WriterOf(int key, int value)
    {
        var values = _order.Compiled.Values;
        var writers = values.Length(value) > 0 ? _items : _values;
        var id = values.Length(value) > 0 ? values.LastItem(value) : value;
        return writers.TryGetValue(Pair(key, id), out var writer) ? writer : null;
    }

    /// <summary>The last change of a key with a revision up to <paramref name="revision"/>.</summary>
    public Change? LastChange(int key, long revision)
    {
        var changes = _changes[key];
        var low = 0;
        var high = changes.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = _order[changes[middle].Place].Revision <= revision ? (middle + 1, high) : (low, middle);
        }

        return low == 0 ? null : changes[low - 1];
    }

    /// <summary>Whether an operation with unknown outcome may have deleted the key.</summary>
    public bool MayVanish(int key) => _mayVanish[key];

    /// <summary>Whether a write or append was answered with this revision.</summary>
    public bool IsClaimed(long revision) => _claimed.Contains(revision);

    /// <summary>
    /// The newest revision whose state a read may show: the operation's own, or the one before when it goes on to
    /// change the key; null when it has changed the key already, so that the read shows its own change.
    /// </summary>
    public long? ReadsAt(int place, int stepIndex)
    {
        var steps = _order.Compiled.Steps(place);
        var revision = _order[place].Revision;
        for (var i = 0; i < steps.Length; i++)
        {
            if (steps[i].Key == steps[stepIndex].Key
                && steps[i].Kind is StepKind.Write or StepKind.Append or StepKind.Delete)
            {
                return i < stepIndex ? null : revision - 1;
            }
        }

        return revision;
    }

    private static long Pair(int key, int id) => ((long)key << 32) | (uint)id;

    private static void Add(Dictionary<long, int> writers, long pair, int place)
    {
        if (!writers.TryAdd(pair, place) && writers[pair] != place)
        {
            writers[pair] = Several;
        }
    }

    private void AddValues(int place)
    {
        var values = _order.Compiled.Values;
        foreach (var step in _order.Compiled.Steps(place))
        {
            if (step.Kind == StepKind.Append)
            {
                Add(_items, Pair(step.Key, step.Argument), place);
            }
            else if (step.Kind == StepKind.Write)
            {
                Add(_values, Pair(step.Key, step.Argument), place);
                for (var list = step.Argument; values.Length(list) > 0; list = values.Shorter(list))
                {
                    Add(_items, Pair(step.Key, values.LastItem(list)), place);
                }
            }
        }
    }

    private void AddChanges(int place)
    {
        if (_order.Changes[place] == ChangeKind.None)
        {
            return;
        }

        if (_order.Changes[place] == ChangeKind.Sure)
        {
            _claimed.Add(_order[place].Revision);
        }

        foreach (var step in _order.Compiled.Steps(place))
        {
            if (step.Kind is StepKind.Write or StepKind.Append or StepKind.Delete)
            {
                _changes[step.Key].Add(new Change(place, step.Kind != StepKind.Delete));
            }
        }
    }

    /// <param name="IsPresent">Whether the key was there after it.</param>
    internal readonly record struct Change(int Place, bool IsPresent);
}
