namespace Kvorum.Simulator;

/// <summary>
/// A key space in the plainest way there is: texts, copied on every change. Shares no code with the judges.
/// </summary>
internal sealed record SmallStore(long Revision, SortedDictionary<string, (string Value, long Revision)> Rows)
{
    public static SmallStore Empty { get; } = new(1, new(StringComparer.Ordinal));

    /// <summary>What the operation would answer here and the store it would leave.</summary>
    public (SmallStore After, Operation Answer) Run(Operation operation)
    {
        var holds = operation.Steps
            .Where(step => step.Kind == StepKind.CompareValue)
            .All(step => Get(step.Key).Value == step.Argument);
        var isRefused = operation.Steps.Any(step =>
            step.Kind == StepKind.Append && Get(step.Key).Value is { } value && !value.StartsWith('['));
        if (!holds || isRefused)
        {
            return (this, operation with { Succeeded = false, Revision = Revision, Steps = Unanswered(operation) });
        }

        var rows = new SortedDictionary<string, (string Value, long Revision)>(Rows, StringComparer.Ordinal);
        var next = this with { Rows = rows };
        var hasChanged = false;
        var steps = new List<Step>();
        foreach (var step in operation.Steps)
        {
            steps.Add(step with { Seen = next.RunStep(step, Revision + 1, ref hasChanged) });
        }

        next = next with { Revision = hasChanged ? Revision + 1 : Revision };
        return (next, operation with { Succeeded = true, Revision = next.Revision, Steps = steps });
    }

    private static List<Step> Unanswered(Operation operation) =>
        [.. operation.Steps.Select(step => step with { Seen = null })];

    private (string? Value, long Revision) Get(string key) => Rows.TryGetValue(key, out var row) ? row : (null, 0);

    private Observation? RunStep(Step step, long revision, ref bool hasChanged)
    {
        switch (step.Kind)
        {
            case StepKind.Read:
                return new Observation(Get(step.Key).Value, Get(step.Key).Revision, 0);
            case StepKind.Write:
                Rows[step.Key] = (step.Argument!, revision);
                hasChanged = true;
                return null;
            case StepKind.Delete:
                hasChanged |= Rows.Remove(step.Key);
                return null;
            case StepKind.Append:
                var list = Get(step.Key).Value ?? "[]";
                list = $"{list[..^1]}{(list.Length > 2 ? "," : "")}\"{step.Argument}\"]";
                Rows[step.Key] = (list, revision);
                hasChanged = true;
                return new Observation(null, 0, list.Count(letter => letter == '"') / 2);
            default:
                return null;
        }
    }
}
