namespace Kvorum.Simulator;

/// <summary>Changes one thing in a history; it may or may not be explainable afterwards.</summary>
internal static class HistoryMutation
{
    public static List<Operation> Apply(IReadOnlyList<Operation> history, ulong seed)
    {
        var chance = new KeyedChance(seed);
        var counter = 0UL;
        int Draw(int bound) => chance.Below(bound, ChanceStream.Site, 2, counter++);

        List<Operation> changed = [.. history];
        var at = Draw(changed.Count);
        var operation = changed[at];
        switch (Draw(8))
        {
            case 0 when operation.Revision > 0:
                changed[at] = operation with { Revision = Math.Max(1, operation.Revision + Draw(5) - 2) };
                break;
            case 1 when operation.Outcome == OperationOutcome.Done
                && operation.Steps.Any(step => step.Kind == StepKind.CompareValue):
                // Nothing is told after a compare that failed.
                changed[at] = operation with
                {
                    Succeeded = !operation.Succeeded,
                    Steps = [.. operation.Steps.Select(step => step with { Seen = null })],
                };
                break;
            case 2:
                changed.RemoveAt(at);
                break;
            case 3 when operation.Outcome == OperationOutcome.Done:
                changed[at] = operation with { Returned = operation.Invoked + 1 };
                break;
            case 4 when operation.Outcome == OperationOutcome.Unknown:
                changed[at] = operation with { Outcome = OperationOutcome.NoEffect };
                break;
            case 5:
                var shift = 1_000L * (1 + Draw(2_000));
                changed[at] = operation with
                {
                    Invoked = operation.Invoked + shift,
                    Returned = operation.Outcome == OperationOutcome.Unknown
                        ? long.MaxValue
                        : operation.Returned + shift,
                };
                break;
            default:
                changed[at] = operation with { Steps = OtherAnswer(history, operation.Steps, Draw) };
                break;
        }

        return changed;
    }

    private static List<Step> OtherAnswer(
        IReadOnlyList<Operation> history, IReadOnlyList<Step> steps, Func<int, int> draw)
    {
        List<Step> changed = [.. steps];
        if (changed.FindIndex(step => step.Seen is not null) is var at && at < 0)
        {
            return changed;
        }

        var seen = changed[at].Seen!.Value; // FindIndex saw it.
        seen = changed[at].Kind == StepKind.Append ? seen with { Length = Math.Max(1, seen.Length + draw(3) - 1) }
            : draw(4) == 0 ? seen with { ModRevision = draw(8) }
            : changed[at].Key[0] == 'l' ? seen with { Value = OtherList(seen.Value, history, draw) }
            : seen with { Value = draw(3) == 0 ? null : $"v{draw(8)}", ModRevision = draw(2) * seen.ModRevision };
        changed[at] = changed[at] with { Seen = seen };
        return changed;
    }

    private static string? OtherList(string? list, IReadOnlyList<Operation> history, Func<int, int> draw)
    {
        var items = (list ?? "[]")[1..^1].Split(',', StringSplitOptions.RemoveEmptyEntries).ToList();
        var all = history.SelectMany(operation => operation.Steps)
            .Where(step => step.Kind == StepKind.Append)
            .Select(step => $"\"{step.Argument}\"")
            .Append("\"never\"")
            .ToList();
        switch (draw(5))
        {
            case 0 when items.Count > 0:
                items.RemoveAt(draw(items.Count));
                break;
            case 1 when items.Count > 1:
                items.Reverse(draw(items.Count - 1), 2);
                break;
            case 2 when items.Count > 0:
                items.Add(items[draw(items.Count)]);
                break;
            case 3:
                items.Insert(draw(items.Count + 1), all[draw(all.Count)]);
                break;
            default:
                items.Add(all[draw(all.Count)]);
                break;
        }

        return items.Count == 0 ? null : $"[{string.Join(',', items)}]";
    }
}
