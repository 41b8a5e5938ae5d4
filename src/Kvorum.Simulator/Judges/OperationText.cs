using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>Operations as a few words, for explanations and pages.</summary>
internal static class OperationText
{
    public static string Show(Operation operation) => string.Create(
        CultureInfo.InvariantCulture,
        $"operation {operation.Number} (client {operation.Client}: {ShowSteps(operation)})");

    public static string ShowSteps(Operation operation)
    {
        var steps = string.Join("; ", operation.Steps.Select(ShowStep));
        return operation.IsLocal ? $"local {steps}" : steps;
    }

    private static string ShowStep(Step step) => step.Kind switch
    {
        StepKind.Read when step.Seen is { } seen => $"read {step.Key} = {ShowValue(seen.Value)}",
        StepKind.Read => $"read {step.Key}",
        StepKind.Write => $"write {step.Key} := {ShowValue(step.Argument)}",
        StepKind.Delete => $"delete {step.Key}",
        StepKind.Append when step.Seen is { } seen => string.Create(
            CultureInfo.InvariantCulture, $"append {step.Key} += {ShowValue(step.Argument)}, length {seen.Length}"),
        StepKind.Append => $"append {step.Key} += {ShowValue(step.Argument)}",
        _ => $"if {step.Key} = {ShowValue(step.Argument)}",
    };

    private static string ShowValue(string? value) => value is null ? "nothing" : ValueTable.Cut(value);
}
