namespace Kvorum.Kv;

/// <summary>
/// One execution of a transaction. First, on the state before it, every compare is decided and every operation that
/// will run is checked; then they run, and nothing can fail any more. So the engine needs no way back.
/// </summary>
/// <remarks>
/// The check may look at the old state because of the rule against duplicate keys (<see cref="TxnKeys"/>): what an
/// append finds cannot have been written earlier in the same transaction.
/// </remarks>
internal sealed class TxnRun(KvTransaction kv) : IDisposable
{
    /// <summary>Which branch each transaction takes, in the order in which they are reached.</summary>
    private readonly List<bool> _path = [];

    private int _pathPosition;

    /// <summary>For reads at an old revision: the state before this transaction.</summary>
    private IEngineView? _history;

    public CommandStatus Prepare(Txn txn)
    {
        var holds = true;
        foreach (var compare in txn.Compares)
        {
            holds = holds && compare.Holds(kv);
        }

        _path.Add(holds);
        foreach (var operation in holds ? txn.Then : txn.Else)
        {
            var status = Prepare(operation);
            if (status != CommandStatus.Ok)
            {
                return status;
            }
        }

        return CommandStatus.Ok;
    }

    public CommandResult Execute(Txn txn)
    {
        var holds = _path[_pathPosition++];
        var branch = holds ? txn.Then : txn.Else;
        var results = new object[branch.Count];
#if MUTANTS
        if (KvMutants.NonDeterministicApply && branch.All(static operation => operation.Txn is null))
        {
            foreach (var place in kv.InTableOrder(branch))
            {
                results[place] = Execute(branch[place]);
            }

            return new CommandResult(CommandStatus.Ok, kv.Revision, 0, new TxnResult(holds, results));
        }

#endif
        for (var i = 0; i < results.Length; i++)
        {
            results[i] = Execute(branch[i]);
        }

        return new CommandResult(CommandStatus.Ok, kv.Revision, 0, new TxnResult(holds, results));
    }

    public void Dispose() => _history?.Dispose();

    private CommandStatus Prepare(TxnOperation operation)
    {
        if (operation.Txn is { } nested)
        {
            return Prepare(nested);
        }

        if (operation.Put is { } put)
        {
            return put.Check(kv);
        }

        if (operation.Append is { } append)
        {
            return append.Check(kv);
        }

        if (operation.Range is { AtRevision: > 0 } range)
        {
            if (range.AtRevision > kv.Revision)
            {
                return CommandStatus.FutureRevision;
            }

            if (range.AtRevision < kv.CompactedRevision)
            {
                return CommandStatus.Compacted;
            }

            _history ??= kv.OpenHistory();
        }

        return CommandStatus.Ok;
    }

    private object Execute(TxnOperation operation)
    {
        if (operation.Txn is { } nested)
        {
            return Execute(nested);
        }

        if (operation.Range is { } range)
        {
            var result = range.AtRevision > 0 && _history is not null
                ? range.Execute(_history, ref kv.AnswerBytesLeft) with { Revision = kv.Revision }
                : range.Execute(kv);
            return result;
        }

        return operation.Command!.Apply(kv); // An operation has exactly one part: the decoder makes no other.
    }
}
