namespace Kvorum.Simulator;

/// <summary>
/// Calls and returns of one key's operations in the order of time, in a list from which an operation is lifted out
/// and, in reverse order, put back. Events are numbered from 1 in the order of time; 0 is the head and the end.
/// </summary>
internal sealed class EventList
{
    private readonly int[] _operationOf;
    private readonly int[] _callOf;
    private readonly int[] _returnOf;
    private readonly int[] _after;
    private readonly int[] _before;

    public EventList(List<KeyOperation> operations)
    {
        // Equal times overlap: calls stand before returns.
        var calls = operations.Select(operation => (operation.Operation.Invoked, IsReturn: false, operation.Bit));
        var returns = operations.Where(operation => !operation.IsUnknown)
            .Select(operation => (operation.Operation.Returned, IsReturn: true, operation.Bit));
        var events = calls.Concat(returns).OrderBy(e => e.Item1).ThenBy(e => e.IsReturn).ThenBy(e => e.Bit).ToArray();
        _operationOf = new int[events.Length + 1];
        _after = new int[events.Length + 1];
        _before = new int[events.Length + 1];
        _callOf = new int[operations.Count];
        _returnOf = new int[operations.Count];
        for (var i = 1; i <= events.Length; i++)
        {
            var (_, isReturn, bit) = events[i - 1];
            _operationOf[i] = bit;
            _before[i] = i - 1;
            _after[i - 1] = i;
            (isReturn ? _returnOf : _callOf)[bit] = i;
        }
    }

    /// <summary>The first event in the list; 0 when it is empty.</summary>
    public int First => _after[0];

    /// <summary>The next event in the list; 0 at the end.</summary>
    public int After(int at) => _after[at];

    /// <summary>The number of the operation that is called or returns.</summary>
    public int OperationAt(int at) => _operationOf[at];

    public bool IsReturn(int at) => _returnOf[_operationOf[at]] == at;

    /// <summary>The event of an operation's return; 0 when its outcome is unknown.</summary>
    public int ReturnOf(int bit) => _returnOf[bit];

    public void Lift(int bit)
    {
        Unlink(_callOf[bit]);
        if (_returnOf[bit] > 0)
        {
            Unlink(_returnOf[bit]);
        }
    }

    /// <summary>Undoes the last <see cref="Lift"/> that is not undone.</summary>
    public void PutBack(int bit)
    {
        if (_returnOf[bit] > 0)
        {
            Relink(_returnOf[bit]);
        }

        Relink(_callOf[bit]);
    }

    private void Unlink(int at)
    {
        _after[_before[at]] = _after[at];
        if (_after[at] > 0)
        {
            _before[_after[at]] = _before[at];
        }
    }

    private void Relink(int at)
    {
        _after[_before[at]] = at;
        if (_after[at] > 0)
        {
            _before[_after[at]] = at;
        }
    }
}
