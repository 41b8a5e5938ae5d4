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
    private readonly Dictionary<int, int> _byNumber = [];
    private readonly List<CommandResult?> _effects = [];
    private LogIndex _highest;

    /// <summary>The operation at this place of the history goes out under this stamp, or without one.</summary>
    public void Sent(int place, int number, SessionStamp? stamp)
    {
        if (stamp is { } known)
        {
            _byStamp[known] = place;
        }
        else
        {
            _byNumber[number] = place;
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
        else if (NumberOf(command) is not { } number || !_byNumber.TryGetValue(number, out place))
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

    /// <summary>The number of the planned operation in the first value that the command writes.</summary>
    private static int? NumberOf(Command command) => command switch
    {
        Put put => NumberIn(put.Value),
        Append append => NumberIn(append.Item),
        Txn txn => txn.Then
            .Select(step => step.Put is { } put ? NumberIn(put.Value)
                : step.Append is { } append ? NumberIn(append.Item) : null)
            .FirstOrDefault(number => number is not null),
        _ => null,
    };

    private static int? NumberIn(ReadOnlyMemory<byte> value)
    {
        var text = Encoding.UTF8.GetString(value.Span);
        var end = text.IndexOf('.', StringComparison.Ordinal);
        var digits = text.AsSpan(1, (end < 0 ? text.Length : end) - 1);
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
    }
}
