using Kvorum.Storage;

namespace Kvorum.Simulator;

/// <summary>The port <see cref="IDisk"/> of one process: counts operations, fails as planned.</summary>
internal sealed class SimDiskHandle(SimProcess process) : IDisk
{
    private const int NoSpace = 28;
    private const int InputOutput = 5;

    private readonly SimDisk _disk = process.Node.Disk;
    private readonly SimWorld _world = process.World;

    /// <summary>The process ends at the so-many-th operation from now that changes something; 0: at none.</summary>
    public int OperationsUntilCrash { get; set; }

    public IDiskFile Open(string path, bool create)
    {
        ThrowIfGone(path);
        if (!_disk.Names.TryGetValue(path, out var file))
        {
            if (!create)
            {
                throw new IOException($"open {path}: No such file or directory (error 2).", 2);
            }

            Operate(TraceKind.DiskName, path, 0);
            _disk.Change(null, path, file = new SimFile());
            EndOperation(path);
        }

        return new OpenFile(this, path, file);
    }

    public bool Exists(string path)
    {
        ThrowIfGone(path);
        return _disk.Names.ContainsKey(path);
    }

    public IReadOnlyList<string> List(string directory)
    {
        ThrowIfGone(directory);
        var found = new List<string>();
        for (var i = 0; i < _disk.Names.Count; i++)
        {
            var path = _disk.Names.Keys[i];
            if (path.LastIndexOf('/') == directory.Length && path.StartsWith(directory, StringComparison.Ordinal))
            {
                found.Add(path[(directory.Length + 1)..]);
            }
        }

        return found;
    }

    public void CreateDirectory(string path) => ThrowIfGone(path);

    public void Rename(string from, string to)
    {
        ThrowIfGone(from);
        if (!_disk.Names.TryGetValue(from, out var file))
        {
            throw new IOException($"rename {from}: No such file or directory (error 2).", 2);
        }

        Operate(TraceKind.DiskName, from, 1);
        _disk.Change(from, to, file);
        EndOperation(from);
    }

    public void Delete(string path)
    {
        ThrowIfGone(path);
        if (_disk.Names.ContainsKey(path))
        {
            Operate(TraceKind.DiskName, path, 2);
            _disk.Change(path, null, null);
            EndOperation(path);
        }
    }

    public void SyncDirectory(string path)
    {
        ThrowIfGone(path);
        Operate(TraceKind.DiskName, path, 3);
        EndOperation(path);
        ThrowIfSyncsFail(path);
        _disk.SyncDirectory(path);
    }

    public IDisposable? TryLock(string path)
    {
        Open(path, create: true).Dispose();
        return _disk.TryLock(path) ? new HeldLock(this, path) : null;
    }

    private void ThrowIfGone(string path)
    {
        if (!process.IsAlive)
        {
            throw new IOException($"{path}: the process has ended.");
        }
    }

    private void ThrowIfSyncsFail(string path)
    {
        if (_disk.SyncFailsUntil > _world.Now)
        {
            throw SyncFailed(path);
        }
    }

    private void ThrowIfSyncFails(string path, SimFile file)
    {
        var failsOnce = _disk.SyncFailures > 0 && file.HasPending;
        if (failsOnce || _disk.SyncFailsUntil > _world.Now)
        {
            _disk.SyncFailures -= failsOnce ? 1 : 0;
            file.FailSync();
            throw SyncFailed(path);
        }
    }

    private SyncFailedException SyncFailed(string path)
    {
        _world.Injected.Add("disk.sync.failed");
        process.Node.HasDiskFailed = true;
        return new SyncFailedException($"fdatasync {path}: Input/output error (error 5).");
    }

    private void Operate(TraceKind kind, string path, ulong what)
    {
        ThrowIfGone(path);
        _world.Trace(kind, process.Place, what, (ulong)path.Length);
    }

    /// <summary>The planned end of the process comes after the operation had its effect, before it is told.</summary>
    private void EndOperation(string path)
    {
        if (OperationsUntilCrash > 0 && --OperationsUntilCrash == 0)
        {
            process.Node.CrashHere();
            ThrowIfGone(path);
        }
    }

    private void Reserve(string path, SimFile file, long length)
    {
        if (_disk.Quota != long.MaxValue && length > file.Length
            && _disk.BytesUsed + (length - file.Length) > _disk.Quota)
        {
            _world.Injected.Add("disk.full");
            process.Node.HasDiskFailed = true;
            throw new IOException($"pwrite {path}: No space left on device (error 28).", NoSpace);
        }
    }

    private sealed class HeldLock(SimDiskHandle handle, string path) : IDisposable
    {
        public void Dispose()
        {
            if (handle.IsOpen)
            {
                handle._disk.Unlock(path);
            }
        }
    }

    private bool IsOpen => process.IsAlive;

    private sealed class OpenFile(SimDiskHandle handle, string path, SimFile file) : IDiskFile
    {
        private readonly bool _isLog = path.EndsWith(".wal", StringComparison.Ordinal);

        public string Path => path;

        public long Length => file.Length;

        public int Read(Span<byte> buffer, long offset)
        {
            handle.ThrowIfGone(path);
            if (handle._disk.ReadFailsUntil > handle._world.Now)
            {
                handle._world.Injected.Add("disk.read.failed");
                handle.Process.Node.HasDiskFailed = true;
                throw new IOException($"pread {path}: Input/output error (error 5).", InputOutput);
            }

            return file.Read(buffer, offset);
        }

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            handle.ThrowIfGone(path);
            handle.Reserve(path, file, offset + bytes.Length);
            handle._world.Trace(TraceKind.DiskWrite, handle.Process.Place, (ulong)offset, (ulong)bytes.Length);
            if (_isLog && handle._disk.NextLogWrite is not WriteFate.Stored)
            {
                Deceive(bytes, offset);
            }
            else
            {
                file.Write(bytes, offset);
            }

            handle.EndOperation(path);
        }

        public void SetLength(long length)
        {
            handle.ThrowIfGone(path);
            handle.Reserve(path, file, length);
            file.SetLength(length);
            handle.EndOperation(path);
        }

        public void Sync()
        {
            handle.ThrowIfGone(path);
            handle._world.Trace(TraceKind.DiskSync, handle.Process.Place, (ulong)file.Length);
            handle.EndOperation(path);
            handle.ThrowIfSyncFails(path, file);
            file.Sync();
        }

        public void Dispose()
        {
        }

        private void Deceive(ReadOnlySpan<byte> bytes, long offset)
        {
            var fate = handle._disk.NextLogWrite;
            handle._disk.NextLogWrite = WriteFate.Stored;
            handle._world.Injected.Add(fate is WriteFate.Lost ? "disk.write.lost" : "disk.write.misdirected");
            if (fate is WriteFate.Misdirected)
            {
                const int Sector = 512;
                var places = (int)Math.Max(1, file.Length / Sector);
                var elsewhere = handle._disk.Chance.Below(places) * (long)Sector;
                file.Write(bytes[..(int)Math.Min(bytes.Length, Math.Max(1, file.Length - elsewhere))], elsewhere);
            }
        }
    }

    private SimProcess Process => process;
}
