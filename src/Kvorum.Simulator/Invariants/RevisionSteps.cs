using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// K2: each command that changes something makes the next revision, every other leaves it. Revisions are never reused.
/// </summary>
internal sealed class RevisionSteps
{
    /// <summary>etcd's counting: an empty store is at revision 1.</summary>
    public long Newest { get; private set; } = 1;

    /// <param name="isRepeated">An answer given before, with its revision of then.</param>
    public string? Applied(LogIndex index, Command command, in CommandResult result, bool isRepeated)
    {
        if (isRepeated)
        {
            return null;
        }

        var expected = Newest + (HasWritten(command, result) ? 1 : 0);
        Newest = expected;
        return result.Revision == expected
            ? null
            : $"{command.Kind} at index {index} ({result.Status}) is at revision {result.Revision}; it must be "
                + $"{expected}.";
    }

    private static bool HasWritten(Command command, in CommandResult result)
    {
        if (result.Status is not CommandStatus.Ok)
        {
            return false;
        }

        return command switch
        {
            Put or Append => true,
            DeleteRange => result.Count > 0,
            Txn txn => result.Detail is TxnResult detail && HasWritten(txn, detail),
            _ => false,
        };
    }

    private static bool HasWritten(Txn txn, TxnResult detail)
    {
        var branch = detail.Succeeded ? txn.Then : txn.Else;
        for (var i = 0; i < branch.Count; i++)
        {
            if (branch[i].Command is { } command && detail.Results[i] is CommandResult result
                && HasWritten(command, result))
            {
                return true;
            }
        }

        return false;
    }
}
