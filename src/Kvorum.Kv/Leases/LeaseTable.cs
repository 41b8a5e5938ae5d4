namespace Kvorum.Kv;

/// <summary>
/// The leases of the key space and the keys on each. When a lease ends is not decided here: there is no clock. The
/// leader proposes it, and what it proposes names the renewal that it goes by.
/// </summary>
internal sealed class LeaseTable(int leasesMax)
{
    private readonly SortedDictionary<long, Lease> _leases = [];

    public int Count => _leases.Count;

    /// <summary>By rising id.</summary>
    public IEnumerable<Lease> All => _leases.Values;

    public bool IsFull => _leases.Count >= leasesMax;

    public Lease? Find(long id) => _leases.GetValueOrDefault(id);

    public void Add(Lease lease) => _leases.Add(lease.Id, lease);

    /// <summary>Takes a lease out; its keys are the caller's affair.</summary>
    public void Remove(long id) => _leases.Remove(id);

    public void Attach(long id, ReadOnlySpan<byte> key)
    {
        if (Find(id) is { } lease)
        {
            lease.Keys.Add(key.ToArray());
        }
    }

    public void Detach(long id, ReadOnlySpan<byte> key)
    {
        if (Find(id) is { } lease)
        {
            lease.Keys.Remove(key.ToArray());
        }
    }

    public void Clear() => _leases.Clear();
}

/// <summary>One lease.</summary>
/// <param name="id">Never 0.</param>
/// <param name="ttlSeconds">How long it lives after it was granted or renewed, at least.</param>
/// <param name="renewedAt">Index of the log entry that granted or last renewed it.</param>
internal sealed class Lease(long id, long ttlSeconds, ulong renewedAt)
{
    public long Id { get; } = id;

    public long TtlSeconds { get; } = ttlSeconds;

    public ulong RenewedAt { get; set; } = renewedAt;

    /// <summary>The keys that end with it, in the order of keys.</summary>
    public SortedSet<byte[]> Keys { get; } = new(ByteArrayOrder.Instance);
}

/// <summary>Keys by their bytes, unsigned.</summary>
internal sealed class ByteArrayOrder : IComparer<byte[]>
{
    public static readonly ByteArrayOrder Instance = new();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}
