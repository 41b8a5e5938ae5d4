using System.Buffers;

namespace Kvorum.Storage;

/// <summary>Makes segment files: zero-filled, synced, under their name only when complete.</summary>
/// <remarks>
/// The writer calls <see cref="Create"/>, one other thread may call <see cref="PrepareSpare"/>; the lock covers only
/// the hand-over of the finished spare.
/// </remarks>
internal sealed class WalFiles(IDisk disk, string directory, long segmentBytes)
{
    /// <summary>Zeros are written in pieces of this size, so that no large buffer is held.</summary>
    private const int ZeroBytesPerWrite = 1024 * 1024;

    private static readonly byte[] Zeros = new byte[ZeroBytesPerWrite]; // Nobody writes into it.

    /// <summary>
    /// And synced in pieces of this size, so that the log's own syncs never wait for a whole segment.
    /// </summary>
    private const int ZeroBytesPerSync = 8 * 1024 * 1024;

    private const string SpareName = "spare";
    private const string SpareTemporaryName = "spare.tmp";

    private readonly Lock _gate = new();
    private readonly List<(string Name, ulong Sequence, long Size)> _ready = [];
    private bool _hasSpare;
    private bool _isPreparing;

    public string Directory => directory;

    public bool NeedsSpare
    {
        get
        {
            lock (_gate)
            {
                return !_hasSpare && !_isPreparing && !StorageMutants.SegmentReusedUncleared;
            }
        }
    }

    public long SpareBytes
    {
        get
        {
            lock (_gate)
            {
                return _hasSpare ? segmentBytes : 0;
            }
        }
    }

    public string PathOf(string name) => Path.Combine(directory, name);

    /// <summary>Removes what an interrupted start or roll left; a spare that is whole stays.</summary>
    public void CleanUp()
    {
        foreach (var name in disk.List(directory))
        {
            if (name.EndsWith(".tmp", StringComparison.Ordinal))
            {
                disk.Delete(PathOf(name));
            }
            else if (name == SpareName)
            {
                _hasSpare = IsZeroFilled(PathOf(name));
                if (!_hasSpare)
                {
                    disk.Delete(PathOf(name));
                }
            }
        }
    }

    /// <summary>Makes the spare if there is none; when it fails nothing but the attempt is lost.</summary>
    public void PrepareSpare()
    {
        lock (_gate)
        {
            if (_hasSpare || _isPreparing)
            {
                return;
            }

            _isPreparing = true;
        }

        var isMade = false;
        try
        {
            Fill(SpareTemporaryName, segmentBytes);
            disk.Rename(PathOf(SpareTemporaryName), PathOf(SpareName));
            disk.SyncDirectory(directory);
            isMade = true;
        }
        finally
        {
            lock (_gate)
            {
                _hasSpare = isMade;
                _isPreparing = false;
            }
        }
    }

    /// <summary>
    /// Zero-fills a file for the segment that <paramref name="header"/> describes, or takes the spare. When it fails
    /// for want of room, nothing but the attempt is lost; what was made before is kept for the next one.
    /// </summary>
    public void MakeReady(in WalSegmentHeader header)
    {
        var (sequence, size) = (header.Sequence, header.Size);
        if (_ready.Exists(file => file.Sequence == sequence && file.Size == size))
        {
            return;
        }

        var name = "next-" + WalSegment.NameOf(sequence) + ".tmp";
        if (!TryTakeSpare(size, name))
        {
            Fill(name, size);
        }

        _ready.Add((name, sequence, size));
    }

    /// <summary>Makes the segment that <paramref name="header"/> describes, durably.</summary>
    public WalSegment Create(in WalSegmentHeader header)
    {
        MakeReady(header);
        var sequence = header.Sequence;
        var from = _ready.Find(file => file.Sequence == sequence).Name;
        _ready.RemoveAll(file => file.Sequence <= sequence);

        Span<byte> bytes = stackalloc byte[WalSegmentHeader.Bytes];
        var salt = header.Write(bytes);
        using (var file = disk.Open(PathOf(from), create: false))
        {
            file.Write(bytes, 0);
            file.Sync();
        }

        var path = PathOf(WalSegment.NameOf(header.Sequence));
        disk.Rename(PathOf(from), path);
        if (!StorageMutants.RenameWithoutDirectorySync)
        {
            disk.SyncDirectory(directory);
        }

        return new WalSegment(disk.Open(path, create: false), header.Sequence, header.Size, salt);
    }

    /// <summary>Deletes segment files, lowest first, and makes that durable.</summary>
    public void Delete(IReadOnlyList<ulong> sequences)
    {
#if MUTANTS
        if (StorageMutants.SegmentReusedUncleared && sequences.Count > 0 && !_hasSpare)
        {
            disk.Rename(PathOf(WalSegment.NameOf(sequences[0])), PathOf(SpareName)); // Mutant 37.
            _hasSpare = true;
        }
#endif
        foreach (var sequence in sequences)
        {
            disk.Delete(PathOf(WalSegment.NameOf(sequence)));
        }

        disk.SyncDirectory(directory);
    }

    /// <summary>Moves all segments into <paramref name="aside"/>, durably, in place of what was there.</summary>
    public void SetAside(string aside)
    {
        disk.CreateDirectory(aside);
        foreach (var name in disk.List(aside))
        {
            disk.Delete(Path.Combine(aside, name));
        }

        foreach (var name in disk.List(directory))
        {
            if (WalSegment.TryParseName(name, out _))
            {
                disk.Rename(PathOf(name), Path.Combine(aside, name));
            }
        }

        disk.SyncDirectory(aside);
        disk.SyncDirectory(directory);
    }

    private bool TryTakeSpare(long size, string name)
    {
        lock (_gate)
        {
            if (!_hasSpare || size != segmentBytes)
            {
                return false;
            }

            // Out of the way of the next spare, which may be ready before this one has a header.
            disk.Rename(PathOf(SpareName), PathOf(name));
            _hasSpare = false;
            return true;
        }
    }

    private void Fill(string name, long size)
    {
        var path = PathOf(name);
        try
        {
            using var file = disk.Open(path, create: true);
            file.SetLength(0);
            var zeros = Zeros.AsSpan(0, (int)Math.Min(size, ZeroBytesPerWrite));
            for (long offset = 0, unsynced = 0; offset < size;)
            {
                var count = (int)Math.Min(zeros.Length, size - offset);
                file.Write(zeros[..count], offset);
                offset += count;
                unsynced += count;
                if (unsynced >= ZeroBytesPerSync)
                {
                    file.Sync();
                    unsynced = 0;
                }
            }

            file.Sync();
        }
        catch (IOException)
        {
            // A full disk must not stay full because of the attempt.
            TryDelete(path);
            throw;
        }
    }

    private void TryDelete(string path)
    {
        try
        {
            disk.Delete(path);
        }
        catch (IOException)
        {
            // The failure that is already on its way says more; the next start removes the file.
        }
    }

    private bool IsZeroFilled(string path)
    {
        using var file = disk.Open(path, create: false);
        if (file.Length != segmentBytes)
        {
            return false;
        }

        var size = (int)Math.Min(segmentBytes, ZeroBytesPerWrite);
        var buffer = ArrayPool<byte>.Shared.Rent(size);
        try
        {
            for (long offset = 0; offset < segmentBytes;)
            {
                var count = file.Read(buffer.AsSpan(0, size), offset);
                if (count == 0 || buffer.AsSpan(0, count).ContainsAnyExcept((byte)0))
                {
                    return false;
                }

                offset += count;
            }

            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
