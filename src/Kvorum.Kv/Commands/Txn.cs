namespace Kvorum.Kv;

/// <summary>
/// If all compares hold, run <paramref name="Then"/>, else <paramref name="Else"/>; one revision for all (etcd v3 API,
/// TxnRequest).
/// </summary>
/// <remarks>
/// As in etcd all compares, those of nested transactions too, look at the state before the transaction; reads look at
/// the state the operations before them left. A part that fails makes the whole transaction change nothing.
/// </remarks>
public sealed record Txn(
    IReadOnlyList<Compare> Compares, IReadOnlyList<TxnOperation> Then, IReadOnlyList<TxnOperation> Else) : Command
{
    /// <summary>The most operations per branch and the most compares; nested ones count too.</summary>
    /// <remarks>
    /// As in etcd a nested transaction may have this number less what each transaction around it has.
    /// </remarks>
    public const int OperationsMax = 128;

    /// <summary>The most operations and compares over all levels.</summary>
    /// <remarks>Not etcd's: without it nesting multiplies, up to what fits into one command.</remarks>
    public const int OperationsTotalMax = 4_096;

    /// <summary>The most levels of transactions, the outer one included.</summary>
    public const int DepthMax = 16;

    /// <summary>
    /// Sizes stop growing here, so that the sum for a transaction that is far too large does not overflow.
    /// </summary>
    private const int SizeCeiling = 1 << 29;

    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.Txn;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize
    {
        get
        {
            var size = 3 * 2;
            foreach (var compare in Compares)
            {
                size = Math.Min(SizeCeiling, size + compare.EncodedBytes);
            }

            return Math.Min(SizeCeiling, size + BranchSize(Then) + BranchSize(Else));
        }
    }

    internal override void WriteBody(ref ByteWriter output)
    {
        output.U16(Compares.Count);
        foreach (var compare in Compares)
        {
            compare.Write(ref output);
        }

        WriteBranch(Then, ref output);
        WriteBranch(Else, ref output);
    }

    /// <param name="depth">The level of this transaction: 1 for the outer one.</param>
    internal static Txn? Read(ref ByteReader input, int depth)
    {
        if (depth > DepthMax)
        {
            input.Fail();
            return null;
        }

        var compares = new Compare[input.Count(OperationsMax, Compare.EncodedBytesMin)];
        for (var i = 0; i < compares.Length; i++)
        {
            compares[i] = Compare.Read(ref input);
        }

        var then = ReadBranch(ref input, depth);
        var @else = ReadBranch(ref input, depth);
        return new Txn(compares, then, @else);
    }

    internal override CommandResult Apply(KvTransaction kv)
    {
        if (TxnKeys.HasDuplicate(this))
        {
            return new CommandResult(CommandStatus.DuplicateKey, kv.Revision);
        }

        using var run = new TxnRun(kv);
        var status = run.Prepare(this);
        return status == CommandStatus.Ok ? run.Execute(this) : new CommandResult(status, kv.Revision);
    }

    private static int BranchSize(IReadOnlyList<TxnOperation> branch)
    {
        var size = 0;
        foreach (var operation in branch)
        {
            size = Math.Min(SizeCeiling, size + operation.EncodedBytes);
        }

        return size;
    }

    private static void WriteBranch(IReadOnlyList<TxnOperation> branch, ref ByteWriter output)
    {
        output.U16(branch.Count);
        foreach (var operation in branch)
        {
            operation.Write(ref output);
        }
    }

    private static TxnOperation[] ReadBranch(ref ByteReader input, int depth)
    {
        var branch = new TxnOperation[input.Count(OperationsMax, TxnOperation.EncodedBytesMin)];
        for (var i = 0; i < branch.Length; i++)
        {
            if (TxnOperation.Read(ref input, depth) is not { } operation)
            {
                input.Fail();
                return [];
            }

            branch[i] = operation;
        }

        return branch;
    }
}
