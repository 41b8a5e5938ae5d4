using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>Writes one key at the next revision (etcd v3 API, PutRequest).</summary>
public sealed record Put(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value) : Command
{
    internal const CommandFlags FlagsAllowed = CommandFlags.ReturnPrevious | CommandFlags.Lease;

    public long Lease { get; init; }

    public bool ReturnPrevious { get; init; }

    public override CommandKind Kind => CommandKind.Put;

    internal override CommandFlags BodyFlags =>
        (ReturnPrevious ? CommandFlags.ReturnPrevious : 0) | (Lease != 0 ? CommandFlags.Lease : 0);

    internal override int BodySize => (Lease != 0 ? 8 : 0) + 2 + 4 + Key.Length + Value.Length;

    internal override void WriteBody(ref ByteWriter output)
    {
        if (Lease != 0)
        {
            output.I64(Lease);
        }

        output.U16(Key.Length);
        output.Length(Value.Length);
        output.Bytes(Key.Span);
        output.Bytes(Value.Span);
    }

    internal static Put Read(ref ByteReader input, CommandFlags flags)
    {
        var lease = ReadLease(ref input, flags);
        var keyLength = input.U16();
        var valueLength = input.Length(KvLimits.ValueBytesMax);
        return new Put(input.Memory(keyLength), input.Memory(valueLength))
        {
            Lease = lease,
            ReturnPrevious = (flags & CommandFlags.ReturnPrevious) != 0,
        };
    }

    internal override CommandResult Apply(KvTransaction kv) => Apply(kv, Key.Span, Value.Span, Lease, ReturnPrevious);

    /// <summary>Applies the body of a put straight out of the entry's bytes: the hot path builds no record.</summary>
    internal static CommandResult ApplyEncoded(KvTransaction kv, ref ByteReader input, CommandFlags flags)
    {
        var lease = ReadLease(ref input, flags);
        var keyLength = input.U16();
        var valueLength = input.Length(KvLimits.ValueBytesMax);
        var key = input.Span(keyLength);
        var value = input.Span(valueLength);
        Invariant.Holds(input.IsComplete && (flags & ~FlagsAllowed) == 0, "A put in the log is well formed.");
        return Apply(kv, key, value, lease, (flags & CommandFlags.ReturnPrevious) != 0);
    }

    /// <summary>A lease that is there but 0 is malformed: it would be a second encoding of the same command.</summary>
    private static long ReadLease(ref ByteReader input, CommandFlags flags)
    {
        if ((flags & CommandFlags.Lease) == 0)
        {
            return 0;
        }

        var lease = input.I64();
        if (lease == 0)
        {
            input.Fail();
        }

        return lease;
    }

    private static CommandResult Apply(
        KvTransaction kv, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long lease, bool returnPrevious)
    {
        var previous = returnPrevious ? kv.Get(key) : null;
        kv.Put(key, value, lease);
        return new CommandResult(CommandStatus.Ok, kv.Revision, 0, previous);
    }
}
