using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>Reads a snapshot's body in order.</summary>
public sealed class SnapshotReader : IDisposable
{
    private readonly IDiskFile _file;
    private readonly SnapshotDescriptor? _expected;
    private readonly byte[] _chunk = new byte[SnapshotFormat.ChunkHeaderBytes + SnapshotFormat.ChunkBytes];
    private readonly uint _salt;
    private readonly EntryId _lastIncluded;
    private readonly Membership _membership;
    private int _chunkLength;
    private int _chunkRead;
    private long _position;
    private long _bodyBytes;
    private uint _register = uint.MaxValue;
    private bool _isLastChunk;
    private SnapshotDescriptor? _found;

    /// <summary>Takes the file over and checks its header.</summary>
    internal SnapshotReader(IDiskFile file, GroupId group, SnapshotDescriptor? expected)
    {
        _file = file;
        _expected = expected;
        try
        {
            if (expected is not null && (ulong)file.Length != expected.Length)
            {
                throw Corrupt($"{file.Length} bytes instead of {expected.Length}");
            }

            var bytes = new byte[SnapshotFormat.HeaderBytesMax];
            var count = ReadAt(bytes, 0);
            var wrong = SnapshotFormat.ReadHeader(
                bytes.AsSpan(0, count), group, out _lastIncluded, out var membership, out var length, out _salt);
            _membership = membership ?? throw Corrupt(wrong ?? "no membership");
            Advance(bytes.AsSpan(0, length));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>What the file turned out to be; known once <see cref="Read"/> returned 0.</summary>
    internal SnapshotDescriptor? Found => _found;

    /// <summary>
    /// Fills <paramref name="buffer"/> as far as the body goes; 0 at its end, and only after the whole checksum
    /// matched.
    /// </summary>
    /// <exception cref="SnapshotCorruptException">A checksum does not match.</exception>
    public int Read(Span<byte> buffer)
    {
        var done = 0;
        while (done < buffer.Length && (_chunkRead < _chunkLength || TryReadChunk()))
        {
            var count = Math.Min(buffer.Length - done, _chunkLength - _chunkRead);
            _chunk.AsSpan(SnapshotFormat.ChunkHeaderBytes + _chunkRead, count).CopyTo(buffer[done..]);
            _chunkRead += count;
            done += count;
        }

        return done;
    }

    public void Dispose() => _file.Dispose();

    private bool TryReadChunk()
    {
        if (_found is not null)
        {
            return false;
        }

        var count = ReadAt(_chunk, _position);
        if (count < SnapshotFormat.ChunkHeaderBytes)
        {
            throw Corrupt("the file ends early");
        }

        var length = SnapshotFormat.ChunkLength(_chunk);
        if (length == 0)
        {
            ReadFooter(_chunk.AsSpan(0, count));
            return false;
        }

        if (length > SnapshotFormat.ChunkBytes || SnapshotFormat.ChunkHeaderBytes + (int)length > count || _isLastChunk
            || !SnapshotFormat.IsChunk(_chunk, _salt, _bodyBytes, (int)length))
        {
            throw Corrupt("a chunk does not match its checksum or its place");
        }

        _isLastChunk = length < SnapshotFormat.ChunkBytes;
        _chunkLength = (int)length;
        _chunkRead = 0;
        _bodyBytes += length;
        Advance(_chunk.AsSpan(0, SnapshotFormat.ChunkHeaderBytes + (int)length));
        return true;
    }

    private int ReadAt(byte[] buffer, long offset)
    {
        try
        {
            return _file.Read(buffer, offset);
        }
        catch (IOException e) when (DiskErrors.IsUnreadable(e))
        {
            throw Corrupt(e.Message);
        }
    }

    private void ReadFooter(ReadOnlySpan<byte> rest)
    {
        if (!SnapshotFormat.IsFooter(rest, _salt, _bodyBytes, ~_register))
        {
            throw Corrupt("the footer does not match what it closes");
        }

        Advance(rest);
        var found = new SnapshotDescriptor(_lastIncluded, _membership, (ulong)_position, ~_register);
        if (_expected is not null && found != _expected)
        {
            throw Corrupt("whole, but not the snapshot that was asked for");
        }

        _found = found;
    }

    private void Advance(ReadOnlySpan<byte> bytes)
    {
        _register = Crc32C.Continue(_register, bytes);
        _position += bytes.Length;
    }

    private SnapshotCorruptException Corrupt(string what) => new(_file.Path, _position, what);
}
