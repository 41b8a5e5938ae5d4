namespace Kvorum.Kv;

/// <summary>
/// Deletes a key or a range (etcd v3 API, DeleteRangeRequest). No revision is used when nothing matches.
/// </summary>
/// <param name="RangeEnd">
/// Empty: the one key. A single zero byte: every key from <paramref name="Key"/> on. Else the excluded end.
/// </param>
public sealed record DeleteRange(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> RangeEnd) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.ReturnPrevious;

    /// <summary>
    /// Answer with the deleted keys and values, up to <see cref="RangeQuery.AnswerBytesMax"/> of them.
    /// </summary>
    public bool ReturnPrevious { get; init; }

    public override CommandKind Kind => CommandKind.DeleteRange;

    internal override CommandFlags BodyFlags => ReturnPrevious ? CommandFlags.ReturnPrevious : CommandFlags.None;

    internal override int BodySize => 2 + 2 + Key.Length + RangeEnd.Length;

    internal override void WriteBody(ref ByteWriter output)
    {
        output.U16(Key.Length);
        output.U16(RangeEnd.Length);
        output.Bytes(Key.Span);
        output.Bytes(RangeEnd.Span);
    }

    internal static DeleteRange Read(ref ByteReader input, CommandFlags flags)
    {
        var keyLength = input.U16();
        var endLength = input.U16();
        return new DeleteRange(input.Memory(keyLength), input.Memory(endLength))
        {
            ReturnPrevious = (flags & CommandFlags.ReturnPrevious) != 0,
        };
    }

    internal override CommandResult Apply(KvTransaction kv)
    {
        KeyValue[]? previous = null;
        long deleted;
        if (RangeEnd.IsEmpty)
        {
            var key = Key.Span;
            if (ReturnPrevious)
            {
                previous = kv.Get(key) is { } row ? [row] : [];
            }

            deleted = kv.Delete(key) ? 1 : 0;
        }
        else
        {
            deleted = kv.DeleteRange(Ranges.Of(Key.Span, RangeEnd.Span), ReturnPrevious, out previous);
        }

        return new CommandResult(CommandStatus.Ok, kv.Revision, deleted, previous);
    }
}
