namespace Kvorum.Simulator;

/// <summary>
/// One key's search. Events stand in a list by time; an operation that takes effect is lifted out, and one whose
/// return is reached before it took effect makes the search go back. What was tried once (the set of operations that
/// took effect, and the state they left) is not tried again.
/// </summary>
/// <remarks>
/// <para>Three rules keep it from trying all orders of writes that overlap for long. None changes the verdict.</para>
/// <para>1. Hidden writes. A write that reads nothing may stand just before another such write: nobody can see it
/// there. So taking one gives a place to all that may still come before it. An operation with a place no longer holds
/// up others; it may yet be taken where somebody sees it, until one is taken that was invoked after its return. It
/// loses its place when one is taken that must come before it. These places never contradict one another: whoever
/// must come first has its first place no later.</para>
/// <para>2. Nothing for nobody. A write that reads nothing is not taken directly after another one, nor after an
/// operation with unknown outcome: the same order without the earlier one is as good, and the earlier one has its
/// place, or never took effect.</para>
/// <para>3. Readers at once. An operation that never changes anything, and whose answer is right now, is taken now when
/// nothing that is left returned before it was invoked: to wait gains nothing.</para>
/// </remarks>
internal sealed class LinearizabilitySearch
{
    private readonly ValueTable _values;
    private readonly List<KeyOperation> _operations;
    private readonly int _stepsMax;
    private readonly EventList _events;
    private readonly SearchMemo _memo;
    private readonly int _longestLength;
    private readonly HashSet<int> _beginnings = [];
    private readonly Stack<Frame> _frames = new();
    private readonly Stack<(int Bit, Change Change)> _changes = new();
    private int _state = ValueTable.Absent;
    private bool _isUnobserved;
    private int _open;
    private int _explained;
    private int _furthest;

    public LinearizabilitySearch(ValueTable values, List<KeyOperation> operations, int stepsMax)
    {
        _values = values;
        _operations = operations;
        _stepsMax = stepsMax;
        var longest = KeyHistory.LongestList(values, operations);
        _longestLength = values.Length(longest);
        for (var list = longest; values.Length(list) > 0; list = values.Shorter(list))
        {
            _beginnings.Add(list);
        }

        _open = operations.Count(operation => !operation.IsUnknown);
        _events = new EventList(operations);
        _memo = new SearchMemo(_open, operations.Count - _open);
    }

    /// <summary>What was done to an operation by taking one: so that it can be undone.</summary>
    private enum Change
    {
        Placed,
        Displaced,
        Over,
        OverWithPlace,
    }

    /// <summary>Operations tried.</summary>
    public int Steps { get; private set; }

    /// <summary>Operations in the longest order found.</summary>
    public int LongestPrefix { get; private set; } = -1;

    /// <summary>The state after it.</summary>
    public int LongestState { get; private set; }

    /// <summary>The operation whose return no order got past.</summary>
    public int Blocked { get; private set; } = -1;

    public VerdictKind Run()
    {
        var after = 0;
        while (_open > 0)
        {
            if (TryReader(after) ?? TryNext(after))
            {
                after = 0;
                continue;
            }

            if (Steps > _stepsMax)
            {
                return VerdictKind.Undecided;
            }

            // A reader was taken for sure: when that led nowhere, nothing else would.
            var isForced = true;
            while (isForced)
            {
                if (!_frames.TryPop(out var frame))
                {
                    return VerdictKind.Violation;
                }

                Undo(frame);
                (after, isForced) = (frame.Event, frame.IsForced);
            }
        }

        return VerdictKind.Valid;
    }

    /// <summary>Takes an operation by the third rule.</summary>
    /// <returns>Null when there is none; false when that was tried before.</returns>
    private bool? TryReader(int after)
    {
        for (var at = _events.First; after == 0 && at > 0 && !_events.IsReturn(at); at = _events.After(at))
        {
            if (_operations[_events.OperationAt(at)].IsReader && Fits(at, out var next))
            {
                return TryTake(at, next, isForced: true);
            }
        }

        return null;
    }

    /// <summary>Takes the next operation that may come now, of those called after an event.</summary>
    private bool TryNext(int after)
    {
        var isHeldUp = false;
        for (var at = _events.First; at > 0; at = _events.After(at))
        {
            var operation = _operations[_events.OperationAt(at)];
            if (_events.IsReturn(at))
            {
                isHeldUp |= !_memo.IsPlaced(operation.Bit);
                if (!operation.IsBlind || (isHeldUp && _isUnobserved))
                {
                    NoteBlocked(at);
                    return false;
                }

                continue;
            }

            if (at > after && !(operation.IsBlind ? _isUnobserved : isHeldUp)
                && Fits(at, out var next) && TryTake(at, next, isForced: false))
            {
                return true;
            }

            if (Steps > _stepsMax)
            {
                return false;
            }
        }

        return false;
    }

    private void NoteBlocked(int at)
    {
        if (at > _furthest || (at == _furthest && _explained > LongestPrefix))
        {
            (_furthest, Blocked, LongestPrefix, LongestState) = (at, _events.OperationAt(at), _explained, _state);
        }
    }

    private bool Fits(int at, out int next)
    {
        Steps++;
        var operation = _operations[_events.OperationAt(at)];
        next = _state;
        return (operation.Twin < 0 || _memo.IsOver(operation.Twin)) && operation.TryAnswer(_values, _state, out next)
            && (_beginnings.Count == 0 || next == _state || _values.Length(next) > _longestLength
                || _beginnings.Contains(next));
    }

    /// <summary>
    /// False when the same operations in another order led to the same state before, or one of unknown outcome would
    /// neither change the state nor give another its place.
    /// </summary>
    private bool TryTake(int at, int next, bool isForced)
    {
        var operation = _operations[_events.OperationAt(at)];
        var frame = new Frame(at, _state, _isUnobserved, isForced, _changes.Count);
        var open = _open;
        Take(at, operation);
        _state = next;
        _isUnobserved = operation.IsBlind || operation.IsUnknown;
        if ((operation.IsUnknown && _state == frame.State && _open == open)
            || !_memo.TryNote(_state, _isUnobserved))
        {
            Undo(frame);
            return false;
        }

        _frames.Push(frame);
        return true;
    }

    private void Take(int at, KeyOperation operation)
    {
        // What returned before has a place, or gets one here, and keeps it.
        for (var earlier = _events.First; earlier != at; earlier = _events.After(earlier))
        {
            if (_events.IsReturn(earlier))
            {
                Do(_events.OperationAt(earlier), Over(_events.OperationAt(earlier)));
            }
        }

        Do(operation.Bit, Over(operation.Bit));
        if (!operation.IsBlind)
        {
            return;
        }

        var returned = operation.IsUnknown ? int.MaxValue : _events.ReturnOf(operation.Bit);
        for (at = _events.First; at > 0; at = _events.After(at))
        {
            var other = _operations[_events.OperationAt(at)];
            if (other.IsBlind)
            {
                var mayComeBefore = at < returned;
                if (!other.IsUnknown && !_events.IsReturn(at) && _memo.IsPlaced(other.Bit) != mayComeBefore)
                {
                    Do(other.Bit, mayComeBefore ? Change.Placed : Change.Displaced);
                }
            }
            else if (_events.IsReturn(at))
            {
                return;
            }
        }
    }

    private Change Over(int bit) => _memo.IsPlaced(bit) ? Change.OverWithPlace : Change.Over;

    private void Do(int bit, Change change)
    {
        _changes.Push((bit, change));
        Mark(bit, change, change == Change.Displaced ? -1 : 1);
        if (change is Change.Over or Change.OverWithPlace)
        {
            _events.Lift(bit);
        }
    }

    private void Undo(in Frame frame)
    {
        while (_changes.Count > frame.Changes)
        {
            var (bit, change) = _changes.Pop();
            Mark(bit, change, change == Change.Displaced ? 1 : -1);
            if (change is Change.Over or Change.OverWithPlace)
            {
                _events.PutBack(bit);
            }
        }

        (_state, _isUnobserved) = (frame.State, frame.WasUnobserved);
    }

    private void Mark(int bit, Change change, int sign)
    {
        if (change is Change.Over or Change.OverWithPlace)
        {
            _memo.ToggleOver(bit);
        }

        if (change != Change.OverWithPlace)
        {
            _memo.TogglePlaced(bit);
            _explained += sign;
            _open -= _operations[bit].IsUnknown ? 0 : sign;
        }
    }

    /// <param name="Event">The call of the operation taken.</param>
    /// <param name="State">The state before.</param>
    /// <param name="IsForced">By the third rule: there is nothing to choose.</param>
    /// <param name="Changes">How many changes were made before.</param>
    private readonly record struct Frame(int Event, int State, bool WasUnobserved, bool IsForced, int Changes);
}
