using System.Globalization;

using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// Raft snapshots of one group on disk: written to a temporary file, synced, renamed, directory synced.
/// </summary>
/// <remarks>
/// One thread creates, one thread receives, any thread reads. A failed sync (<see cref="SyncFailedException"/>) must
/// stop the node; other failures of a write leave the older snapshot valid.
/// </remarks>
public sealed class SnapshotStore
{
    private const string CorruptSuffix = ".corrupt";

    private readonly Lock _gate = new();
    private readonly string _directory;
    private readonly string _writingPath;
    private readonly SnapshotReception _reception;
    private readonly List<string> _damaged = [];
    private SnapshotDescriptor[] _published = []; // Oldest first; those that were verified or written by this process.
    private bool _isWriting;

    /// <summary>Opens the directory and verifies snapshots from the newest on until one is whole.</summary>
    /// <exception cref="IOException">
    /// The disk failed; a damaged snapshot is not a failure, see <see cref="Damaged"/>.
    /// </exception>
    public SnapshotStore(IDisk disk, string directory, GroupId group)
    {
        Disk = disk;
        Group = group;
        _directory = directory;
        var prefix = group.Value.ToString("x8", CultureInfo.InvariantCulture);
        _writingPath = PathOf(prefix + ".writing.tmp");
        disk.CreateDirectory(directory);
        disk.Delete(_writingPath);
        FindNewest();
        _reception = new SnapshotReception(disk, PathOf(prefix + ".received"), group);
    }

    /// <summary>
    /// The newest snapshot whose header and checksums are whole; older and damaged ones are told to the caller.
    /// </summary>
    public SnapshotDescriptor? Newest
    {
        get
        {
            lock (_gate)
            {
                return _published.Length > 0 ? _published[^1] : null;
            }
        }
    }

    /// <summary>
    /// What was found damaged at the start, one sentence per file; the files are kept under another name.
    /// </summary>
    public IReadOnlyList<string> Damaged => _damaged;

    internal IDisk Disk { get; }

    internal GroupId Group { get; }

    /// <summary>Begins a snapshot of this replica's own state; the body follows in chunks. One at a time.</summary>
    public SnapshotWriter Create(EntryId lastIncluded, Membership membership)
    {
        lock (_gate)
        {
            if (_isWriting)
            {
                throw new InvalidOperationException($"Group {Group}: a snapshot is being written already.");
            }

            _isWriting = true;
        }

        try
        {
            return new SnapshotWriter(this, _writingPath, lastIncluded, membership);
        }
        catch
        {
            Finished();
            throw;
        }
    }

    /// <summary>Opens a stored snapshot's body; every chunk's checksum is verified as it is read.</summary>
    /// <exception cref="SnapshotCorruptException">A checksum does not match.</exception>
    public SnapshotReader OpenBody(SnapshotDescriptor snapshot) =>
        new(Disk.Open(PathOf(snapshot), create: false), Group, snapshot);

    /// <summary>
    /// Raw bytes of the whole file, for a transfer, checked against the checksums that cover them; empty when the
    /// snapshot is gone. From any thread.
    /// </summary>
    /// <exception cref="SnapshotCorruptException">
    /// Damaged: nothing of it is given out; <see cref="SetAside(SnapshotDescriptor)"/> it.
    /// </exception>
    public byte[] ReadRaw(SnapshotDescriptor snapshot, ulong offset, int bytesMax)
    {
        if (!IsPublished(snapshot) || offset >= snapshot.Length)
        {
            return [];
        }

        try
        {
            using var file = Disk.Open(PathOf(snapshot), create: false);
            var count = (int)Math.Min((ulong)bytesMax, snapshot.Length - offset);
            return SnapshotRange.Read(file, Group, snapshot, (long)offset, count);
        }
        catch (IOException) when (!IsPublished(snapshot))
        {
            return []; // Deleted in between.
        }
    }

    /// <summary>
    /// Where a transfer of <paramref name="snapshot"/> goes on: bytes already stored for exactly this descriptor.
    /// </summary>
    public ulong ReceivedLength(SnapshotDescriptor snapshot) =>
        IsPublished(snapshot) ? snapshot.Length : _reception.LengthOf(snapshot);

    /// <summary>
    /// Stores raw bytes of an incoming snapshot at <paramref name="offset"/>; a different descriptor than before starts
    /// afresh.
    /// </summary>
    /// <returns>The first byte not stored yet.</returns>
    public ulong Receive(SnapshotDescriptor snapshot, ulong offset, ReadOnlySpan<byte> data) =>
        IsPublished(snapshot) ? snapshot.Length : _reception.Add(snapshot, offset, data);

    /// <summary>
    /// Verifies a completely received snapshot and publishes it durably. False: damaged, received bytes dropped, start
    /// at 0 again.
    /// </summary>
    /// <exception cref="SyncFailedException">What reached the medium is unknown: the node must stop.</exception>
    public bool TryPublishReceived(SnapshotDescriptor snapshot)
    {
        if (IsPublished(snapshot))
        {
            return true; // The answer to an earlier call was lost.
        }

        if (!_reception.TryComplete(snapshot))
        {
            return false;
        }

        Publish(_reception.BytesPath, snapshot);
        _reception.Drop();
        return true;
    }

    /// <summary>A snapshot turned out damaged: it is no longer one, and its file is kept under another name.</summary>
    public void SetAside(SnapshotDescriptor snapshot)
    {
        lock (_gate)
        {
            _published = [.. _published.Where(other => other != snapshot)];
        }

        SetAside(SnapshotFormat.NameOf(Group, snapshot.LastIncluded));
    }

    /// <summary>Gives up what was received of a snapshot so far and frees its room.</summary>
    public void DropReceived() => _reception.Drop();

    /// <summary>Deletes snapshots older than the newest and leftovers of broken writes.</summary>
    /// <param name="inUse">One that is being sent: kept as well, if it is stored here.</param>
    public void DeleteOld(SnapshotDescriptor? inUse = null)
    {
        SnapshotDescriptor newest;
        EntryId? kept = null;
        lock (_gate)
        {
            if (_published.Length == 0)
            {
                return;
            }

            newest = _published[^1];
            _published = [.. _published.Where(other => other == newest || other == inUse)];
            kept = _published.Length > 1 ? inUse?.LastIncluded : null;
            if (!_isWriting)
            {
                Disk.Delete(_writingPath);
            }
        }

        foreach (var name in Disk.List(_directory))
        {
            if (SnapshotFormat.TryParseName(name, Group, out var id) && id != kept
                && id.Index < newest.LastIncluded.Index)
            {
                Disk.Delete(PathOf(name));
            }
        }

        Disk.SyncDirectory(_directory);
    }

    /// <summary>A synced file becomes a snapshot.</summary>
    internal void Publish(string from, SnapshotDescriptor snapshot)
    {
        Disk.Rename(from, PathOf(snapshot));
        if (!StorageMutants.RenameWithoutDirectorySync)
        {
            Disk.SyncDirectory(_directory);
        }

        lock (_gate)
        {
            // Another one of the same place in the log is the same state, but not the same bytes.
            _published =
            [
                .. _published.Where(other => other.LastIncluded != snapshot.LastIncluded)
                    .Append(snapshot).OrderBy(other => other.LastIncluded.Index),
            ];
        }
    }

    /// <summary>The writer is done, one way or the other: another may begin.</summary>
    internal void Finished()
    {
        lock (_gate)
        {
            _isWriting = false;
        }
    }

    private void FindNewest()
    {
        var candidates = Disk.List(_directory)
            .Where(name => SnapshotFormat.TryParseName(name, Group, out _))
            .OrderDescending(StringComparer.Ordinal); // The name begins with the index.
        foreach (var name in candidates)
        {
            try
            {
                if (Verify(PathOf(name)) is { } snapshot && PathOf(snapshot) == PathOf(name))
                {
                    _published = [snapshot];
                    return;
                }

                _damaged.Add($"{PathOf(name)}: the name and the content are of different snapshots.");
            }
            catch (SnapshotCorruptException e)
            {
                _damaged.Add(e.Message);
            }

            SetAside(name);
        }
    }

    /// <summary>One damaged file is kept, the last one.</summary>
    private void SetAside(string name)
    {
        var prefix = name[..9];
        foreach (var other in Disk.List(_directory))
        {
            if (other.StartsWith(prefix, StringComparison.Ordinal)
                && other.EndsWith(CorruptSuffix, StringComparison.Ordinal))
            {
                Disk.Delete(PathOf(other));
            }
        }

        Disk.Rename(PathOf(name), PathOf(name + CorruptSuffix));
        Disk.SyncDirectory(_directory);
    }

    private SnapshotDescriptor? Verify(string path)
    {
        using var reader = new SnapshotReader(Disk.Open(path, create: false), Group, expected: null);
        var buffer = new byte[SnapshotFormat.ChunkBytes];
        while (reader.Read(buffer) > 0)
        {
            // Reading is what verifies.
        }

        return reader.Found;
    }

    private bool IsPublished(SnapshotDescriptor snapshot)
    {
        lock (_gate)
        {
            return _published.Contains(snapshot);
        }
    }

    private string PathOf(SnapshotDescriptor snapshot) => PathOf(SnapshotFormat.NameOf(Group, snapshot.LastIncluded));

    private string PathOf(string name) => Path.Combine(_directory, name);
}

/// <summary>A snapshot whose bytes do not match their checksums.</summary>
public sealed class SnapshotCorruptException(string file, long offset, string what)
    : IOException($"{file}: corrupt at byte {offset}: {what}.");
