namespace Kvorum.Simulator;

/// <summary>One key's part of an operation.</summary>
/// <param name="Steps">The steps on this key.</param>
/// <param name="Bit">Its number within the key, operations with an answer first.</param>
/// <param name="ChecksFailure">
/// A failed operation whose compares are all on this key, so that one of them must be false.
/// </param>
internal sealed record KeyOperation(Operation Operation, CompiledStep[] Steps, int Bit, bool ChecksFailure)
{
    /// <summary>
    /// An unknown operation that nobody could tell from this one, invoked earlier: it takes effect first, or neither
    /// does. −1 for none.
    /// </summary>
    public int Twin { get; init; } = -1;

    public bool IsUnknown => Operation.Outcome == OperationOutcome.Unknown;

    /// <summary>Leaves the same state behind whatever it finds, and was told nothing that depends on it.</summary>
    public bool IsBlind { get; } = (Operation.Outcome == OperationOutcome.Unknown || Operation.Succeeded)
        && Array.Exists(Steps, IsOverwrite)
        && Array.TrueForAll(Steps, step => IsOverwrite(step) || step is { Kind: StepKind.Read, IsSeen: false });

    /// <summary>Was answered, and changes nothing wherever it stands.</summary>
    public bool IsReader { get; } = Operation.Outcome != OperationOutcome.Unknown && (!Operation.Succeeded
        || Array.TrueForAll(Steps, step => step.Kind is StepKind.Read or StepKind.CompareValue));

    /// <summary>The state after this operation took effect on <paramref name="state"/>.</summary>
    /// <returns>False when the answer would have been another, or an unknown operation would change nothing.</returns>
    public bool TryApply(ValueTable values, int state, out int after) =>
        TryAnswer(values, state, out after) && (!IsUnknown || after != state);

    /// <summary>The state after this operation took effect, be it the same.</summary>
    /// <returns>False when the answer would have been another, or an unknown operation would be refused.</returns>
    public bool TryAnswer(ValueTable values, int state, out int after)
    {
        after = state;
        var holds = true;
        foreach (var step in Steps)
        {
            holds &= step.Kind != StepKind.CompareValue || step.Argument == state;
        }

        var isFailed = !IsUnknown && !Operation.Succeeded;
        if (isFailed ? ChecksFailure && holds : !holds)
        {
            return false;
        }

        foreach (var step in Steps)
        {
            if (!TryStep(values, step, isFailed, ref after))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Whether it writes the value a read found, or appends the last item of it.</summary>
    public bool Makes(ValueTable values, CompiledStep read)
    {
        foreach (var step in Steps)
        {
            if (step.Key == read.Key && (step.Kind == StepKind.Write
                ? step.Argument == read.SeenValue
                : step.Kind == StepKind.Append && step.Argument == values.LastItem(read.SeenValue)))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsOverwrite(CompiledStep step) => step.Kind is StepKind.Write or StepKind.Delete;

    private static bool TryStep(ValueTable values, in CompiledStep step, bool isFailed, ref int state)
    {
        if (step.Kind == StepKind.Read)
        {
            return !step.IsSeen || step.SeenValue == state;
        }

        if (isFailed || step.Kind == StepKind.CompareValue)
        {
            return true;
        }

        state = step.Kind switch
        {
            StepKind.Write => step.Argument,
            StepKind.Append => values.Append(state, step.Argument),
            _ => ValueTable.Absent,
        };
        return step.Kind != StepKind.Append || (state != ValueTable.Refused
            && (!step.IsSeen || step.SeenLength == 0 || step.SeenLength == values.Length(state)));
    }
}

/// <summary>Splits a history into one per key.</summary>
internal static class KeyHistory
{
    /// <summary>By key: operations with an answer, then unknown ones, each in the order of invocation.</summary>
    public static List<KeyOperation>[] Split(CompiledHistory history)
    {
        var keys = new List<KeyOperation>[history.KeyCount];
        for (var key = 0; key < keys.Length; key++)
        {
            keys[key] = [];
        }

        var places = Enumerable.Range(0, history.Operations.Count)
            .Where(place => IsJudged(history.Operations[place]))
            .OrderBy(place => history.Operations[place].Outcome)
            .ThenBy(place => history.Operations[place].Invoked);
        foreach (var place in places)
        {
            Add(history, place, keys);
        }

        for (var key = 0; key < keys.Length; key++)
        {
            keys[key] = WithTwins(history.Values, WithoutUnseen(keys[key]));
        }

        return keys;
    }

    private static bool IsJudged(Operation operation) =>
        !operation.IsLocal && (operation.Outcome == OperationOutcome.Done
            || (operation.Outcome == OperationOutcome.Unknown && operation.IsWrite));

    private static void Add(CompiledHistory history, int place, List<KeyOperation>[] keys)
    {
        var steps = history.Steps(place).ToArray();
        var compared = steps.Where(step => step.Kind == StepKind.CompareValue).Select(step => step.Key).Distinct();
        var comparesOneKey = compared.Count() == 1;
        foreach (var group in steps.GroupBy(step => step.Key))
        {
            CompiledStep[] own = [.. group];
            var checksFailure = comparesOneKey && own.Any(step => step.Kind == StepKind.CompareValue);
            keys[group.Key].Add(
                new KeyOperation(history.Operations[place], own, keys[group.Key].Count, checksFailure));
        }
    }

    /// <summary>
    /// Drops unknown writes of values that nobody saw, where nothing but a seen value could tell: they may as well
    /// never have happened, and each would double the search.
    /// </summary>
    private static List<KeyOperation> WithoutUnseen(List<KeyOperation> operations)
    {
        var seen = new HashSet<int>();
        foreach (var operation in operations)
        {
            foreach (var step in operation.Steps)
            {
                if (step.Kind == StepKind.Append || operation is { ChecksFailure: true, Operation.Succeeded: false })
                {
                    return operations;
                }

                seen.Add(step.Kind == StepKind.Read && step.IsSeen ? step.SeenValue : ValueTable.Absent);
                seen.Add(step.Kind == StepKind.CompareValue ? step.Argument : ValueTable.Absent);
            }
        }

        return [.. operations
            .Where(operation => !operation.IsUnknown || !operation.Steps.All(step =>
                step.Kind == StepKind.CompareValue || (step.Kind == StepKind.Write && !seen.Contains(step.Argument))))
            .Select((operation, bit) => operation with { Bit = bit })];
    }

    /// <summary>Deletes are alike, and so are writes and appends of what nobody saw.</summary>
    private static List<KeyOperation> WithTwins(ValueTable values, List<KeyOperation> operations)
    {
        var seen = new HashSet<int>();
        var seenItems = new HashSet<int>();
        foreach (var step in operations.SelectMany(operation => operation.Steps))
        {
            var value = step.Kind == StepKind.CompareValue ? step.Argument : step.IsSeen ? step.SeenValue : 0;
            for (; value > ValueTable.Absent && seen.Add(value); value = values.Shorter(value))
            {
                seenItems.Add(values.LastItem(value));
            }
        }

        var twins = new Dictionary<StepKind, int>();
        for (var i = 0; i < operations.Count; i++)
        {
            var changes = operations[i].Steps.Where(step => step.Kind != StepKind.Read).ToArray();
            if (!operations[i].IsUnknown || changes.Length != 1 || changes[0].Kind == StepKind.CompareValue
                || (changes[0].Kind == StepKind.Write && seen.Contains(changes[0].Argument))
                || (changes[0].Kind == StepKind.Append && seenItems.Contains(changes[0].Argument)))
            {
                continue;
            }

            operations[i] = operations[i] with { Twin = twins.GetValueOrDefault(changes[0].Kind, -1) };
            twins[changes[0].Kind] = operations[i].Bit;
        }

        return operations;
    }

    /// <summary>
    /// The longest list somebody read, when the key only grows: every state on the way is a beginning of it or longer.
    /// </summary>
    public static int LongestList(ValueTable values, List<KeyOperation> operations)
    {
        var longest = ValueTable.Absent;
        foreach (var operation in operations)
        {
            foreach (var step in operation.Steps)
            {
                if (step.Kind is StepKind.Write or StepKind.Delete)
                {
                    return ValueTable.Absent;
                }

                var isRead = step is { Kind: StepKind.Read, IsSeen: true };
                longest = isRead && values.Length(step.SeenValue) > values.Length(longest) ? step.SeenValue : longest;
            }
        }

        return longest;
    }
}
