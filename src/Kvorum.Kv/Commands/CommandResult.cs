namespace Kvorum.Kv;

/// <summary>
/// How a command ended. All but <see cref="Ok"/> changed nothing. Stable numbers: they are in snapshots.
/// </summary>
public enum CommandStatus : byte
{
    Ok = 0,

    /// <summary>Append: the value is not a JSON array of strings.</summary>
    NotAList = 1,

    /// <summary>Append: the list would pass <see cref="KvLimits.ValueBytesMax"/>.</summary>
    ValueTooLarge = 2,

    /// <summary>The revision was compacted already.</summary>
    Compacted = 3,

    /// <summary>The revision is in the future.</summary>
    FutureRevision = 4,

    /// <summary>The sequence continues a session that has expired or was never seen: run anew only knowingly.</summary>
    UnknownSession = 5,

    /// <summary>The answer to this sequence was discarded long ago; it was applied once, its result is gone.</summary>
    SequenceTooOld = 6,

    /// <summary>Another command came under this sequence before.</summary>
    SequenceReused = 7,

    /// <summary>A transaction writes one key twice (etcd: duplicate key given in txn request).</summary>
    DuplicateKey = 8,

    /// <summary>Put that keeps what the key has: there is no such key.</summary>
    KeyNotFound = 9,

    /// <summary>A lease of this id is there already.</summary>
    LeaseExists = 10,

    /// <summary>There is no such lease, or no more.</summary>
    LeaseNotFound = 11,

    /// <summary>There are as many leases as there may be (<see cref="KvOptions.LeasesMax"/>).</summary>
    TooManyLeases = 12,
}

/// <summary>What a command did.</summary>
/// <param name="Revision">The key space's revision after it.</param>
/// <param name="Count">
/// Deleted keys (DeleteRange), items in the list (Append), dropped sessions (ExpireSessions), else 0.
/// </param>
/// <param name="Detail">
/// <see cref="KeyValue"/> (Put with ReturnPrevious; null when there was none), <see cref="KeyValue"/>[] (DeleteRange
/// with ReturnPrevious), <see cref="TxnResult"/> (Txn), else null.
/// </param>
public readonly record struct CommandResult(CommandStatus Status, long Revision, long Count = 0, object? Detail = null)
{
    /// <summary>
    /// This answer repeats one already given, and its detail was too large to keep (above
    /// <see cref="KvLimits.RecordedDetailBytesMax"/>): rows are missing; a transaction's
    /// <see cref="TxnResult.Succeeded"/> is there.
    /// </summary>
    public bool IsDetailDropped { get; init; }
}

/// <summary>What a transaction did.</summary>
/// <param name="Succeeded">Whether all compares held.</param>
/// <param name="Results">
/// One per operation of the branch that ran: <see cref="CommandResult"/> or <see cref="RangeResult"/>.
/// </param>
public sealed record TxnResult(bool Succeeded, IReadOnlyList<object> Results);

/// <summary>A key with its value and history numbers, copied out of the engine.</summary>
public sealed record KeyValue(byte[] Key, byte[] Value, long CreateRevision, long ModRevision, long Version, long Lease)
{
    internal static KeyValue Of(in Row row, byte[] value)
    {
        var header = row.Header;
        return new KeyValue(
            row.Key.ToArray(), value, header.CreateRevision, header.Mod.Main, header.Version, header.Lease);
    }
}

/// <summary>Limits of keys, values and commands, in bytes.</summary>
public static class KvLimits
{
    /// <summary>The longest key: 64 KiB − 1.</summary>
    public const int KeyBytesMax = 65_535;

    /// <summary>The largest value: 1.5 MiB.</summary>
    public const int ValueBytesMax = 1_572_864;

    /// <summary>The largest detail of an answer kept for a retry, encoded: 64 KiB. A larger one is not kept.</summary>
    public const int RecordedDetailBytesMax = 65_536;

    /// <summary>The largest encoded command: value, key and room for the envelope.</summary>
    public const int CommandBytesMax = ValueBytesMax + KeyBytesMax + 1024;
}
