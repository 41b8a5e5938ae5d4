namespace Kvorum.Kv;

/// <summary>Forgets sessions last used before a log index; proposed by the leader by its own clock.</summary>
public sealed record ExpireSessions(ulong LastUsedBefore) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.ExpireSessions;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 8;

    internal override void WriteBody(ref ByteWriter output) => output.U64(LastUsedBefore);

    internal static ExpireSessions Read(ref ByteReader input) => new(input.U64());

    internal override CommandResult Apply(KvTransaction kv) =>
        new(CommandStatus.Ok, kv.Revision, kv.ExpireSessions(LastUsedBefore));
}
