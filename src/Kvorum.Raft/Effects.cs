namespace Kvorum.Raft;

/// <summary>What the host must do after a step, in this order. Valid until the next step of the same replica.</summary>
/// <remarks>The Debug build marks the object at each step, so that a kept reference is found at once.</remarks>
public sealed class Effects
{
    private readonly List<Message> _send = [];
    private readonly List<Message> _sendAfterSync = [];
    private readonly List<LogEntry> _append = [];
    private readonly List<LogEntry> _apply = [];
    private readonly List<ForwardOutcome> _forwarded = [];
    private readonly List<ReadOutcome> _reads = [];
    private readonly List<AdminOutcome> _admin = [];
    private readonly List<FetchEntries> _fetches = [];
    private readonly List<ReadChunk> _chunkReads = [];
    private readonly List<WriteChunk> _chunkWrites = [];
    private readonly List<RaftEvent> _events = [];

    /// <summary>May leave at once, even while <see cref="Append"/> is still being written (thesis §10.2.1).</summary>
    public IReadOnlyList<Message> Send => Current(_send);

    /// <summary>
    /// The number of the durable write of this step: <see cref="HardState"/>, then <see cref="LogStart"/>, then
    /// <see cref="Append"/>. <see cref="WriteId.None"/> when there is nothing to write. The host answers with <see
    /// cref="Persisted"/>.
    /// </summary>
    public WriteId Write { get; internal set; }

    /// <summary>Term and vote to be written; null when unchanged.</summary>
    public HardState? HardState { get; internal set; }

    /// <summary>
    /// The log now starts right after this entry (an installed snapshot replaced everything before and, when it did not
    /// match, everything after it); null when unchanged. Written before <see cref="Append"/>.
    /// </summary>
    public EntryId? LogStart { get; internal set; }

    /// <summary>
    /// Entries to be written. The first one's index may be at or below the log's end: then it replaces the tail.
    /// </summary>
    public IReadOnlyList<LogEntry> Append => Current(_append);

    /// <summary>
    /// Votes and append replies: leave only when this step's write <em>and all earlier ones</em> are durable (thesis
    /// §3.8).
    /// </summary>
    public IReadOnlyList<Message> SendAfterSync => Current(_sendAfterSync);

    /// <summary>Entries that are committed now, in order, each handed out once.</summary>
    public IReadOnlyList<LogEntry> Apply => Current(_apply);

    /// <summary>The answer to a <see cref="Propose"/> input; null after every other input.</summary>
    public ProposeOutcome? Proposed { get; internal set; }

    /// <summary>What became of batches forwarded to the leader.</summary>
    public IReadOnlyList<ForwardOutcome> Forwarded => Current(_forwarded);

    /// <summary>What became of <see cref="ReadBarrier"/> inputs.</summary>
    public IReadOnlyList<ReadOutcome> Reads => Current(_reads);

    /// <summary>
    /// What became of <see cref="ChangeMembers"/> and <see cref="TransferLeadership"/> inputs.
    /// </summary>
    public IReadOnlyList<AdminOutcome> Admin => Current(_admin);

    /// <summary>Old entries a lagging peer needs and memory no longer has; answered by <see cref="Fetched"/>.</summary>
    public IReadOnlyList<FetchEntries> Fetches => Current(_fetches);

    /// <summary>Snapshot chunks to be read for a lagging peer; answered by <see cref="ChunkRead"/>.</summary>
    public IReadOnlyList<ReadChunk> ChunkReads => Current(_chunkReads);

    /// <summary>
    /// Snapshot chunks to be stored; answered by <see cref="ChunkWritten"/>, the last one by <see
    /// cref="SnapshotInstalled"/>.
    /// </summary>
    public IReadOnlyList<WriteChunk> ChunkWrites => Current(_chunkWrites);

    /// <summary>Facts for the log and the metrics.</summary>
    public IReadOnlyList<RaftEvent> Events => Current(_events);

    internal void AddSend(Message message) => _send.Add(message);

    internal void AddSendAfterSync(Message message) => _sendAfterSync.Add(message);

    internal void AddAppend(in LogEntry entry) => _append.Add(entry);

    internal void AddApply(in LogEntry entry) => _apply.Add(entry);

    internal void AddForwarded(ForwardOutcome outcome) => _forwarded.Add(outcome);

    internal void AddRead(ReadOutcome outcome) => _reads.Add(outcome);

    internal void AddAdmin(AdminOutcome outcome) => _admin.Add(outcome);

    internal void AddFetch(FetchEntries fetch) => _fetches.Add(fetch);

    internal void AddChunkRead(ReadChunk read) => _chunkReads.Add(read);

    internal void AddChunkWrite(WriteChunk write) => _chunkWrites.Add(write);

    internal void AddEvent(RaftEvent raftEvent) => _events.Add(raftEvent);

    /// <summary>The effects object the next step fills: this one again, in the Debug build a new one.</summary>
    internal Effects ForNextStep()
    {
#if DEBUG
        _isPast = true;
        return new Effects();
#else
        Clear();
        return this;
#endif
    }

#if DEBUG
    private bool _isPast;

    private List<T> Current<T>(List<T> list)
    {
        Invariant.Holds(!_isPast, "Effects are valid until the next step of the same replica.");
        return list;
    }
#else
    private static List<T> Current<T>(List<T> list) => list;

    private void Clear()
    {
        _send.Clear();
        _sendAfterSync.Clear();
        _append.Clear();
        _apply.Clear();
        _forwarded.Clear();
        _reads.Clear();
        _admin.Clear();
        _fetches.Clear();
        _chunkReads.Clear();
        _chunkWrites.Clear();
        _events.Clear();
        Write = WriteId.None;
        HardState = null;
        LogStart = null;
        Proposed = null;
    }
#endif
}

/// <summary>How a batch of proposals began.</summary>
public enum ProposeResult : byte
{
    /// <summary>This replica leads: the commands are entries from <see cref="ProposeOutcome.First"/> on.</summary>
    Appended = 1,

    /// <summary>This replica follows: the batch is on its way to the leader.</summary>
    Forwarded = 2,

    /// <summary>No leader is known; nothing was proposed and nothing kept. Safe to retry.</summary>
    NoLeader = 3,

    /// <summary>
    /// The leader hands over, or its unacknowledged entries reach a limit; nothing was proposed. Safe to retry.
    /// </summary>
    Refused = 4,
}

/// <summary>The answer to <see cref="Propose"/>.</summary>
/// <param name="First">Appended: id of the first entry; the others follow by one.</param>
/// <param name="Leader">Forwarded: to whom.</param>
public readonly record struct ProposeOutcome(ProposeResult Result, EntryId First, NodeId? Leader);

/// <summary>What became of a forwarded batch.</summary>
/// <param name="Accepted">
/// True: entries from <paramref name="First"/> on, not committed yet. False: nothing was proposed, safe to retry. A
/// batch whose leader vanished gets no outcome: its fate is unknown, the host's deadline ends the wait.
/// </param>
/// <param name="Offset">
/// A large batch is forwarded in parts, each with its own outcome: the first command of this part.
/// </param>
/// <param name="Count">How many commands this part has.</param>
public readonly record struct ForwardOutcome(ulong RequestId, bool Accepted, EntryId First, int Offset, int Count);

/// <summary>What became of a read barrier.</summary>
/// <param name="Accepted">True: read once applied up to <paramref name="Index"/>. False: no leader confirmed it; ask
/// again.</param>
public readonly record struct ReadOutcome(ulong RequestId, bool Accepted, LogIndex Index);

/// <summary>
/// What a request to change the membership or the leader came to. Stable numbers: they are on the wire.
/// </summary>
public enum AdminResult : byte
{
    /// <summary>The leader does it.</summary>
    Accepted = 1,

    /// <summary>It is not allowed; nothing happened.</summary>
    Refused = 2,

    /// <summary>Not now; nothing happened. A little later it may be granted.</summary>
    Busy = 3,

    /// <summary>No leader is known, or whoever was asked leads no more; nothing happened.</summary>
    NoLeader = 4,
}

/// <summary>What became of a request to change the membership or the leader.</summary>
/// <param name="Entry">Accepted change: its first entry, not committed yet.</param>
/// <param name="Reason">Refused or busy: why, for a person.</param>
public readonly record struct AdminOutcome(ulong RequestId, AdminResult Result, EntryId Entry, string Reason);

/// <summary>
/// Read entries from <paramref name="From"/> on, up to <paramref name="BytesMax"/> bytes but at least one.
/// </summary>
/// <param name="Before">
/// For a <see cref="MendRequest"/>: the entry it asks about. (0, 0) for a peer that lags.
/// </param>
public readonly record struct FetchEntries(NodeId Peer, LogIndex From, int BytesMax, EntryId Before = default);

/// <summary>Read up to <paramref name="BytesMax"/> bytes of the snapshot from <paramref name="Offset"/> on.</summary>
public sealed record ReadChunk(NodeId Peer, SnapshotDescriptor Snapshot, ulong Offset, int BytesMax);

/// <summary>Store a chunk of the snapshot the leader <paramref name="From"/> sends.</summary>
public sealed record WriteChunk(NodeId From, SnapshotDescriptor Snapshot, ulong Offset, ReadOnlyMemory<byte> Data);
