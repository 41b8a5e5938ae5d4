using System.Text;
using Kvorum.Kv;

namespace Kvorum.Simulator;

/// <summary>Planned operations as commands and queries of the node, and answers as observations.</summary>
internal static class ClientCommands
{
    /// <summary>A plain read of one key needs no log entry; everything else does.</summary>
    public static bool IsQuery(PlannedOperation operation) =>
        operation.Steps is [{ Kind: StepKind.Read }];

    public static bool IsWrite(PlannedOperation operation)
    {
        foreach (var step in operation.Steps)
        {
            if (step.Kind is StepKind.Write or StepKind.Delete or StepKind.Append)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A read of one key, every second one as the range up to the key with the next last letter.</summary>
    public static RangeQuery QueryOf(PlannedOperation operation)
    {
        var key = Bytes(operation.Steps[0].Key);
        return new RangeQuery(key, operation.Number % 2 == 0 ? EndOf(key) : default);
    }

    /// <summary>What a range answered that does not lie in it; null when all is well.</summary>
    public static string? Outside(PlannedOperation operation, RangeResult result)
    {
        var start = Bytes(operation.Steps[0].Key);
        var end = EndOf(start);
        foreach (var row in result.Rows)
        {
            var key = row.Key.AsSpan();
            if (key.SequenceCompareTo(start.Span) < 0 || key.SequenceCompareTo(end.Span) >= 0)
            {
                return $"Operation {operation.Number} read from {operation.Steps[0].Key} up to "
                    + $"{Encoding.UTF8.GetString(end.Span)} and was answered with {Encoding.UTF8.GetString(key)}.";
            }
        }

        return null;
    }

    public static Command CommandOf(PlannedOperation operation, SessionStamp? session)
    {
        var steps = operation.Steps;
        if (steps.Count > 1)
        {
            return TxnOf(steps) with { Session = session };
        }

        var key = Bytes(steps[0].Key);
        return steps[0].Kind switch
        {
            StepKind.Write => new Put(key, Bytes(steps[0].Argument)) { Session = session },
            StepKind.Append => new Append(key, Bytes(steps[0].Argument)) { Session = session },
            StepKind.Delete => new DeleteRange(key, default) { Session = session },
            _ => TxnOf(steps) with { Session = session },
        };
    }

    /// <summary>What a query's answer shows.</summary>
    public static IReadOnlyList<Step> Seen(IReadOnlyList<Step> steps, RangeResult result) =>
        [steps[0] with { Seen = Observed(result, steps[0].Key) }];

    /// <summary>What a command's answer shows; nothing after a compare that failed.</summary>
    public static IReadOnlyList<Step> Seen(IReadOnlyList<Step> steps, in CommandResult result, out bool hasSucceeded)
    {
        hasSucceeded = true;
        if (result.Detail is not TxnResult txn)
        {
            return [Seen(steps[0], result)];
        }

        hasSucceeded = txn.Succeeded;
        if (!hasSucceeded)
        {
            return steps;
        }

        var seen = new Step[steps.Count];
        var next = 0;
        for (var i = 0; i < seen.Length; i++)
        {
            // A transaction that was torn apart answers for fewer steps: what was not answered was not seen.
            seen[i] = steps[i].Kind is StepKind.CompareValue || next == txn.Results.Count
                ? steps[i]
                : txn.Results[next++] switch
                {
                    RangeResult range => steps[i] with { Seen = Observed(range, steps[i].Key) },
                    CommandResult command => Seen(steps[i], command),
                    _ => steps[i],
                };
        }

        return seen;
    }

    private static Step Seen(Step step, in CommandResult result) => step.Kind switch
    {
        StepKind.Write => step with { Seen = new Observation(step.Argument, result.Revision, 0) },
        StepKind.Append => step with { Seen = new Observation(null, result.Revision, result.Count) },
        _ => step with { Seen = new Observation(null, 0, result.Count) },
    };

    private static Observation Observed(RangeResult result, string key)
    {
        foreach (var row in result.Rows)
        {
            if (Encoding.UTF8.GetString(row.Key) == key)
            {
                return new Observation(Encoding.UTF8.GetString(row.Value), row.ModRevision, 0);
            }
        }

        return new Observation(null, 0, 0);
    }

    private static ReadOnlyMemory<byte> EndOf(ReadOnlyMemory<byte> key)
    {
        var end = key.ToArray();
        end[^1]++;
        return end;
    }

    private static Txn TxnOf(IReadOnlyList<Step> steps)
    {
        var compares = new List<Compare>();
        var operations = new List<TxnOperation>();
        foreach (var step in steps)
        {
            var key = Bytes(step.Key);
            switch (step.Kind)
            {
                case StepKind.Read:
                    operations.Add(new TxnOperation { Range = new RangeQuery(key, default) });
                    break;
                case StepKind.Write:
                    operations.Add(new TxnOperation { Put = new Put(key, Bytes(step.Argument)) });
                    break;
                case StepKind.Delete:
                    operations.Add(new TxnOperation { DeleteRange = new DeleteRange(key, default) });
                    break;
                case StepKind.Append:
                    operations.Add(new TxnOperation { Append = new Append(key, Bytes(step.Argument)) });
                    break;
                default:
                    compares.Add(CompareOf(key, step.Argument));
                    break;
            }
        }

        return new Txn(compares, operations, []);
    }

    /// <summary>A key that is absent has version 0.</summary>
    private static Compare CompareOf(ReadOnlyMemory<byte> key, string? value) => value is null
        ? new Compare(key, CompareTarget.Version, CompareOperator.Equal) { Number = 0 }
        : new Compare(key, CompareTarget.Value, CompareOperator.Equal) { Value = Bytes(value) };

    private static ReadOnlyMemory<byte> Bytes(string? text) => Encoding.UTF8.GetBytes(text ?? "");
}
