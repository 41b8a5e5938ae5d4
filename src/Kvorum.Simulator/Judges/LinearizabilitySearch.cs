namespace Kvorum.Simulator;

/// <summary>
/// One key's search. Events stand in a list by time; an operation that takes effect is lifted out, and one whose
/// return is reached before it took effect makes the search go back. What was tried once (the set of operations that
/// took effect, and the state they left) is not tried again.
/// </summary>
internal sealed class LinearizabilitySearch
{
    private readonly ValueTable _values;
    private readonly List<KeyOperation> _operations;
    private readonly int _stepsMax;
    private readonly int _answered;
    private readonly int[] _operationOf;
    private readonly int[] _returnOf;
    private readonly int[] _after;
    private readonly int[] _before;
    private readonly ulong[] _effective;
    private readonly int _longestLength;
    private readonly HashSet<int> _beginnings = [];
    private readonly HashSet<Memo> _seen = new(Memo.Comparer);

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

        _answered = operations.Count(operation => !operation.IsUnknown);
        _effective = new ulong[(_answered + 63) / 64 + (operations.Count - _answered + 63) / 64];

        // Equal times overlap: calls stand before returns.
        var calls = operations.Select(operation => (operation.Operation.Invoked, IsReturn: false, operation.Bit));
        var returns = operations.Where(operation => !operation.IsUnknown)
            .Select(operation => (operation.Operation.Returned, IsReturn: true, operation.Bit));
        var events = calls.Concat(returns).OrderBy(e => e.Item1).ThenBy(e => e.IsReturn).ThenBy(e => e.Bit).ToArray();
        _operationOf = new int[events.Length + 1];
        _returnOf = new int[events.Length + 1];
        _after = new int[events.Length + 1];
        _before = new int[events.Length + 1];
        LinkUp(events);
    }

    /// <summary>Operations in the longest order found.</summary>
    public int LongestPrefix { get; private set; }

    /// <summary>The state after it.</summary>
    public int LongestState { get; private set; }

    /// <summary>The operation whose return no order got past.</summary>
    public int Blocked { get; private set; } = -1;

    public VerdictKind Run()
    {
        var taken = new Stack<(int Event, int State)>();
        var remaining = _answered;
        var state = ValueTable.Absent;
        var steps = 0;
        var furthest = -1;
        var at = _after[0];
        while (remaining > 0)
        {
            var operation = _operations[_operationOf[at]];
            if (!IsReturn(at))
            {
                if (++steps > _stepsMax)
                {
                    return VerdictKind.Undecided;
                }

                if (IsAfterTwin(operation) && operation.TryApply(_values, state, out var next)
                    && (_beginnings.Count == 0 || next == state || _values.Length(next) > _longestLength
                        || _beginnings.Contains(next))
                    && TryNote(operation, next))
                {
                    taken.Push((at, state));
                    state = next;
                    remaining -= operation.IsUnknown ? 0 : 1;
                    Lift(at);
                    at = _after[0];
                    continue;
                }

                at = _after[at];
                continue;
            }

            if (at > furthest || (at == furthest && taken.Count > LongestPrefix))
            {
                (furthest, Blocked, LongestPrefix, LongestState) = (at, _operationOf[at], taken.Count, state);
            }

            if (taken.Count == 0)
            {
                return VerdictKind.Violation;
            }

            (at, state) = taken.Pop();
            var back = _operations[_operationOf[at]];
            remaining += back.IsUnknown ? 0 : 1;
            Toggle(back);
            Unlift(at);
            at = _after[at];
        }

        return VerdictKind.Valid;
    }

    private void LinkUp((long Time, bool IsReturn, int Bit)[] events)
    {
        var callOf = new int[_operations.Count];
        for (var i = 1; i <= events.Length; i++)
        {
            var (_, isReturn, bit) = events[i - 1];
            _operationOf[i] = bit;
            _before[i] = i - 1;
            _after[i - 1] = i;
            _returnOf[i] = isReturn ? -1 : 0;
            if (isReturn)
            {
                _returnOf[callOf[bit]] = i;
            }
            else
            {
                callOf[bit] = i;
            }
        }
    }

    private bool IsReturn(int at) => _returnOf[at] < 0;

    private void Lift(int call)
    {
        Unlink(call);
        if (_returnOf[call] > 0)
        {
            Unlink(_returnOf[call]);
        }
    }

    private void Unlift(int call)
    {
        if (_returnOf[call] > 0)
        {
            Relink(_returnOf[call]);
        }

        Relink(call);
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

    private int Position(int bit) => bit < _answered ? bit : (_answered + 63) / 64 * 64 + bit - _answered;

    private bool IsAfterTwin(KeyOperation operation)
    {
        var position = operation.Twin < 0 ? -1 : Position(operation.Twin);
        return position < 0 || (_effective[position / 64] & (1UL << (position % 64))) != 0;
    }

    private void Toggle(KeyOperation operation)
    {
        var bit = Position(operation.Bit);
        _effective[bit / 64] ^= 1UL << (bit % 64);
    }

    /// <summary>Marks the operation as effective, unless that set and state were tried before.</summary>
    private bool TryNote(KeyOperation operation, int state)
    {
        Toggle(operation);
        var full = 0;
        while (full < _effective.Length && _effective[full] == ulong.MaxValue)
        {
            full++;
        }

        var end = _effective.Length;
        while (end > full && _effective[end - 1] == 0)
        {
            end--;
        }

        if (_seen.Add(new Memo(full, state, _effective[full..end])))
        {
            return true;
        }

        Toggle(operation);
        return false;
    }

    /// <summary>A set of operations (the words between the full and the empty ones), and the state.</summary>
    private readonly record struct Memo(int FullWords, int State, ulong[] Words)
    {
        public static readonly IEqualityComparer<Memo> Comparer = EqualityComparer<Memo>.Create(AreEqual, HashOf);

        private static bool AreEqual(Memo left, Memo right) =>
            left.FullWords == right.FullWords && left.State == right.State
            && left.Words.AsSpan().SequenceEqual(right.Words);

        private static int HashOf(Memo memo)
        {
            var hash = ((ulong)(uint)memo.State << 32) ^ (uint)memo.FullWords;
            foreach (var word in memo.Words)
            {
                hash = (hash ^ word) * 0x9E3779B97F4A7C15UL;
                hash ^= hash >> 29;
            }

            return (int)(hash ^ (hash >> 32));
        }
    }
}
