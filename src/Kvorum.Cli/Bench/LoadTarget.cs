namespace Kvorum.Cli.Bench;

/// <summary>Where the load goes: nodes in this process, or a cluster over HTTP.</summary>
internal abstract class LoadTarget
{
    /// <summary>Size of every key, in bytes.</summary>
    public const int KeyBytes = 16;

    private readonly byte[] _keys;

    /// <summary>Lays out all keys once, so that choosing one costs and allocates nothing.</summary>
    protected LoadTarget(int keys)
    {
        Keys = keys;
        _keys = new byte[keys * KeyBytes];
        for (var i = 0; i < keys; i++)
        {
            var text = _keys.AsSpan(i * KeyBytes, KeyBytes);
            "bench-"u8.CopyTo(text);
            _ = i.TryFormat(text[6..], out _, "D10", null); // 16 bytes hold "bench-" and ten digits.
        }
    }

    public int Keys { get; }

    protected ReadOnlyMemory<byte> Key(int number) => _keys.AsMemory(number * KeyBytes, KeyBytes);

    /// <summary>Writes a key; completes when the write is acknowledged.</summary>
    public abstract ValueTask WriteAsync(int caller, int key);

    /// <summary>Reads a key, linearizably.</summary>
    public abstract ValueTask ReadAsync(int caller, int key);

    /// <summary>Before each measurement.</summary>
    public virtual void Prepare()
    {
    }

    /// <summary>Syncs of the log so far, and how long they took together; null when the target cannot tell.</summary>
    public virtual (long Count, TimeSpan Total)? Syncs => null;
}
