namespace Kvorum.Kv;

/// <summary>Commands to bytes and back; the layout is in docs/formats.md.</summary>
public static class CommandCodec
{
    internal const byte Version = 1;

    private const int EnvelopeBytes = 3;
    private const int StampBytes = 24;

    /// <summary>Exact encoded size in bytes.</summary>
    public static int Size(Command command) =>
        EnvelopeBytes + (command.Session is null ? 0 : StampBytes) + command.BodySize;

    /// <summary>Writes exactly <see cref="Size"/> bytes.</summary>
    /// <exception cref="ArgumentException">
    /// <paramref name="output"/> is too short, or the command breaks a rule of <see cref="CommandValidation"/>.
    /// </exception>
    public static void Encode(Command command, Span<byte> output)
    {
        var writer = new ByteWriter(output);
        writer.U8(Version);
        writer.U8((byte)command.Kind);
        writer.U8((byte)(command.BodyFlags | (command.Session is null ? 0 : CommandFlags.Session)));
        if (command.Session is { } stamp)
        {
            writer.U64((ulong)stamp.Client);
            writer.U64((ulong)(stamp.Client >> 64));
            writer.U64(stamp.Sequence);
        }

        command.WriteBody(ref writer);
    }

    /// <summary>
    /// Reads a command; byte fields are slices of <paramref name="input"/>. False on malformed bytes.
    /// </summary>
    public static bool TryDecode(ReadOnlyMemory<byte> input, out Command? command)
    {
        var reader = new ByteReader(input);
        var envelope = ReadEnvelope(ref reader);
        command = ReadBody(envelope.Kind, envelope.BodyFlags, ref reader, depth: 0);
        if (command is null || !reader.IsComplete)
        {
            command = null;
            return false;
        }

        if (envelope.Session is not null)
        {
            command = command with { Session = envelope.Session };
        }

        return true;
    }

    internal static CommandEnvelope ReadEnvelope(ref ByteReader input)
    {
        var version = input.U8();
        if (version != Version)
        {
            input.Fail();
        }

        var kind = (CommandKind)input.U8();
        var flags = (CommandFlags)input.U8();
        SessionStamp? session = null;
        if ((flags & CommandFlags.Session) != 0)
        {
            var low = input.U64();
            var high = input.U64();
            session = new SessionStamp(new UInt128(high, low), input.U64());
            if (session.Value.Sequence == 0)
            {
                input.Fail();
            }
        }

        return new CommandEnvelope(kind, flags & ~CommandFlags.Session, session);
    }

    /// <summary>One line per command; null for a kind or a flag that is not known.</summary>
    internal static Command? ReadBody(CommandKind kind, CommandFlags flags, ref ByteReader input, int depth) =>
        kind switch
        {
            CommandKind.Put when Allows(Put.FlagsAllowed, flags) => Put.Read(ref input, flags),
            CommandKind.Append when Allows(Append.FlagsAllowed, flags) => Append.Read(ref input),
            CommandKind.DeleteRange when Allows(DeleteRange.FlagsAllowed, flags) => DeleteRange.Read(ref input, flags),
            CommandKind.Txn when Allows(Txn.FlagsAllowed, flags) => Txn.Read(ref input, depth + 1),
            CommandKind.Compact when Allows(Compact.FlagsAllowed, flags) => Compact.Read(ref input),
            CommandKind.LeaseGrant when Allows(LeaseGrant.FlagsAllowed, flags) => LeaseGrant.Read(ref input),
            CommandKind.LeaseRenew when Allows(LeaseRenew.FlagsAllowed, flags) => LeaseRenew.Read(ref input),
            CommandKind.LeaseRevoke when Allows(LeaseRevoke.FlagsAllowed, flags) => LeaseRevoke.Read(ref input),
            CommandKind.LeaseExpire when Allows(LeaseExpire.FlagsAllowed, flags) => LeaseExpire.Read(ref input),
            CommandKind.ExpireSessions when Allows(ExpireSessions.FlagsAllowed, flags) =>
                ExpireSessions.Read(ref input),
            _ => null,
        };

    private static bool Allows(CommandFlags allowed, CommandFlags flags) => (flags & ~allowed) == 0;
}

/// <summary>What stands before a command's body.</summary>
internal readonly record struct CommandEnvelope(CommandKind Kind, CommandFlags BodyFlags, SessionStamp? Session);
