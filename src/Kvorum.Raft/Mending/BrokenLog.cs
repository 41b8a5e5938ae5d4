namespace Kvorum.Raft;

/// <summary>Entries that followed one another in a log at one moment of its life.</summary>
/// <param name="Previous">The entry just before the first; null when it is not known.</param>
/// <param name="Entries">Indexes rising by one.</param>
public sealed record LogRun(EntryId? Previous, IReadOnlyList<LogEntry> Entries);

/// <summary>
/// A log of which a part in the middle cannot be read, and whose end is proven: nothing that was durable is missing
/// behind the last run.
/// </summary>
/// <param name="HardState">Term and vote, read behind the damage: nothing was promised after it.</param>
/// <param name="Runs">
/// What can be read. The last one is how the log ends, exactly; it has an entry, or a known beginning. The others are
/// what the log was at earlier moments: what is lost may have replaced them.
/// </param>
public sealed record BrokenLog(HardState HardState, IReadOnlyList<LogRun> Runs)
{
    /// <summary>The index of the log's last entry, or of what comes before it when it has none.</summary>
    public LogIndex LastIndex =>
        Runs[^1].Entries.Count > 0 ? Runs[^1].Entries[^1].Index : Runs[^1].Previous?.Index ?? LogIndex.Zero;
}

/// <summary>A damaged log that is whole again: exactly what it was.</summary>
/// <param name="LogStart">The entry just before the first one.</param>
public sealed record MendedLog(HardState HardState, EntryId LogStart, IReadOnlyList<LogEntry> Entries);

/// <summary>How a <see cref="LogMender"/> asks.</summary>
public sealed record MendingOptions
{
    public required NodeId Node { get; init; }

    public required GroupId Group { get; init; }

    /// <summary>After so many ticks without an answer the next peer is asked.</summary>
    public int RetryTicks { get; init; } = 20;

    /// <summary>
    /// After so many ticks under one leader without getting on, nobody who counts has what is missing. More than an
    /// election timeout: a leader that is heard for so long has a majority without this node.
    /// </summary>
    public int GiveUpTicks { get; init; } = 300;

    /// <summary>A leader that was not heard for so many ticks leads no more.</summary>
    public int LeaderSilenceTicksMax { get; init; } = 100;

    /// <summary>The most entries in one answer to a peer.</summary>
    public int EntriesMax { get; init; } = 1024;

    /// <summary>The most payload bytes in one answer to a peer; a single entry may be larger.</summary>
    public int BytesMax { get; init; } = 64 * 1024;
}
