namespace Kvorum.Raft;

/// <summary>
/// Settings of one replica, fixed for its life. Every limit has a unit; there is no "0 means unlimited".
/// </summary>
public sealed record RaftOptions
{
    /// <summary>This node.</summary>
    public required NodeId Node { get; init; }

    /// <summary>This replica's group.</summary>
    public required GroupId Group { get; init; }

    /// <summary>Where all chance comes from; must differ from start to start and node to node.</summary>
    public required ulong Seed { get; init; }

    /// <summary>
    /// The data directory's incarnation, by which a membership names it; 0 where there are none (tests without hosts).
    /// </summary>
    public ulong Incarnation { get; init; }

    /// <summary>This replica did not begin with the cluster: it joined one, and votes by a promotion only.</summary>
    public bool IsJoining { get; init; }

    /// <summary>A leader's heartbeats, in ticks. Default 10 (100 ms).</summary>
    public int HeartbeatTicks { get; init; } = 10;

    /// <summary>
    /// Without a leader's sign of life for this long plus a random share of the same length, a follower campaigns; a
    /// leader that hears no majority for this long steps down. In ticks, default 100 (1 s, so 1 to 2 s).
    /// </summary>
    public int ElectionTicks { get; init; } = 100;

    /// <summary>
    /// After a broken connection to the leader a pre-vote starts within 1 to this many ticks. Default 5 (10 to 50 ms).
    /// </summary>
    public int HurriedElectionTicksMax { get; init; } = 5;

    /// <summary>The most entries in one <see cref="AppendEntries"/>. Default 1,024.</summary>
    public int AppendEntriesMax { get; init; } = 1024;

    /// <summary>
    /// The most payload bytes in one <see cref="AppendEntries"/>, unless a single entry is larger. Default 64 KiB.
    /// </summary>
    public int AppendBytesMax { get; init; } = 64 * 1024;

    /// <summary>The most unanswered <see cref="AppendEntries"/> per peer. Default 256.</summary>
    public int InflightMessagesMax { get; init; } = 256;

    /// <summary>The most unanswered payload bytes per peer. Default 16 MiB.</summary>
    public int InflightBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// The most payload bytes a leader holds that are not committed, or committed but not yet durable and applied on
    /// itself; more proposals are refused. Default 64 MiB.
    /// </summary>
    public long UncommittedBytesMax { get; init; } = 64L * 1024 * 1024;

    /// <summary>The most commands in one <see cref="Propose"/> input. Default 4,096.</summary>
    public int ProposalsMax { get; init; } = 4096;

    /// <summary>Applied entries kept in memory for peers that lag a little, in payload bytes. Default 8 MiB.</summary>
    public long CacheBytesMax { get; init; } = 8L * 1024 * 1024;

    /// <summary>Payload of one snapshot chunk, in bytes. Default 256 KiB.</summary>
    public int SnapshotChunkBytesMax { get; init; } = 256 * 1024;

    /// <summary>
    /// The most chunks of a snapshot under way to one peer, and the most a receiver has its host store at a time.
    /// Default 8: 2 MiB, which a way there and back of 40 ms carries at 50 MiB/s.
    /// </summary>
    public int SnapshotChunksInflightMax { get; init; } = 8;

    /// <summary>The most read barriers a leader holds unconfirmed. Default 4,096; more are refused.</summary>
    public int ReadsMax { get; init; } = 4096;

    /// <summary>
    /// Applied entries kept in the log before a taken snapshot, so that a follower just behind needs no snapshot.
    /// Default 10,000.
    /// </summary>
    public ulong TrailingEntries { get; init; } = 10_000;

    /// <summary>
    /// The log in memory is kept and freed in blocks of two to this power, in entries. Default 9: 20 KB, below the size
    /// where the collector treats an array as large. Tests use tiny blocks.
    /// </summary>
    internal int LogBlockBits { get; init; } = 9;
}

/// <summary>What a replica finds on disk when it starts.</summary>
/// <param name="HardState">Term and vote; zero and null on a new directory.</param>
/// <param name="LogStart">The entry just before the first one in the log; (0, 0) for a whole log.</param>
/// <param name="Snapshot">
/// The newest durable snapshot; null for none. Not newer than the last entry unless the log is empty.
/// </param>
/// <param name="Applied">What the state machine already holds: the snapshot's index for an engine in memory.</param>
/// <param name="Membership">The membership at <paramref name="Applied"/>; on a new directory the initial
/// cluster.</param>
/// <param name="Entries">All entries after <paramref name="LogStart"/> that the log holds, oldest first.</param>
/// <param name="MayVote">False when this directory replaced an older one: see <see cref="Standing"/>.</param>
/// <param name="NonVoters">Peers whose directory was replaced.</param>
public sealed record RecoveredState(
    HardState HardState,
    EntryId LogStart,
    SnapshotDescriptor? Snapshot,
    LogIndex Applied,
    Membership Membership,
    IReadOnlyList<LogEntry> Entries,
    bool MayVote,
    IReadOnlyList<NodeId> NonVoters)
{
    /// <summary>What the host remembers of peers' directories, as if they came back with the ones it knows.</summary>
    public IReadOnlyList<Standing> Standings { get; init; } = [];
}
