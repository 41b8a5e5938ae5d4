namespace Kvorum.Kv;

/// <summary>
/// Ends a lease and deletes its keys, all at one revision, in the order of keys (etcd v3 API, LeaseRevokeRequest);
/// uses no revision when it has none. <see cref="CommandResult.Count"/> is how many keys were deleted.
/// </summary>
public sealed record LeaseRevoke(long Id) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.LeaseRevoke;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8;

    internal override void WriteBody(ref ByteWriter output) => output.I64(Id);

    internal static LeaseRevoke Read(ref ByteReader input) => new(input.I64());

    internal override CommandResult Apply(KvTransaction kv) => kv.FindLease(Id) is { } lease
        ? new CommandResult(CommandStatus.Ok, Count: kv.End(lease), Revision: kv.Revision)
        : new CommandResult(CommandStatus.LeaseNotFound, kv.Revision);
}
