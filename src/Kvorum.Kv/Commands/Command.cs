namespace Kvorum.Kv;

/// <summary>
/// A change of the key space, as it stands in the log. What it means is decided when it is applied, the same on every
/// replica.
/// </summary>
public abstract record Command
{
    /// <summary>
    /// The set of commands is closed: a new one needs a number, a layout and an apply on every replica.
    /// </summary>
    private protected Command()
    {
    }

    public abstract CommandKind Kind { get; }

    /// <summary>Who sends it and as which number, so that a retry takes effect once; null: not deduplicated.</summary>
    public SessionStamp? Session { get; init; }

    /// <summary>The flags of the body, without <see cref="CommandFlags.Session"/>.</summary>
    internal abstract CommandFlags BodyFlags { get; }

    /// <summary>Bytes <see cref="WriteBody"/> writes.</summary>
    internal abstract int BodySize { get; }

    internal abstract void WriteBody(ref ByteWriter output);

    /// <summary>Changes the key space, or changes nothing and says why.</summary>
    internal abstract CommandResult Apply(KvTransaction kv);
}

/// <summary>A client session and the place of a command in it (thesis §6.3).</summary>
/// <param name="Client">128 bits chosen by the client, or derived from its idempotency key.</param>
/// <param name="Sequence">
/// 1 for the session's first command, rising. The session opens itself with the first command seen. Never 0.
/// </param>
public readonly record struct SessionStamp(UInt128 Client, ulong Sequence);
