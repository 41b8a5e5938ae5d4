using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>Writes a snapshot's body. Dispose without <see cref="Publish"/> removes the temporary file.</summary>
public sealed class SnapshotWriter : IDisposable
{
    private readonly SnapshotStore _store;
    private readonly string _path;
    private readonly IDiskFile _file;
    private readonly EntryId _lastIncluded;
    private readonly Membership _membership;
    private readonly uint _salt;
    private readonly byte[] _chunk = new byte[SnapshotFormat.ChunkHeaderBytes + SnapshotFormat.ChunkBytes];
    private int _chunkLength;
    private long _position;
    private uint _register = uint.MaxValue;
    private bool _isDone;

    internal SnapshotWriter(SnapshotStore store, string path, EntryId lastIncluded, Membership membership)
    {
        _store = store;
        _path = path;
        _lastIncluded = lastIncluded;
        _membership = membership;
        _file = store.Disk.Open(path, create: true);
        try
        {
            _file.SetLength(0);
            Put(SnapshotFormat.WriteHeader(store.Group, lastIncluded, membership, out _salt));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Bytes of the body written so far.</summary>
    public long BodyBytes { get; private set; }

    /// <summary>Appends bytes of the body.</summary>
    /// <exception cref="IOException">
    /// E.g. the disk is full: dispose the writer, the older snapshot stays valid.
    /// </exception>
    public void Write(ReadOnlySpan<byte> bytes)
    {
        ObjectDisposedException.ThrowIf(_isDone, this);
        while (!bytes.IsEmpty)
        {
            var count = Math.Min(bytes.Length, SnapshotFormat.ChunkBytes - _chunkLength);
            bytes[..count].CopyTo(_chunk.AsSpan(SnapshotFormat.ChunkHeaderBytes + _chunkLength));
            bytes = bytes[count..];
            _chunkLength += count;
            BodyBytes += count;
            if (_chunkLength == SnapshotFormat.ChunkBytes)
            {
                PutChunk();
            }
        }
    }

    /// <summary>Syncs, renames, syncs the directory. When it returns, the snapshot survives a power failure.</summary>
    /// <exception cref="SyncFailedException">What reached the medium is unknown: the node must stop.</exception>
    public SnapshotDescriptor Publish()
    {
        ObjectDisposedException.ThrowIf(_isDone, this);
        if (_chunkLength > 0)
        {
            PutChunk();
        }

        var footer = new byte[SnapshotFormat.FooterBytes];
        SnapshotFormat.WriteFooter(footer, _salt, BodyBytes, ~_register);
        Put(footer);
        _file.Sync();

        var snapshot = new SnapshotDescriptor(_lastIncluded, _membership, (ulong)_position, ~_register);
        _store.Publish(_path, snapshot);
        _isDone = true;
        _file.Dispose();
        _store.Finished();
        return snapshot;
    }

    public void Dispose()
    {
        if (!_isDone)
        {
            _isDone = true;
            _file.Dispose();
            _store.Disk.Delete(_path);
            _store.Finished();
        }
    }

    private void PutChunk()
    {
        SnapshotFormat.WriteChunkHeader(_chunk, _salt, BodyBytes - _chunkLength, _chunkLength);
        Put(_chunk.AsSpan(0, SnapshotFormat.ChunkHeaderBytes + _chunkLength));
        _chunkLength = 0;
    }

    private void Put(ReadOnlySpan<byte> bytes)
    {
        _file.Write(bytes, _position);
        _position += bytes.Length;
        _register = Crc32C.Continue(_register, bytes);
    }
}
