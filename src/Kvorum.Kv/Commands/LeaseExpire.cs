namespace Kvorum.Kv;

/// <summary>
/// Ends a lease whose time is over by the clock of the leader that proposes it. It comes to nothing when the lease was
/// renewed since, or when another leader's log carries it: that one has a clock of its own (etcd #15247).
/// </summary>
/// <param name="RenewedAt">The renewal it goes by: index of the log entry.</param>
/// <param name="Term">The term in which it was proposed.</param>
public sealed record LeaseExpire(long Id, ulong RenewedAt, ulong Term) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.LeaseExpire;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8 + 8 + 8;

    internal override void WriteBody(ref ByteWriter output)
    {
        output.I64(Id);
        output.U64(RenewedAt);
        output.U64(Term);
    }

    internal static LeaseExpire Read(ref ByteReader input) => new(input.I64(), input.U64(), input.U64());

    internal override CommandResult Apply(KvTransaction kv)
    {
        if (kv.FindLease(Id) is not { } lease || lease.RenewedAt != RenewedAt || kv.Term != Term)
        {
            return new CommandResult(CommandStatus.LeaseNotFound, kv.Revision);
        }

        return new CommandResult(CommandStatus.Ok, Count: kv.End(lease), Revision: kv.Revision);
    }
}
