using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>Writes one key at the next revision (etcd v3 API, PutRequest).</summary>
public sealed record Put(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value) : Command
{
    internal const CommandFlags FlagsAllowed =
        CommandFlags.ReturnPrevious | CommandFlags.Lease | CommandFlags.KeepsValue | CommandFlags.KeepsLease;

    public long Lease { get; init; }

    public bool ReturnPrevious { get; init; }

    /// <summary>
    /// Write the value again that the key has; <see cref="CommandStatus.KeyNotFound"/> when there is no such key.
    /// </summary>
    public bool KeepsValue { get; init; }

    /// <summary>
    /// Leave the key on the lease that it has; <see cref="CommandStatus.KeyNotFound"/> when there is no such key.
    /// </summary>
    public bool KeepsLease { get; init; }

    public override CommandKind Kind => CommandKind.Put;

    internal override CommandFlags BodyFlags =>
        (ReturnPrevious ? CommandFlags.ReturnPrevious : 0) | (Lease != 0 ? CommandFlags.Lease : 0)
        | (KeepsValue ? CommandFlags.KeepsValue : 0) | (KeepsLease ? CommandFlags.KeepsLease : 0);

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
            KeepsValue = (flags & CommandFlags.KeepsValue) != 0,
            KeepsLease = (flags & CommandFlags.KeepsLease) != 0,
        };
    }

    /// <summary>What would keep it from being applied.</summary>
    internal CommandStatus Check(KvTransaction kv) =>
        Lease != 0 && kv.FindLease(Lease) is null ? CommandStatus.LeaseNotFound
        : (KeepsValue || KeepsLease) && !kv.TryGet(Key.Span, out _) ? CommandStatus.KeyNotFound
        : CommandStatus.Ok;

    internal override CommandResult Apply(KvTransaction kv) => Apply(kv, Key.Span, Value.Span, Lease, BodyFlags);

    /// <summary>Applies the body of a put straight out of the entry's bytes: the hot path builds no record.</summary>
    internal static CommandResult ApplyEncoded(KvTransaction kv, ref ByteReader input, CommandFlags flags)
    {
        var lease = ReadLease(ref input, flags);
        var keyLength = input.U16();
        var valueLength = input.Length(KvLimits.ValueBytesMax);
        var key = input.Span(keyLength);
        var value = input.Span(valueLength);
        Invariant.Holds(input.IsComplete && (flags & ~FlagsAllowed) == 0, "A put in the log is well formed.");
        return Apply(kv, key, value, lease, flags);
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
        KvTransaction kv, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long lease, CommandFlags flags)
    {
        if (lease != 0 && kv.FindLease(lease) is null)
        {
            return new CommandResult(CommandStatus.LeaseNotFound, kv.Revision);
        }

        var previous = (flags & CommandFlags.ReturnPrevious) != 0 ? kv.Get(key) : null;
        if ((flags & (CommandFlags.KeepsValue | CommandFlags.KeepsLease)) != 0)
        {
            if (!kv.TryGet(key, out var row))
            {
                return new CommandResult(CommandStatus.KeyNotFound, kv.Revision);
            }

            lease = (flags & CommandFlags.KeepsLease) != 0 ? row.Header.Lease : lease;
            value = (flags & CommandFlags.KeepsValue) != 0 ? row.Value.ToArray() : value;
        }

        kv.Put(key, value, lease);
        return new CommandResult(CommandStatus.Ok, kv.Revision, 0, previous);
    }
}
