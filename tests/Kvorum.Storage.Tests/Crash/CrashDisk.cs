namespace Kvorum.Storage.Tests;

/// <summary>What a power failure leaves of the writes and names that were not synced.</summary>
public enum Survival
{
    None,
    All,
    Prefix,
    Subset,
}

/// <summary>
/// The power failed: everything after this throws, until <see cref="CrashDisk.AfterCrash"/> gives a new disk.
/// </summary>
internal sealed class PowerFailureException() : IOException("power failure");

/// <summary>
/// A disk in memory that knows what is durable: each file is a durable image plus pending writes, each name a durable
/// entry plus pending operations. It can lose power at any operation, run full, and fail a sync.
/// </summary>
internal sealed class CrashDisk : IDisk
{
    private const int SectorBytes = 512;

    private readonly SortedDictionary<string, Content> _names = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, Content> _durableNames = new(StringComparer.Ordinal);
    private readonly List<NameChange> _pendingNames = [];
    private readonly HashSet<string> _locks = [];
    private bool _isDead;

    /// <summary>The power has failed.</summary>
    public bool IsDead => _isDead;

    /// <summary>Operations so far that change something.</summary>
    public int Operations { get; private set; }

    /// <summary>The operation at which the power fails; none by default.</summary>
    public int PowerFailsAt { get; set; } = int.MaxValue;

    /// <summary>The most bytes all files may have.</summary>
    public long Quota { get; set; } = long.MaxValue;

    /// <summary>A file that cannot be read (EIO); none by default.</summary>
    public string? Unreadable { get; set; }

    /// <summary>Whether syncs fail from now on.</summary>
    public bool FailsSyncs { get; set; }

    public int Syncs { get; private set; }

    public long BytesWritten { get; private set; }

    public int Writes { get; private set; }

    /// <summary>The bytes of a file, to look at or to damage.</summary>
    public byte[] this[string path]
    {
        get => _names[path].Current;
        set => _names[path] = _durableNames[path] = new Content(value);
    }

    public IEnumerable<string> Paths => _names.Keys;

    /// <summary>An equal disk on which everything is durable.</summary>
    public CrashDisk Copy()
    {
        var copy = new CrashDisk();
        foreach (var (path, content) in _names)
        {
            copy[path] = (byte[])content.Current.Clone();
        }

        return copy;
    }

    /// <summary>The disk as the next start finds it.</summary>
    public CrashDisk AfterCrash(Survival survival, Random random)
    {
        var names = new SortedDictionary<string, Content>(_durableNames, StringComparer.Ordinal);
        foreach (var change in Surviving(_pendingNames, survival, random))
        {
            change.Apply(names);
        }

        var disk = new CrashDisk();
        var images = new Dictionary<Content, byte[]>();
        foreach (var (path, content) in names)
        {
            if (!images.TryGetValue(content, out var image))
            {
                image = content.AfterCrash(survival, random);
                images.Add(content, image);
            }

            disk[path] = image;
        }

        return disk;
    }

    public IDiskFile Open(string path, bool create)
    {
        ThrowIfDead();
        if (!_names.TryGetValue(path, out var content))
        {
            if (!create)
            {
                throw new IOException($"open {path}: no such file.");
            }

            Step(() => Change(new NameChange(null, path, content = new Content([]))));
        }

        return new OpenFile(this, path, content!);
    }

    public bool Exists(string path)
    {
        ThrowIfDead();
        return _names.ContainsKey(path);
    }

    public IReadOnlyList<string> List(string directory)
    {
        ThrowIfDead();
        var paths = _names.Keys.Where(path => Path.GetDirectoryName(path) == directory);
        return [.. paths.Select(path => Path.GetFileName(path))];
    }

    public void CreateDirectory(string path) => ThrowIfDead();

    public void Rename(string from, string to)
    {
        ThrowIfDead();
        if (!_names.TryGetValue(from, out var content))
        {
            throw new IOException($"rename {from}: no such file.");
        }

        Step(() => Change(new NameChange(from, to, content)));
    }

    public void Delete(string path)
    {
        ThrowIfDead();
        if (_names.ContainsKey(path))
        {
            Step(() => Change(new NameChange(path, null, null)));
        }
    }

    public void SyncDirectory(string path) => Step(
        () =>
        {
            Syncs++;
            ThrowIfSyncsFail(path);
            foreach (var change in _pendingNames.Where(change => change.IsIn(path)))
            {
                change.Apply(_durableNames);
            }

            _pendingNames.RemoveAll(change => change.IsIn(path));
        },
        happensAtFailure: false);

    public IDisposable? TryLock(string path)
    {
        Open(path, create: true).Dispose();
        return _locks.Add(path) ? new HeldLock(this, path) : null;
    }

    private static IEnumerable<T> Surviving<T>(IReadOnlyList<T> pending, Survival survival, Random random) =>
        survival switch
        {
            Survival.None => [],
            Survival.All => pending,
            Survival.Prefix => pending.Take(random.Next(pending.Count + 1)),
            _ => pending.Where(_ => random.Next(2) == 0).ToArray(),
        };

    private void Change(NameChange change)
    {
        change.Apply(_names);
        _pendingNames.Add(change);
    }

    /// <summary>One operation; at the failing one a write may still reach the medium, a sync has no effect.</summary>
    private void Step(Action action, bool happensAtFailure = true)
    {
        ThrowIfDead();
        Operations++;
        if (Operations != PowerFailsAt)
        {
            action();
            return;
        }

        if (happensAtFailure)
        {
            action();
        }

        _isDead = true;
        throw new PowerFailureException();
    }

    private void ThrowIfDead()
    {
        if (_isDead)
        {
            throw new PowerFailureException();
        }
    }

    private void ThrowIfSyncsFail(string path)
    {
        if (FailsSyncs)
        {
            throw new SyncFailedException($"fdatasync {path}: Input/output error (error 5).");
        }
    }

    private void Reserve(Content content, long length, string path)
    {
        var others = _names.Values.Where(other => other != content).Sum(other => other.Current.LongLength);
        if (length > content.Current.Length && others + length > Quota)
        {
            throw new IOException($"pwrite {path}: No space left on device (error 28).", DiskErrors.NoSpace);
        }
    }

    private sealed record NameChange(string? From, string? To, Content? Content)
    {
        public bool IsIn(string directory) => Path.GetDirectoryName(To ?? From) == directory;

        public void Apply(SortedDictionary<string, Content> names)
        {
            if (From is not null)
            {
                names.Remove(From);
            }

            if (To is not null)
            {
                names[To] = Content!; // Given whenever there is a new name.
            }
        }
    }

    /// <summary>A file's bytes: as programs see them, and as they are on the medium.</summary>
    private sealed class Content(byte[] bytes)
    {
        private readonly List<(long Offset, byte[]? Bytes)> _pending = [];
        private byte[] _durable = (byte[])bytes.Clone();
        private bool _hasGhosts;

        public byte[] Current { get; private set; } = bytes;

        public void Write(byte[] bytes, long offset)
        {
            Current = Applied(Current, offset, bytes);
            _pending.Add((offset, bytes));
        }

        public void SetLength(long length)
        {
            Current = Applied(Current, length, null);
            _pending.Add((length, null));
        }

        public void Sync()
        {
            _durable = _hasGhosts
                ? _pending.Aggregate(_durable, (image, write) => Applied(image, write.Offset, write.Bytes))
                : (byte[])Current.Clone();
            _pending.Clear();
        }

        /// <summary>The kernel gives up what was pending and calls it clean: seen, and never on the medium.</summary>
        public void FailSync()
        {
            _hasGhosts |= _pending.Count > 0;
            _pending.Clear();
        }

        public byte[] AfterCrash(Survival survival, Random random)
        {
            var image = (byte[])_durable.Clone();
            foreach (var (offset, bytes) in Surviving(Torn(survival), survival, random))
            {
                image = Applied(image, offset, bytes);
            }

            return image;
        }

        /// <summary>The pending writes, cut at sectors unless whole writes are asked for.</summary>
        private List<(long Offset, byte[]? Bytes)> Torn(Survival survival)
        {
            if (survival is Survival.All)
            {
                return _pending;
            }

            var pieces = new List<(long, byte[]?)>();
            foreach (var (offset, bytes) in _pending)
            {
                for (var start = 0; bytes is not null && start < bytes.Length;)
                {
                    var end = (int)Math.Min(bytes.Length, start + SectorBytes - ((offset + start) % SectorBytes));
                    pieces.Add((offset + start, bytes[start..end]));
                    start = end;
                }

                if (bytes is null)
                {
                    pieces.Add((offset, null));
                }
            }

            return pieces;
        }

        private static byte[] Applied(byte[] image, long offset, byte[]? bytes)
        {
            var length = bytes is null ? offset : Math.Max(image.Length, offset + bytes.Length);
            if (length != image.Length)
            {
                Array.Resize(ref image, (int)length);
            }

            bytes?.CopyTo(image, offset);
            return image;
        }
    }

    private sealed class OpenFile(CrashDisk disk, string path, Content content) : IDiskFile
    {
        public string Path => path;

        public long Length => content.Current.Length;

        public int Read(Span<byte> buffer, long offset)
        {
            disk.ThrowIfDead();
            if (path == disk.Unreadable)
            {
                throw new IOException($"pread {path}: Input/output error (error 5).", DiskErrors.InputOutput);
            }

            var count = (int)Math.Clamp(content.Current.Length - offset, 0, buffer.Length);
            content.Current.AsSpan((int)Math.Min(offset, content.Current.Length), count).CopyTo(buffer);
            return count;
        }

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            var copy = bytes.ToArray();
            disk.ThrowIfDead();
            disk.Reserve(content, offset + copy.Length, path);
            disk.Writes++;
            disk.BytesWritten += copy.Length;
            disk.Step(() => content.Write(copy, offset));
        }

        public void SetLength(long length)
        {
            disk.ThrowIfDead();
            disk.Reserve(content, length, path);
            disk.Step(() => content.SetLength(length));
        }

        public void Sync() => disk.Step(
            () =>
            {
                disk.Syncs++;
                if (disk.FailsSyncs)
                {
                    content.FailSync();
                }

                disk.ThrowIfSyncsFail(path);
                content.Sync();
            },
            happensAtFailure: false);

        public void Dispose()
        {
            // Nothing is held open.
        }
    }

    private sealed class HeldLock(CrashDisk disk, string path) : IDisposable
    {
        public void Dispose() => disk._locks.Remove(path);
    }
}
