namespace Kvorum.Kv;

/// <summary>Forgets versions superseded at or before a revision (etcd v3 API, CompactionRequest).</summary>
/// <remarks>
/// The compacted revision itself stays readable, and all that happened at it can still be told, a delete too. Uses no
/// revision.
/// </remarks>
public sealed record Compact(long Revision) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.Compact;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8;

    internal override void WriteBody(ref ByteWriter output) => output.I64(Revision);

    internal static Compact Read(ref ByteReader input) => new(input.I64());

    internal override CommandResult Apply(KvTransaction kv)
    {
        if (Revision <= kv.CompactedRevision)
        {
            return new CommandResult(CommandStatus.Compacted, kv.Revision);
        }

        if (Revision > kv.Revision)
        {
            return new CommandResult(CommandStatus.FutureRevision, kv.Revision);
        }

        kv.Compact(Revision);
        return new CommandResult(CommandStatus.Ok, kv.Revision);
    }
}
