namespace Kvorum.Kv;

/// <summary>
/// Lets a lease live its whole time again from now on (etcd v3 API, LeaseKeepAliveRequest). Uses no revision.
/// <see cref="CommandResult.Count"/> is its time to live in seconds.
/// </summary>
/// <remarks>
/// An entry of the log, unlike etcd's: so every node knows how long a lease has to live, a new leader too, and the
/// end of a lease can be refused that was decided before the renewal.
/// </remarks>
public sealed record LeaseRenew(long Id) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.LeaseRenew;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8;

    internal override void WriteBody(ref ByteWriter output) => output.I64(Id);

    internal static LeaseRenew Read(ref ByteReader input) => new(input.I64());

    internal override CommandResult Apply(KvTransaction kv)
    {
        if (kv.FindLease(Id) is not { } lease)
        {
            return new CommandResult(CommandStatus.LeaseNotFound, kv.Revision);
        }

        kv.Renew(lease);
        return new CommandResult(CommandStatus.Ok, kv.Revision, lease.TtlSeconds);
    }
}
