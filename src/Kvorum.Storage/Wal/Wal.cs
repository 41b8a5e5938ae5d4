using System.Runtime.ExceptionServices;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>Settings of the write-ahead log.</summary>
public sealed record WalOptions
{
    /// <summary>The smallest segment, in bytes.</summary>
    public const long SegmentBytesMin = 512;

    /// <summary>The largest segment, in bytes: it is read as a whole when the log opens.</summary>
    public const long SegmentBytesMax = 1024L * 1024 * 1024;

    /// <summary>Size of one segment file in bytes, zero-filled before use. Default 64 MiB.</summary>
    public long SegmentBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// Takes a torn tail for damage too: something of this log was found damaged before, so the end may be rot.
    /// </summary>
    public bool RefusesTornTail { get; init; }

    /// <summary>Name of the cluster, in every segment header: a foreign segment is refused.</summary>
    public required ulong ClusterId { get; init; }

    /// <summary>Name of the node, in every segment header.</summary>
    public required NodeId Node { get; init; }
}

/// <summary>What the log held for one group when it was opened.</summary>
/// <param name="LogStart">The entry just before the first one kept.</param>
/// <param name="Entries">Payloads are slices of the segments as read; every checksum was verified.</param>
public sealed record RecoveredLog(HardState HardState, EntryId LogStart, IReadOnlyList<LogEntry> Entries);

/// <summary>The write-ahead log of all groups of a node: append, one sync for many, cut below a snapshot.</summary>
/// <remarks>
/// Append, Sync and CutBefore come from one thread; Read from any. Append only buffers; Sync writes everything
/// buffered with one write per segment and one fdatasync. Any failure of Sync leaves the log unusable: every later call
/// throws.
/// </remarks>
public sealed partial class Wal : IDisposable
{
    /// <summary>
    /// Entries beyond this many body bytes go into another record, so that reading a few does not check many.
    /// </summary>
    private const int RecordBodyBytesMax = 256 * 1024;

    private readonly WalOptions _options;
    private readonly WalFiles _files;
    private readonly WalBatch _batch;
    private readonly WalIndex _index;
    private readonly SortedList<uint, WalGroup> _groups;
    private readonly SortedList<uint, List<LogEntry>> _recovered;
    private readonly List<WalSegment> _segments;

    /// <summary>Groups of which the batch has a record and no hard state behind it.</summary>
    private readonly List<GroupId> _unstated = [];
    private long _segmentBytes;
    private ulong _deletable;
    private bool _isClosedInOrder;
    private bool _isDisposed;
    private volatile Exception? _failure;
#if MUTANTS
    private readonly List<(GroupId Group, HardState State)> _late = [];
#endif

    private Wal(WalOptions options, WalFiles files, WalRecovery recovery, bool wasCreated)
    {
        _options = options;
        _files = files;
        _index = recovery.Index;
        _groups = recovery.Groups;
        _recovered = recovery.Entries;
        _segments = [.. recovery.Scans.Select(scan => scan.Segment)];
        _segmentBytes = _segments.Sum(segment => segment.Size);
        WasCreated = wasCreated;

        if (wasCreated)
        {
            var header = new WalSegmentHeader(options.ClusterId, options.Node, 1, options.SegmentBytes, 0, 0);
            var first = Add(header);
            _batch = new WalBatch(
                options, new WalPart(first.Sequence, first.Size, WalSegmentHeader.Bytes, first.Salt, first.Salt));
        }
        else
        {
            var newest = recovery.Scans[^1];
            _isClosedInOrder = newest.Records.Count > 0 && newest.Records[^1].Type == WalRecordType.Closed;
            _batch = new WalBatch(
                options,
                new WalPart(
                    newest.Segment.Sequence, newest.Segment.Size, newest.End, newest.Segment.Salt, newest.Chain));
        }
    }

    /// <summary>Whether there was no log here before: on a directory that once had one, that is amnesia.</summary>
    public bool WasCreated { get; }

    /// <summary>Bytes of all segments on disk.</summary>
    public long BytesOnDisk => Interlocked.Read(ref _segmentBytes) + _files.SpareBytes;

    /// <summary>
    /// Bytes that may be appended before a segment must be created, the ready spare counted in. Writer's thread.
    /// </summary>
    public long BytesAvailable => Math.Max(0, _batch.Room) + _files.SpareBytes;

    /// <summary>Whether <see cref="PrepareNextSegment"/> has work to do.</summary>
    public bool NeedsNextSegment => _files.NeedsSpare;

    /// <summary>Opens the log, verifies all of it, cuts a torn tail, and refuses corruption.</summary>
    /// <exception cref="WalCorruptException">
    /// A record in the middle is damaged; nothing was changed on disk.
    /// </exception>
    public static Wal Open(IDisk disk, string directory, WalOptions options)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SegmentBytes, WalOptions.SegmentBytesMin);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(options.SegmentBytes, WalOptions.SegmentBytesMax);
        var files = new WalFiles(disk, directory, options.SegmentBytes);
        var recovery = new WalRecovery(disk, files, options);
        recovery.Read();
        disk.CreateDirectory(directory);
        if (Path.GetDirectoryName(directory) is { Length: > 0 } parent)
        {
            disk.SyncDirectory(parent);
        }

        recovery.Repair();
        return new Wal(options, files, recovery, wasCreated: recovery.Scans.Count == 0);
    }

    /// <summary>
    /// What was found for <paramref name="group"/>; the caller takes it once, afterwards it is freed.
    /// </summary>
    public RecoveredLog TakeRecovered(GroupId group)
    {
        ThrowIfUnusable();
        var state = GroupOf(group);
        IReadOnlyList<LogEntry> entries = _recovered.TryGetValue(group.Value, out var found) ? found : [];
        _recovered.Remove(group.Value);
        return new RecoveredLog(state.HardState, state.LogStart, entries);
    }

    /// <summary>Buffers term and vote.</summary>
    public void Append(GroupId group, HardState state)
    {
        ThrowIfUnusable();
#if MUTANTS
        if (StorageMutants.StateAheadOfLog)
        {
            _late.Add((group, state)); // Mutant 30.
            return;
        }
#endif
        WalBodies.Write(_batch.Begin(WalBodies.HardStateBytes), state);
        _batch.Finish(WalRecordType.HardState, group, WalBodies.HardStateBytes);
        GroupOf(group).HardState = state;
        _unstated.Remove(group);
    }

    /// <summary>Buffers "the log of this group now starts after <paramref name="logStart"/> and is empty".</summary>
    public void AppendReset(GroupId group, EntryId logStart)
    {
        ThrowIfUnusable();
        WalBodies.Write(_batch.Begin(WalBodies.ResetBytes), logStart);
        _batch.Finish(WalRecordType.Reset, group, WalBodies.ResetBytes, logStart.Index);
        var state = GroupOf(group);
        state.LogStart = logStart;
        state.End = logStart.Index;
        NoteUnstated(group);
    }

    /// <summary>
    /// Buffers entries with consecutive indexes; a first index at or below the end replaces the tail.
    /// </summary>
    public void Append(GroupId group, ReadOnlySpan<LogEntry> entries)
    {
        ThrowIfUnusable();
        if (entries.IsEmpty)
        {
            return;
        }

        var state = GroupOf(group);
        var first = entries[0].Index;
        if (first <= state.LogStart.Index || first > state.End.Next)
        {
            throw new ArgumentException(
                $"Group {group}: entry {first} does not fit a log of ({state.LogStart.Index}, {state.End}].",
                nameof(entries));
        }

        while (!entries.IsEmpty)
        {
            var (count, bytes) = Fit(entries);
            WalEntries.Encode(entries[..count], _batch.Begin(bytes));
            _batch.Finish(WalRecordType.Entries, group, bytes, entries[0].Index, count);
            state.End = entries[count - 1].Index;
            entries = entries[count..];
        }

        NoteUnstated(group);
    }

    /// <summary>Writes and syncs everything buffered. When it returns, all of it survives a power failure.</summary>
    /// <exception cref="IOException">
    /// No room (<see cref="DiskErrors.IsFull"/>): nothing was written, everything is still buffered, and Sync may be
    /// called again. After any other failure the log is unusable.
    /// </exception>
    public void Sync()
    {
        ThrowIfUnusable();
        if (_batch.IsEmpty)
        {
            return;
        }

        RepeatHardStates();
        MakeRoom();
        try
        {
            foreach (var part in _batch.Parts)
            {
                if (part.Header is { } header)
                {
                    Roll(header);
                }

                if (part.Length > 0)
                {
                    var file = _segments[^1].File;
                    file.Write(_batch.BytesOf(part), part.FileOffset);
#if MUTANTS
                    if (StorageMutants.FailedSyncRetried)
                    {
                        try
                        {
                            file.Sync();
                            continue;
                        }
                        catch (SyncFailedException)
                        {
                            // Mutant 32: asks again.
                        }
                    }
#endif
                    file.Sync();
                }
            }
        }
        catch (Exception e)
        {
            _failure = e; // What is on the medium is unknown now; only the next start can tell.
            throw;
        }

        Publish();
        _isClosedInOrder = false;
        _batch.Restart();
        DeleteBelow(_deletable);
#if MUTANTS
        foreach (var (group, state) in _late)
        {
            WalBodies.Write(_batch.Begin(WalBodies.HardStateBytes), state);
            _batch.Finish(WalRecordType.HardState, group, WalBodies.HardStateBytes);
            GroupOf(group).HardState = state;
        }

        _late.Clear();
#endif
    }

    /// <summary>
    /// Says that entries up to <paramref name="kept"/> are covered by a durable snapshot; deletes whole
    /// segments that hold nothing else. Term and vote are carried over first, durably. Without room for that (see
    /// <see cref="Sync"/>) the segments stay until the next sync.
    /// </summary>
    public void CutBefore(GroupId group, EntryId kept)
    {
        ThrowIfUnusable();
        var state = GroupOf(group);
        if (kept.Index <= state.LogStart.Index)
        {
            Sync(); // Perhaps a cut for whose checkpoint there was no room.
            return;
        }

        if (kept.Index > state.End)
        {
            throw new ArgumentException($"Group {group}: the log ends at {state.End}, before {kept}.", nameof(kept));
        }

        Sync(); // Only durable records are in the index, which decides what is still needed.
        state.LogStart = kept;
        _index.Cut(group, kept.Index);
        var lowest = _segments[0].Sequence;
        var needed = _index.LowestSegment(otherwise: _segments[^1].Sequence);
        if (needed > lowest)
        {
            // All that older segments alone may know. The number of the first segment comes with the last of them,
            // because a torn batch leaves a prefix: the old segments are given up only when every group's checkpoint is
            // there.
            foreach (var (other, otherState) in _groups)
            {
                AppendCheckpoint(new GroupId(other), otherState, lowest);
            }
        }

        AppendCheckpoint(group, state, needed);
        _deletable = needed;
        Sync();
    }

    /// <summary>
    /// Reads durable entries from <paramref name="from"/> on: at least one, then up to <paramref name="bytesMax"/>.
    /// </summary>
    /// <returns>Empty when <paramref name="from"/> was cut or is past the end.</returns>
    /// <exception cref="WalCorruptException">
    /// A record that was whole when it was written or recovered is not any more.
    /// </exception>
    public IReadOnlyList<LogEntry> Read(GroupId group, LogIndex from, int bytesMax)
    {
        ThrowIfUnusable();
        var locations = _index.Lease(group, from, bytesMax);
        try
        {
            return WalReader.Read(locations, from, bytesMax);
        }
        finally
        {
            foreach (var location in locations)
            {
                location.Segment.Return();
            }
        }
    }

    /// <summary>
    /// Creates and zero-fills the next segment if there is none ready; call it off the hot path, from one thread.
    /// </summary>
    public void PrepareNextSegment()
    {
        ThrowIfUnusable();
        try
        {
            _files.PrepareSpare();
        }
        catch (SyncFailedException e)
        {
            _failure = e; // The disk lost bytes; a full disk (any other exception) costs only this attempt.
            throw;
        }
    }

    /// <summary>Closes in order: a durable mark says that everything before it was durable.</summary>
    /// <remarks>What was appended but not synced is given up: nobody was told that it is stored.</remarks>
    public void Dispose()
    {
        if (_isDisposed)
        {
            return;
        }

        try
        {
            MarkClosed();
        }
        finally
        {
            _isDisposed = true;
            foreach (var segment in _segments)
            {
                segment.Retire();
            }
        }
    }

    /// <summary>
    /// Prepares every segment the batch needs before its first byte is written: a disk that is full is noticed while
    /// everything can still wait.
    /// </summary>
    private void MakeRoom()
    {
        try
        {
            foreach (var part in _batch.Parts)
            {
                if (part.Header is { } header)
                {
                    _files.MakeReady(header);
                }
            }
        }
        catch (Exception e) when (e is not IOException full || !DiskErrors.IsFull(full))
        {
            _failure = e;
            throw;
        }
    }

    private static (int Count, int Bytes) Fit(ReadOnlySpan<LogEntry> entries)
    {
        var bytes = EntryCodec.Size(entries[0]);
        var count = 1;
        while (count < entries.Length)
        {
            Invariant.Holds(entries[count].Index == entries[count - 1].Index.Next, "Appended entries are consecutive.");
            var more = EntryCodec.Size(entries[count]);
            if (bytes + more > RecordBodyBytesMax)
            {
                break;
            }

            bytes += more;
            count++;
        }

        return (count, bytes);
    }

    private void AppendCheckpoint(GroupId group, WalGroup state, ulong firstSegment)
    {
        WalBodies.WriteCheckpoint(
            _batch.Begin(WalBodies.CheckpointBytes), state.HardState, state.LogStart, firstSegment);
        _batch.Finish(WalRecordType.Checkpoint, group, WalBodies.CheckpointBytes);
        _unstated.Remove(group);
    }

    private void NoteUnstated(GroupId group)
    {
        if (!_unstated.Contains(group))
        {
            _unstated.Add(group);
        }
    }

    /// <summary>
    /// A batch ends with term and vote, although they are in the log already: whatever in front of it is damaged later,
    /// the node knows that it promised nothing since (docs/formats.md, Mending).
    /// </summary>
    private void RepeatHardStates()
    {
        foreach (var group in _unstated)
        {
            const int RecordBytes = WalRecordHeader.Bytes + WalBodies.HardStateBytes;
            if (_batch.Length <= WalBatch.BytesMax - WalRecordHeader.Pad(RecordBytes))
            {
                WalBodies.Write(_batch.Begin(WalBodies.HardStateBytes), GroupOf(group).HardState);
                _batch.Finish(WalRecordType.HardState, group, WalBodies.HardStateBytes);
            }
        }

        _unstated.Clear();
    }

    private void Publish()
    {
        foreach (var change in _batch.Changes)
        {
            if (change.Type == WalRecordType.Reset)
            {
                _index.Reset(change.Group, change.First);
                continue;
            }

            var segment = _segments[^1];
            for (var i = _segments.Count - 1; segment.Sequence != change.Part.Sequence; i--)
            {
                segment = _segments[i];
            }

            _index.Add(
                change.Group, new WalLocation(change.First, change.Count, segment, change.Offset, change.PaddedLength));
        }
    }

    /// <summary>
    /// The full segment is durable: makes the next one, and only then says in the full one that it exists.
    /// </summary>
    private void Roll(in WalSegmentHeader header)
    {
        var full = _segments[^1];
        Add(header);
        WalRecovery.WriteSealed(full, header.PreviousEnd, header.PreviousChain);
    }

    private WalSegment Add(in WalSegmentHeader header)
    {
        var segment = _files.Create(header);
        _segments.Add(segment);
        Interlocked.Add(ref _segmentBytes, segment.Size);
        return segment;
    }

    private void DeleteBelow(ulong sequence)
    {
        var count = _segments.FindIndex(segment => segment.Sequence >= sequence);
        if (count == 0)
        {
            return;
        }

        var old = _segments[..count];
        _segments.RemoveRange(0, count);
        foreach (var segment in old)
        {
            segment.Retire();
            Interlocked.Add(ref _segmentBytes, -segment.Size);
        }

        _files.Delete([.. old.Select(segment => segment.Sequence)]);
    }

    private void MarkClosed()
    {
        if (_failure is not null || _isClosedInOrder)
        {
            return;
        }

        _batch.Abandon();
        _unstated.Clear();
        if (_batch.Room >= WalRecordHeader.Bytes)
        {
            _batch.Begin(0);
            _batch.Finish(WalRecordType.Closed, default, 0);
            Sync();
        }
    }

    private WalGroup GroupOf(GroupId group)
    {
        if (!_groups.TryGetValue(group.Value, out var state))
        {
            state = new WalGroup();
            _groups.Add(group.Value, state);
        }

        return state;
    }

    private void ThrowIfUnusable()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}

/// <summary>A damaged record that is not a torn tail: the node must not vote with what is left.</summary>
public sealed class WalCorruptException : IOException
{
    public WalCorruptException(string file, long offset, string expected, string found)
        : base($"{file}: corrupt at byte {offset}: expected {expected}, found {found}.")
    {
        File = file;
        Offset = offset;
    }

    public string File { get; }

    public long Offset { get; }
}
