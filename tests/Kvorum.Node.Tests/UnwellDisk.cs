using Kvorum.Storage;

namespace Kvorum.Node.Tests;

/// <summary>Real files on a disk that can run full, and whose syncs can hang.</summary>
internal sealed class UnwellDisk : IDisk
{
    private readonly FileDisk _disk = new();
    private readonly object _gate = new();
    private string? _hanging;
    private int _waiting;

    /// <summary>Files whose path contains this may not grow; null: all may.</summary>
    public string? Full { get; set; }

    /// <summary>How many syncs hang at the moment.</summary>
    public int Waiting => Volatile.Read(ref _waiting);

    /// <summary>
    /// From now on a sync of such files, those of the log if nothing is said, does not return before
    /// <see cref="LetSyncsGo"/>.
    /// </summary>
    public void HangSyncs(string ofFiles = ".wal")
    {
        lock (_gate)
        {
            _hanging = ofFiles;
        }
    }

    public void LetSyncsGo()
    {
        lock (_gate)
        {
            _hanging = null;
            Monitor.PulseAll(_gate);
        }
    }

    public IDiskFile Open(string path, bool create) => new UnwellFile(this, _disk.Open(path, create));

    public bool Exists(string path) => _disk.Exists(path);

    public IReadOnlyList<string> List(string directory) => _disk.List(directory);

    public void CreateDirectory(string path) => _disk.CreateDirectory(path);

    public void Rename(string from, string to) => _disk.Rename(from, to);

    public void Delete(string path) => _disk.Delete(path);

    public void SyncDirectory(string path) => _disk.SyncDirectory(path);

    public IDisposable? TryLock(string path) => _disk.TryLock(path);

    private void WaitForTurn(string path)
    {
        lock (_gate)
        {
            _waiting++;
            while (_hanging is { } files && path.EndsWith(files, StringComparison.Ordinal))
            {
                Monitor.Wait(_gate);
            }

            _waiting--;
        }
    }

    private sealed class UnwellFile(UnwellDisk owner, IDiskFile file) : IDiskFile
    {
        public string Path => file.Path;

        public long Length => file.Length;

        public int Read(Span<byte> buffer, long offset) => file.Read(buffer, offset);

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            if (owner.Full is { } full && Path.Contains(full, StringComparison.Ordinal)
                && offset + bytes.Length > file.Length)
            {
                throw new IOException($"pwrite {Path}: No space left on device (error 28).", DiskErrors.NoSpace);
            }

            file.Write(bytes, offset);
        }

        public void SetLength(long length) => file.SetLength(length);

        public void Sync()
        {
            owner.WaitForTurn(Path);
            file.Sync();
        }

        public void Dispose() => file.Dispose();
    }
}
