using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>A caller that waits for its command: the task it awaits and when it gives up.</summary>
/// <remarks>
/// Completed only through <see cref="Completions"/>, which runs continuations off the replica's threads, many per work
/// item.
/// </remarks>
internal sealed class PendingProposal(long deadlineTick) : TaskCompletionSource<CommandResult>
{
    /// <summary>The tick after which the caller is told that time is up.</summary>
    public long DeadlineTick { get; } = deadlineTick;

    public bool IsDone => Task.IsCompleted;

#if MUTANTS
    /// <summary>Mutant 57: who waits for the first part of this caller's transaction.</summary>
    public PendingProposal? FirstPart { get; set; }

    /// <summary>Mutant 57: the results of both parts, as if they were of one transaction.</summary>
    public CommandResult Joined(in CommandResult result)
    {
        if (FirstPart?.Task is not { IsCompletedSuccessfully: true } first
            || first.Result.Detail is not TxnResult head || result.Detail is not TxnResult tail)
        {
            return result;
        }

        return result with { Detail = new TxnResult(true, [.. head.Results, .. tail.Results]) };
    }
#endif
}

/// <summary>A caller that waits for a linearizable read.</summary>
internal sealed class PendingRead(RangeQuery query, long deadlineTick) : TaskCompletionSource<RangeResult>
{
    public RangeQuery Query { get; } = query;

    public long DeadlineTick { get; } = deadlineTick;
}

/// <summary>A caller that waits for a change of the members or of the leader.</summary>
/// <param name="change">Null: leadership is to be handed over.</param>
/// <param name="to">To whom; null for the most advanced voter.</param>
internal sealed class PendingAdmin(MembershipChange? change, bool isDryRun, NodeId? to, long deadlineTick)
    : TaskCompletionSource<MemberChangePlan>
{
    public MembershipChange? Change { get; } = change;

    public bool IsDryRun { get; } = isDryRun;

    public NodeId? To { get; } = to;

    public long DeadlineTick { get; } = deadlineTick;

    /// <summary>The request under way; 0 before it is asked and after it was answered.</summary>
    public ulong RequestId { get; set; }

    /// <summary>The leader that was asked last.</summary>
    public NodeId? AskedOf { get; set; }

    /// <summary>The first entry of the change, once it is appended.</summary>
    public EntryId? Entry { get; set; }

    /// <summary>Handing over was accepted by this leader.</summary>
    public NodeId? HandedOverBy { get; set; }

    /// <summary>Not asked again before this tick.</summary>
    public long NotBefore { get; set; }

    /// <summary>Why it was not granted yet.</summary>
    public string? LastReason { get; set; }

    /// <summary>What the change comes to as far as this node knows.</summary>
    public MemberChangePlan? Plan { get; set; }
}

/// <summary>Commands that travel together, encoded once; slices of shared chunks.</summary>
internal sealed class ProposalBatch
{
    public ReadOnlyMemory<byte>[] Commands = new ReadOnlyMemory<byte>[16];
    public PendingProposal[] Waiters = new PendingProposal[16];
    public int Count;
    public long Bytes;

    public void Add(ReadOnlyMemory<byte> command, PendingProposal waiter)
    {
        if (Count == Commands.Length)
        {
            Array.Resize(ref Commands, Count * 2);
            Array.Resize(ref Waiters, Count * 2);
        }

        Commands[Count] = command;
        Waiters[Count] = waiter;
        Count++;
        Bytes += command.Length;
    }
}
