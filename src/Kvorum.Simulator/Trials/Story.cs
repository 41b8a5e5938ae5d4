using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>
/// Histories as short texts. "|" separates moments; within one, "&amp;" begins each of several operations that overlap,
/// and "," separates their steps. "no" is an operation without effect, "un" one without an answer.
/// </summary>
/// <remarks>
/// Steps: "w key value", "r key value/mod" ("-" for nothing, "[a,b]" for a list), "a key item length", "c key expected
/// value" (compare, then write); the last number is the operation's revision, 0 for none.
/// </remarks>
internal static class Story
{
    public static List<Operation> Tell(string text) => TellAfter([], text);

    public static List<Operation> TellAfter(IReadOnlyList<Operation> beginning, string text)
    {
        List<Operation> told = [.. beginning];
        var revisions = beginning.Select(operation => operation.Revision).Append(1).Max() - 1;
        var now = beginning.Where(operation => operation.Returned < long.MaxValue)
            .Select(operation => operation.Returned)
            .Append(0)
            .Max();
        foreach (var moment in text.Split('|', StringSplitOptions.TrimEntries))
        {
            now += 100;
            const StringSplitOptions Trimmed = StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries;
            foreach (var operation in moment.Split('&', Trimmed))
            {
                told.Add(TellOne(operation, told.Count, now, revisions));
            }
        }

        return told;
    }

    private static Operation TellOne(string text, int number, long now, long revisions)
    {
        var outcome = text.StartsWith("no ", StringComparison.Ordinal) ? OperationOutcome.NoEffect
            : text.StartsWith("un ", StringComparison.Ordinal) ? OperationOutcome.Unknown
            : OperationOutcome.Done;
        var steps = new List<Step>();
        var revision = 0L;
        foreach (var part in (outcome == OperationOutcome.Done ? text : text[3..]).Split(", "))
        {
            var words = part.Split(' ');
            revision = outcome == OperationOutcome.Done ? Number(words[^1]) : 0;
            steps.AddRange(Steps(words, outcome == OperationOutcome.Done, revisions));
        }

        return new Operation(
            number, 100 + number, now + 10, outcome == OperationOutcome.Unknown ? long.MaxValue : now + 90, outcome,
            revision == 0 ? 0 : revision + revisions, steps.Exists(step => step.Kind != StepKind.Read), false, true,
            steps);
    }

    private static IEnumerable<Step> Steps(string[] words, bool isAnswered, long revisions)
    {
        var key = $"story.{words[1]}";
        switch (words[0])
        {
            case "w":
                yield return new Step(StepKind.Write, key, words[2], null);
                break;
            case "a":
                var length = words.Length > 4 ? Number(words[3]) : 0;
                yield return new Step(
                    StepKind.Append, key, words[2], isAnswered && length > 0 ? new Observation(null, 0, length) : null);
                break;
            case "c":
                yield return new Step(StepKind.CompareValue, key, words[2], null);
                yield return new Step(StepKind.Write, key, words[3], null);
                break;
            default:
                yield return new Step(StepKind.Read, key, null, Seen(words[2].Split('/'), revisions));
                break;
        }
    }

    private static Observation Seen(string[] parts, long revisions)
    {
        var value = parts[0] switch
        {
            "-" => null,
            ['[', .. var items, ']'] => $"[\"{items.Replace(",", "\",\"", StringComparison.Ordinal)}\"]",
            var text => text,
        };
        return new Observation(value, parts.Length > 1 ? Number(parts[1]) + revisions : 0, 0);
    }

    private static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);
}
