namespace Kvorum.Simulator;

/// <summary>What of the answers must come out right.</summary>
[Flags]
internal enum Rule
{
    Values = 0,
    Revisions = 1,
    Lengths = 2,
}

/// <summary>
/// Tries every order of a small history, with every subset of the operations whose outcome is unknown. The judges must
/// say the same.
/// </summary>
internal sealed class BruteForce(IReadOnlyList<Operation> history, Rule rules)
{
    public static bool CanExplain(IReadOnlyList<Operation> history, Rule rules) =>
        new BruteForce(history, rules).Search(SmallStore.Empty, 0);

    private bool Search(SmallStore store, int taken)
    {
        var isComplete = true;
        for (var i = 0; i < history.Count; i++)
        {
            var operation = history[i];
            if ((taken & (1 << i)) != 0 || operation.Outcome == OperationOutcome.NoEffect)
            {
                continue;
            }

            isComplete &= operation.Outcome == OperationOutcome.Unknown;
            if (!MayComeNow(operation, taken))
            {
                continue;
            }

            var (after, answer) = store.Run(operation);
            if ((operation.Outcome == OperationOutcome.Unknown || IsSame(operation, answer))
                && Search(after, taken | (1 << i)))
            {
                return true;
            }
        }

        return isComplete;
    }

    private bool MayComeNow(Operation operation, int taken)
    {
        for (var i = 0; i < history.Count; i++)
        {
            if ((taken & (1 << i)) == 0 && history[i].Outcome == OperationOutcome.Done && !history[i].IsLocal
                && !operation.IsLocal && history[i].Returned < operation.Invoked)
            {
                return false;
            }
        }

        return true;
    }

    private bool IsSame(Operation told, Operation right)
    {
        if (told.Succeeded != right.Succeeded
            || (rules.HasFlag(Rule.Revisions) && told.Revision != 0 && told.Revision != right.Revision))
        {
            return false;
        }

        return told.Steps.Zip(right.Steps).All(pair => pair.First.Seen is not { } seen
            || pair.Second.Seen is not { } expected
            || (seen.Value == expected.Value
                && (!rules.HasFlag(Rule.Lengths) || seen.Length == expected.Length)
                && (!rules.HasFlag(Rule.Revisions) || seen.ModRevision == 0
                    || seen.ModRevision == expected.ModRevision)));
    }
}
