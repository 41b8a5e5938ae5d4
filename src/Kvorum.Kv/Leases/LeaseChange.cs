namespace Kvorum.Kv;

/// <summary>What became of a lease, for the one who watches the clock.</summary>
/// <param name="Id">Which; 0: all that was told before is void (a snapshot was restored).</param>
/// <param name="TtlSeconds">How long it lives from now on, at least; 0 when it is gone.</param>
/// <param name="RenewedAt">Index of the log entry that granted or renewed it.</param>
public readonly record struct LeaseChange(long Id, long TtlSeconds, ulong RenewedAt);

/// <summary>A lease as it is asked for.</summary>
/// <param name="TtlSeconds">As granted.</param>
/// <param name="RenewedAt">Index of the log entry that granted or last renewed it.</param>
/// <param name="Keys">The keys on it, in the order of keys; empty when not asked for.</param>
public sealed record LeaseView(long Id, long TtlSeconds, ulong RenewedAt, IReadOnlyList<byte[]> Keys);
