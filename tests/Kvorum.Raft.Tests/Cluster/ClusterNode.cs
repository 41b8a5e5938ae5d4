using System.Buffers.Binary;
using System.Text;

namespace Kvorum.Raft.Tests;

/// <summary>
/// A replica with the smallest possible host around it: a disk whose writes become durable only when told, a state
/// machine that is a list of payloads, and snapshots of that list.
/// </summary>
internal sealed class ClusterNode
{
    private readonly Cluster _cluster;
    private readonly RaftOptions _options;
    private readonly List<PendingWrite> _writes = [];
    private readonly Queue<LogEntry> _toApply = new();
    private readonly Queue<Func<Input?>> _work = new();

    // What survives a crash.
    private HardState _diskState;
    private EntryId _diskStart;
    private List<LogEntry> _diskLog = [];
    private SnapshotDescriptor? _diskSnapshot;
    private byte[] _diskSnapshotData = [];
    private readonly Membership _initial;
    private Membership _appliedMembership = Membership.Empty;
    private ulong _starts;

    // The incoming snapshot file.
    private SnapshotDescriptor? _partial;
    private readonly List<byte> _partialData = [];

    public ClusterNode(Cluster cluster, RaftOptions options, Membership initial)
    {
        _cluster = cluster;
        _options = options;
        _initial = initial;
    }

    public NodeId Id => _options.Node;

    public RaftNode? Raft { get; private set; }

    public bool IsUp => Raft is not null;

    /// <summary>The whole log as the replica wishes it on disk, durable or not.</summary>
    public List<LogEntry> Log { get; private set; } = [];

    public EntryId LogStart { get; private set; }

    /// <summary>The state machine: the payloads of applied commands.</summary>
    public List<string> State { get; private set; } = [];

    public LogIndex Applied { get; private set; }

    public List<ReadOutcome> Reads { get; } = [];

    public List<ForwardOutcome> Forwarded { get; } = [];

    public List<AdminOutcome> Admin { get; } = [];

    public ProposeOutcome? LastProposed { get; private set; }

    public bool HasWrites => _writes.Count > 0;

    /// <summary>The disk hangs: settling does not sync this node's writes.</summary>
    public bool IsDiskHeld { get; set; }

    public bool HasWork => _work.Count > 0;

    public bool HasToApply => _toApply.Count > 0;

    public void SetDisk(HardState state, IEnumerable<LogEntry> entries)
    {
        _diskState = state;
        _diskLog = [.. entries];
    }

    /// <summary>
    /// Nothing is left on the disk of this node, which is down; it starts as a new one of the same id.
    /// </summary>
    public void Wipe()
    {
        Assert.False(IsUp, $"Node {Id} is wiped while it runs.");
        _diskState = default;
        _diskStart = EntryId.Start;
        _diskLog = [];
        _diskSnapshot = null;
        _diskSnapshotData = [];
        _partial = null;
        _partialData.Clear();
    }

    public void Start()
    {
        _starts++;
        _writes.Clear();
        _toApply.Clear();
        _work.Clear();
        State = _diskSnapshot is null ? [] : Decode(_diskSnapshotData);
        Applied = _diskSnapshot?.LastIncluded.Index ?? LogIndex.Zero;
        _appliedMembership = _diskSnapshot?.Membership ?? _initial;
        LogStart = _diskStart;
        Log = [.. _diskLog];
        var recovered = new RecoveredState(
            _diskState, _diskStart, _diskSnapshot, Applied, _diskSnapshot?.Membership ?? _initial, _diskLog, true, []);
        Raft = new RaftNode(_options with { Seed = _options.Seed + (_starts * 1000) }, recovered);
    }

    /// <summary>
    /// The process dies. Of the writes under way the oldest <paramref name="surviving"/> reach the disk.
    /// </summary>
    public void Crash(int surviving)
    {
        for (var i = 0; i < surviving && i < _writes.Count; i++)
        {
            WriteToDisk(_writes[i]);
        }

        Raft = null;
        _writes.Clear();
    }

    public void Step(Input input)
    {
        if (Raft is not { } raft)
        {
            return;
        }

        var effects = raft.Step(input);
        Execute(effects, raft);
        _cluster.AfterStep(this, effects);
    }

    /// <summary>The oldest write is durable: what waited for it leaves.</summary>
    public void SyncOne()
    {
        var write = _writes[0];
        _writes.RemoveAt(0);
        WriteToDisk(write);
        write.Messages.ForEach(Post);
        if (write.Id != WriteId.None)
        {
            Step(new Persisted(write.Id));
        }
    }

    public void ApplySome(int max)
    {
        for (; max > 0 && _toApply.Count > 0; max--)
        {
            var entry = _toApply.Dequeue();
            Assert.Equal(Applied.Next, entry.Index);
            Applied = entry.Index;
            if (entry.Kind == EntryKind.Command)
            {
                State.Add(Encoding.UTF8.GetString(entry.Payload.Span));
            }
            else if (entry.Kind == EntryKind.Membership)
            {
                Assert.True(MembershipCodec.TryDecode(entry.Payload, out var membership, out _));
                _appliedMembership = membership;
            }
        }

        Step(new Applied(Applied));
    }

    /// <summary>Answers the oldest read or write of chunks or old entries.</summary>
    public void WorkOne()
    {
        if (_work.Dequeue()() is { } input)
        {
            Step(input);
        }
    }

    public void TakeSnapshot()
    {
        if (Raft is null || Applied <= (_diskSnapshot?.LastIncluded.Index ?? LogIndex.Zero))
        {
            return;
        }

        var term = Applied == LogStart.Index ? LogStart.Term : Log[(int)(Applied.Value - LogStart.Index.Value - 1)].Term;
        _diskSnapshotData = Encode(State);
        _diskSnapshot = new SnapshotDescriptor(
            new EntryId(term, Applied), _appliedMembership, (ulong)_diskSnapshotData.Length,
            Checksum(_diskSnapshotData));
        Step(new SnapshotTaken(_diskSnapshot));
    }

    public bool SettleOnce()
    {
        var any = false;
        while (IsUp && ((HasWrites && !IsDiskHeld) || HasWork || HasToApply))
        {
            any = true;
            if (HasWrites && !IsDiskHeld)
            {
                SyncOne();
            }
            else if (HasWork)
            {
                WorkOne();
            }
            else
            {
                ApplySome(int.MaxValue);
            }
        }

        return any;
    }

    private void Execute(Effects effects, RaftNode raft)
    {
        foreach (var message in effects.Send)
        {
            Post(message);
        }

        NoteWrite(effects);
        foreach (var entry in effects.Apply)
        {
            _toApply.Enqueue(entry);
            _cluster.NoteCommitted(Id, entry);
        }

        Reads.AddRange(effects.Reads);
        Forwarded.AddRange(effects.Forwarded);
        Admin.AddRange(effects.Admin);
        LastProposed = effects.Proposed ?? LastProposed;
        foreach (var fetch in effects.Fetches)
        {
            _work.Enqueue(() => Fetch(fetch));
        }

        foreach (var read in effects.ChunkReads)
        {
            _work.Enqueue(() => ReadChunk(read));
        }

        foreach (var write in effects.ChunkWrites)
        {
            _work.Enqueue(() => WriteChunk(write));
        }

        if (raft.LogStart.Index > LogStart.Index && effects.LogStart is null)
        {
            // Compacted: the host may cut its log up to there.
            Log.RemoveRange(0, (int)raft.LogStart.Index.CountSince(LogStart.Index));
            LogStart = raft.LogStart;
            CutDisk(raft.LogStart);
        }
    }

    private void NoteWrite(Effects effects)
    {
        if (effects.LogStart is { } start)
        {
            LogStart = start;
            Log.Clear();
        }

        LogEntry[] entries = [.. effects.Append];
        Replace(Log, LogStart, entries);
        Message[] later = [.. effects.SendAfterSync];
        if (effects.Write != WriteId.None)
        {
            _writes.Add(new PendingWrite(effects.Write, effects.HardState, effects.LogStart, entries, [.. later]));
        }
        else if (later.Length > 0 && _writes.Count > 0)
        {
            _writes[^1].Messages.AddRange(later);
        }
        else
        {
            Array.ForEach(later, Post);
        }
    }

    /// <summary>The transport knows only whom the replica says it should reach; who joins has its contacts.</summary>
    private void Post(Message message)
    {
        if (Raft is not { Membership.Members.Count: > 0 } raft
            || raft.Reachable.Any(member => member.Node == message.To))
        {
            _cluster.Post(message);
        }
    }

    private void WriteToDisk(PendingWrite write)
    {
        _diskState = write.HardState ?? _diskState;
        if (write.LogStart is { } start)
        {
            _diskStart = start;
            _diskLog.Clear();
        }

        Replace(_diskLog, _diskStart, write.Entries);
    }

    private void CutDisk(EntryId start)
    {
        var cut = (int)start.Index.CountSince(_diskStart.Index);
        Assert.True(cut <= _diskLog.Count, "The log is cut only where it is durable.");
        _diskLog.RemoveRange(0, cut);
        _diskStart = start;
    }

    private static void Replace(List<LogEntry> log, EntryId start, LogEntry[] entries)
    {
        if (entries.Length > 0)
        {
            var at = (int)(entries[0].Index.Value - start.Index.Value - 1);
            Assert.InRange(at, 0, log.Count);
            log.RemoveRange(at, log.Count - at);
            log.AddRange(entries);
        }
    }

    private Fetched Fetch(FetchEntries fetch)
    {
        var entries = new List<LogEntry>();
        var bytes = 0;
        foreach (var entry in _diskLog)
        {
            if (entry.Index >= fetch.From && (entries.Count == 0 || bytes + entry.Payload.Length <= fetch.BytesMax))
            {
                entries.Add(entry);
                bytes += entry.Payload.Length;
            }
        }

        if (fetch.From <= _diskStart.Index)
        {
            entries.Clear();
        }

        return new Fetched(fetch.Peer, entries.ToArray());
    }

    private ChunkRead ReadChunk(ReadChunk read)
    {
        var data = ReadOnlyMemory<byte>.Empty;
        if (read.Snapshot == _diskSnapshot)
        {
            data = _diskSnapshotData.AsMemory((int)read.Offset);
            data = data[..Math.Min(data.Length, read.BytesMax)];
        }

        return new ChunkRead(read.Peer, read.Snapshot, read.Offset, data);
    }

    private Input? WriteChunk(WriteChunk write)
    {
        if (write.Snapshot == _diskSnapshot)
        {
            return new SnapshotInstalled(write.Snapshot); // Complete already: this chunk came behind the last one.
        }

        if (_partial != write.Snapshot)
        {
            _partial = write.Snapshot;
            _partialData.Clear();
        }

        if (write.Offset == (ulong)_partialData.Count)
        {
            _partialData.AddRange(write.Data.Span);
        }

        if ((ulong)_partialData.Count < write.Snapshot.Length)
        {
            return new ChunkWritten(write.From, write.Snapshot, (ulong)_partialData.Count);
        }

        byte[] data = [.. _partialData];
        if (Checksum(data) != write.Snapshot.Checksum)
        {
            _partialData.Clear();
            return new ChunkWritten(write.From, write.Snapshot, 0);
        }

        // What was handed out before is applied before, as a real applier does it in order.
        while (_toApply.Count > 0)
        {
            ApplySome(int.MaxValue);
        }

        _partial = null;
        _partialData.Clear();
        _diskSnapshot = write.Snapshot;
        _diskSnapshotData = data;
        State = Decode(data);
        _appliedMembership = write.Snapshot.Membership;
        Applied = write.Snapshot.LastIncluded.Index;
        _cluster.NoteInstalled(this, write.Snapshot);
        return new SnapshotInstalled(write.Snapshot);
    }

    private static uint Checksum(ReadOnlySpan<byte> data)
    {
        var sum = 17U;
        foreach (var part in data)
        {
            sum = unchecked((sum * 31) + part);
        }

        return sum;
    }

    private static byte[] Encode(List<string> state)
    {
        using var bytes = new MemoryStream();
        Span<byte> length = stackalloc byte[4];
        foreach (var item in state)
        {
            var text = Encoding.UTF8.GetBytes(item);
            BinaryPrimitives.WriteInt32LittleEndian(length, text.Length);
            bytes.Write(length);
            bytes.Write(text);
        }

        bytes.WriteByte(255); // Never empty.
        return bytes.ToArray();
    }

    private static List<string> Decode(ReadOnlySpan<byte> data)
    {
        var state = new List<string>();
        while (data.Length > 1)
        {
            var length = BinaryPrimitives.ReadInt32LittleEndian(data);
            state.Add(Encoding.UTF8.GetString(data.Slice(4, length)));
            data = data[(4 + length)..];
        }

        return state;
    }

    private sealed record PendingWrite(
        WriteId Id, HardState? HardState, EntryId? LogStart, LogEntry[] Entries, List<Message> Messages);
}
