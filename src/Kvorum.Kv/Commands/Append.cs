namespace Kvorum.Kv;

/// <summary>
/// Appends one item to a list of strings (a JSON array as UTF-8); a missing key becomes a list of one. A value that is
/// not a list of strings is left alone and answered with <see cref="CommandStatus.NotAList"/>.
/// </summary>
/// <param name="Item">
/// The item as UTF-8 text, not JSON-quoted. Bytes that are not UTF-8 are refused: <see cref="CommandValidation"/> names
/// them before the proposal, and the state machine answers <see cref="CommandStatus.NotAList"/>, because the result
/// would not be a list of strings.
/// </param>
public sealed record Append(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Item) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.None;

    public override CommandKind Kind => CommandKind.Append;

    internal override CommandFlags BodyFlags => CommandFlags.None;

    internal override int BodySize => 2 + 4 + Key.Length + Item.Length;

    internal override void WriteBody(ref ByteWriter output)
    {
        output.U16(Key.Length);
        output.Length(Item.Length);
        output.Bytes(Key.Span);
        output.Bytes(Item.Span);
    }

    internal static Append Read(ref ByteReader input)
    {
        var keyLength = input.U16();
        var itemLength = input.Length(KvLimits.ValueBytesMax);
        return new Append(input.Memory(keyLength), input.Memory(itemLength));
    }

    /// <summary>Whether the append would succeed on the state as it is now; changes nothing.</summary>
    internal CommandStatus Check(KvTransaction kv) => TryBuild(kv, out _, out _);

    internal override CommandResult Apply(KvTransaction kv)
    {
        var status = TryBuild(kv, out var list, out var count);
        if (status != CommandStatus.Ok)
        {
            return new CommandResult(status, kv.Revision);
        }

        kv.PutKeepingLease(Key.Span, list);
        return new CommandResult(CommandStatus.Ok, kv.Revision, KvMutants.AppendWrongLength ? count - 1 : count);
    }

    private CommandStatus TryBuild(KvTransaction kv, out ReadOnlySpan<byte> list, out int count)
    {
        var stored = kv.TryGet(Key.Span, out var row) ? row.Value : "[]"u8;
        return StringList.TryAppend(stored, Item.Span, kv.ListBuffer, out list, out count);
    }
}
