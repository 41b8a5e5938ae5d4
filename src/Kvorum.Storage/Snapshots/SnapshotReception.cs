using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>
/// The bytes of one incoming snapshot, and a note which one they belong to, so that a transfer can go on.
/// </summary>
/// <remarks>Nothing here is synced before it is complete: what a crash spoils, the checksums find.</remarks>
internal sealed class SnapshotReception
{
    private readonly IDisk _disk;
    private readonly GroupId _group;
    private readonly string _notePath;
    private SnapshotDescriptor? _snapshot;
    private IDiskFile? _file;
    private ulong _length;

    /// <summary>So many of the bytes an earlier process wrote.</summary>
    private ulong _takenUp;

    /// <summary>Takes up what an earlier process left, if its note is readable.</summary>
    public SnapshotReception(IDisk disk, string pathPrefix, GroupId group)
    {
        _disk = disk;
        _group = group;
        _notePath = pathPrefix + ".meta";
        BytesPath = pathPrefix + ".tmp";
        if (!TryTakeUp())
        {
            Drop();
        }
    }

    public string BytesPath { get; }

    public ulong LengthOf(SnapshotDescriptor snapshot) => snapshot == _snapshot ? _length : 0;

    /// <summary>Stores what continues the bytes stored so far; anything else is left out.</summary>
    /// <returns>The first byte not stored yet.</returns>
    public ulong Add(SnapshotDescriptor snapshot, ulong offset, ReadOnlySpan<byte> data)
    {
        if (snapshot != _snapshot)
        {
            Drop();
            Start(snapshot);
        }

        if (offset > _length || offset + (ulong)data.Length <= _length)
        {
            return _length;
        }

        data = data[(int)(_length - offset)..];
        data = data[..(int)Math.Min((ulong)data.Length, snapshot.Length - _length)];
        _file ??= _disk.Open(BytesPath, create: true);
        _file.Write(data, (long)_length);
        _length += (ulong)data.Length;
        return _length;
    }

    /// <summary>
    /// Whether all bytes are here, synced, whole and those of <paramref name="snapshot"/>; drops them when not.
    /// </summary>
    public bool TryComplete(SnapshotDescriptor snapshot)
    {
        if (snapshot != _snapshot || _length != snapshot.Length || !IsWhole(snapshot))
        {
            Drop();
            return false;
        }

        return true;
    }

    /// <summary>Forgets the transfer and removes its files.</summary>
    public void Drop()
    {
        _file?.Dispose();
        _file = null;
        _snapshot = null;
        _length = 0;
        _takenUp = 0;
        _disk.Delete(_notePath);
        _disk.Delete(BytesPath);
    }

    private bool IsWhole(SnapshotDescriptor snapshot)
    {
        _file ??= _disk.Open(BytesPath, create: false);
        Rewrite(_file);
        _file.Sync();
        _file.Dispose();
        _file = null;
        try
        {
            using var reader = new SnapshotReader(_disk.Open(BytesPath, create: false), _group, snapshot);
            var buffer = new byte[SnapshotFormat.ChunkBytes];
            while (reader.Read(buffer) > 0)
            {
                // Reading is what verifies.
            }

            return true;
        }
        catch (SnapshotCorruptException)
        {
            return false;
        }
    }

    /// <summary>
    /// Writes again what an earlier process wrote: perhaps it ended because a sync failed, and after that the kernel
    /// may show bytes that the medium never got; only a write makes it try them once more.
    /// </summary>
    private void Rewrite(IDiskFile file)
    {
        var buffer = new byte[_takenUp == 0 ? 0 : SnapshotFormat.ChunkBytes];
        for (ulong offset = 0; offset < _takenUp;)
        {
            var left = (int)Math.Min((ulong)buffer.Length, _takenUp - offset);
            var count = file.Read(buffer.AsSpan(0, left), (long)offset);
            if (count == 0)
            {
                return; // Shorter than it was: the checksums find it.
            }

            file.Write(buffer.AsSpan(0, count), (long)offset);
            offset += (ulong)count;
        }

        _takenUp = 0;
    }

    private void Start(SnapshotDescriptor snapshot)
    {
        using (var note = _disk.Open(_notePath, create: true))
        {
            note.SetLength(0);
            note.Write(SnapshotFormat.WriteNote(_group, snapshot), 0);
        }

        _file = _disk.Open(BytesPath, create: true);
        _file.SetLength(0);
        _snapshot = snapshot;
    }

    private bool TryTakeUp()
    {
        if (!_disk.Exists(_notePath) || !_disk.Exists(BytesPath))
        {
            return false;
        }

        using (var note = _disk.Open(_notePath, create: false))
        {
            var bytes = new byte[SnapshotFormat.NoteBytesMax];
            if (!SnapshotFormat.TryReadNote(bytes.AsSpan(0, note.Read(bytes, 0)), _group, out _snapshot))
            {
                return false;
            }
        }

        _file = _disk.Open(BytesPath, create: false);
        _length = (ulong)_file.Length;
        _takenUp = _length;
        return _length <= _snapshot.Length;
    }
}
