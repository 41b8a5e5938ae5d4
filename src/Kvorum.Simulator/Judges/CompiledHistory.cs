namespace Kvorum.Simulator;

/// <summary>A step with numbers for key, values and items.</summary>
internal readonly record struct CompiledStep(
    StepKind Kind, int Key, int Argument, bool IsSeen, int SeenValue, long SeenRevision, long SeenLength);

/// <summary>A history with numbers in the place of texts, for judges that replay it on a model.</summary>
internal sealed class CompiledHistory
{
    private readonly Dictionary<string, int> _keys = new(StringComparer.Ordinal);
    private readonly List<string> _keyTexts = [];
    private readonly CompiledStep[] _steps;
    private readonly int[] _firstStep;

    public CompiledHistory(IReadOnlyList<Operation> operations)
    {
        Operations = operations;
        var count = 0;
        foreach (var operation in operations)
        {
            count += operation.Steps.Count;
        }

        _steps = new CompiledStep[count];
        _firstStep = new int[operations.Count + 1];
        var at = 0;
        for (var i = 0; i < operations.Count; i++)
        {
            foreach (var step in operations[i].Steps)
            {
                _steps[at++] = Compile(step);
            }

            _firstStep[i + 1] = at;
        }
    }

    public IReadOnlyList<Operation> Operations { get; }

    public ValueTable Values { get; } = new();

    public int KeyCount => _keyTexts.Count;

    public string KeyText(int key) => _keyTexts[key];

    /// <summary>The steps of the operation at <paramref name="place"/> of the list.</summary>
    public ReadOnlySpan<CompiledStep> Steps(int place) =>
        _steps.AsSpan(_firstStep[place], _firstStep[place + 1] - _firstStep[place]);

    private CompiledStep Compile(Step step)
    {
        if (!_keys.TryGetValue(step.Key, out var key))
        {
            key = _keyTexts.Count;
            _keys.Add(step.Key, key);
            _keyTexts.Add(step.Key);
        }

        var argument = step.Kind switch
        {
            StepKind.Append => Values.Item(step.Argument ?? ""),
            StepKind.Write => Values.OfText(step.Argument ?? ""),
            _ => Values.OfText(step.Argument),
        };
        return step.Seen is { } seen
            ? new CompiledStep(
                step.Kind, key, argument, true, Values.OfText(seen.Value), seen.ModRevision, seen.Length)
            : new CompiledStep(step.Kind, key, argument, false, 0, 0, 0);
    }
}
