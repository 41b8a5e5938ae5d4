using System.Globalization;
using System.Text;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// What the log says became of each operation: found by its session stamp, or by the value it alone writes. Settles in
/// the end what clients could not know, and finds answers that the log denies (R10).
/// </summary>
internal sealed class EffectLedger : WorldObserver
{
    private readonly Dictionary<SessionStamp, int> _byStamp = [];
    private readonly Dictionary<string, int> _byValue = [];
    private readonly List<CommandResult?> _effects = [];
    private LogIndex _highest;

    /// <summary>The operation at this place of the history goes out under this stamp, or without one.</summary>
    public void Sent(int place, IReadOnlyList<Step> steps, SessionStamp? stamp)
    {
        if (stamp is { } known)
        {
            _byStamp[known] = place;
            return;
        }

        foreach (var step in steps)
        {
            if (step is { Kind: StepKind.Write or StepKind.Append, Argument: { } value })
            {
                _byValue[value] = place;
            }
        }
    }

    public override void Applied(
        int node, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
        for (var i = 0; i < entries.Length; i++)
        {
            if (entries[i].Index > _highest)
            {
                _highest = entries[i].Index;
                if (entries[i].Kind is EntryKind.Command && results[i].Status is CommandStatus.Ok)
                {
                    Note(entries[i], results[i]);
                }
            }
        }
    }

    /// <summary>The history with nothing unknown in it: the run is over, nothing can take effect any more.</summary>
    public IReadOnlyList<Operation> Settle(IReadOnlyList<Operation> history)
    {
        var settled = new Operation[history.Count];
        for (var i = 0; i < settled.Length; i++)
        {
            settled[i] = Settle(history[i]);
        }

        return settled;
    }

    private Operation Settle(Operation operation)
    {
        var effect = operation.Number < _effects.Count ? _effects[operation.Number] : null;
        if (operation.Outcome is OperationOutcome.Unknown)
        {
            if (effect is not { } found)
            {
                return operation with { Outcome = OperationOutcome.NoEffect, Returned = Now };
            }

            var steps = ClientCommands.Seen(operation.Steps, found, out var hasSucceeded);
            return operation with
            {
                Outcome = OperationOutcome.Done,
                Returned = Now,
                Revision = found.Revision,
                Succeeded = hasSucceeded,
                Steps = steps,
            };
        }

        if (operation.Outcome is OperationOutcome.NoEffect && operation.IsWrite && effect is not null)
        {
            Report("R10", $"Operation {operation.Number} was told to have no effect, but it is in the log.");
        }
        else if (operation.Outcome is OperationOutcome.Done && operation.IsWrite
            && effect?.Revision != operation.Revision)
        {
            Report(
                "R10",
                $"Operation {operation.Number} was acknowledged with revision {operation.Revision}, but the log says "
                + $"{effect?.Revision.ToString(CultureInfo.InvariantCulture) ?? "nothing"}.");
        }

        return operation;
    }

    private void Note(in LogEntry entry, in CommandResult result)
    {
        if (!CommandCodec.TryDecode(entry.Payload, out var command) || command is null)
        {
            return;
        }

        int place;
        if (command.Session is { } stamp)
        {
            if (!_byStamp.TryGetValue(stamp, out place))
            {
                return;
            }
        }
        else if (ValueOf(command) is not { } value || !_byValue.TryGetValue(value, out place))
        {
            return;
        }

        while (_effects.Count <= place)
        {
            _effects.Add(null);
        }

        if (_effects[place] is null)
        {
            _effects[place] = result;
        }
        else if (command.Session is null)
        {
            Report("R10", $"Operation {place} without a session took effect twice, the second time at {entry.Id}.");
        }
    }

    /// <summary>The first value that the command writes; no other operation of the plan writes it.</summary>
    private static string? ValueOf(Command command) => command switch
    {
        Put put => Text(put.Value),
        Append append => Text(append.Item),
        Txn txn => txn.Then
            .Select(step => step.Put is { } put ? Text(put.Value)
                : step.Append is { } append ? Text(append.Item) : null)
            .FirstOrDefault(value => value is not null),
        _ => null,
    };

    private static string Text(ReadOnlyMemory<byte> value) => Encoding.UTF8.GetString(value.Span);
}
