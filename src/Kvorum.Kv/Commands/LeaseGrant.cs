namespace Kvorum.Kv;

/// <summary>
/// Makes a lease; keys put with its id end with it (etcd v3 API, LeaseGrantRequest). Uses no revision.
/// <see cref="CommandResult.Count"/> is the time to live granted.
/// </summary>
/// <param name="Id">Chosen by who proposes it; never 0.</param>
/// <param name="TtlSeconds">1 to <see cref="TtlSecondsMax"/>.</param>
public sealed record LeaseGrant(long Id, long TtlSeconds) : Command
{
    /// <summary>The longest time to live, in seconds (etcd: MaxLeaseTTL).</summary>
    public const long TtlSecondsMax = 9_000_000_000;

    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.LeaseGrant;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8 + 8;

    internal override void WriteBody(ref ByteWriter output)
    {
        output.I64(Id);
        output.I64(TtlSeconds);
    }

    internal static LeaseGrant Read(ref ByteReader input) => new(input.I64(), input.I64());

    internal override CommandResult Apply(KvTransaction kv)
    {
        if (kv.FindLease(Id) is not null)
        {
            return new CommandResult(CommandStatus.LeaseExists, kv.Revision);
        }

        return kv.Grant(Id, TtlSeconds)
            ? new CommandResult(CommandStatus.Ok, kv.Revision, TtlSeconds)
            : new CommandResult(CommandStatus.TooManyLeases, kv.Revision);
    }
}
