using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>
/// Believes nothing but times and values: for each key it searches an order of the operations that respects real time
/// and in which a register or list gives every answer (Wing and Gong 1993, with Lowe's memo, 2017).
/// </summary>
/// <remarks>
/// Linearizability is local, so single-key operations are judged completely. Of an operation on several keys each key
/// sees its own part, which may miss a violation but never invents one. Revisions and local reads are left out. An
/// operation with unknown outcome may take effect at any time after its invocation, or never.
/// </remarks>
/// <param name="stepsMax">
/// Operations tried per key before the judge gives up: a count, so it is the same everywhere.
/// </param>
public sealed class LinearizabilityJudge(int stepsMax = 5_000_000) : IJudge
{
    internal const string Name = "linearizability";

    public Verdict Judge(IReadOnlyList<Operation> history)
    {
        var compiled = new CompiledHistory(history);
        var keys = KeyHistory.Split(compiled);
        Verdict? undecided = null;
        for (var key = 0; key < keys.Length; key++)
        {
            var search = new LinearizabilitySearch(compiled.Values, keys[key], stepsMax);
            switch (search.Run())
            {
                case VerdictKind.Violation:
                    return Explain(compiled, keys[key], key, search);
                case VerdictKind.Undecided:
                    undecided ??= new Verdict(Name, VerdictKind.Undecided, "undecided", string.Create(
                        CultureInfo.InvariantCulture,
                        $"Key {compiled.KeyText(key)}: no order of {keys[key].Count} operations was found or excluded "
                        + $"in {stepsMax} steps."), []);
                    break;
            }
        }

        return undecided ?? Verdict.Valid(Name);
    }

    private static Verdict Explain(
        CompiledHistory compiled, List<KeyOperation> operations, int key, LinearizabilitySearch search)
    {
        var blocked = operations[search.Blocked];
        var (anomaly, reason) = Classify(compiled, operations, blocked);
        return new Verdict(Name, VerdictKind.Violation, anomaly, string.Create(
            CultureInfo.InvariantCulture,
            $"Key {compiled.KeyText(key)}: the longest order that explains the answers has {search.LongestPrefix} of "
            + $"{operations.Count} operations and leaves {compiled.Values.Show(search.LongestState)}; then "
            + $"{OperationText.Show(blocked.Operation)} cannot take effect before it returned{reason}."),
            [blocked.Operation.Number]);
    }

    private static (string Anomaly, string Reason) Classify(
        CompiledHistory compiled, List<KeyOperation> operations, KeyOperation blocked)
    {
        foreach (var step in blocked.Steps)
        {
            switch (step.Kind)
            {
                case StepKind.Append when step.IsSeen:
                    return ("wrong length", "");
                case StepKind.CompareValue:
                    return ("wrong compare outcome", "");
                case StepKind.Read when step.IsSeen:
                    return ClassifyRead(compiled, operations, blocked, step);
            }
        }

        return ("not linearizable", "");
    }

    private static (string Anomaly, string Reason) ClassifyRead(
        CompiledHistory compiled, List<KeyOperation> operations, KeyOperation blocked, CompiledStep step)
    {
        if (step.SeenValue == ValueTable.Absent)
        {
            return ("stale read", "");
        }

        var writer = operations.Find(operation => operation.Makes(compiled.Values, step));
        if (writer is not null)
        {
            return writer.Operation.Invoked > blocked.Operation.Returned
                ? ("read from the future", $": {OperationText.Show(writer.Operation)} had not been invoked yet")
                : ("stale read", "");
        }

        for (var place = 0; place < compiled.Operations.Count; place++)
        {
            var refused = new KeyOperation(compiled.Operations[place], compiled.Steps(place).ToArray(), 0, false);
            if (refused.Makes(compiled.Values, step))
            {
                return ("effect of a refused write", $": {OperationText.Show(refused.Operation)} had no effect");
            }
        }

        return ("invented value", ": nobody ever wrote that");
    }
}
