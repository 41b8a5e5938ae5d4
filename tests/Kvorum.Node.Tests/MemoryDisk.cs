using Kvorum.Storage;

namespace Kvorum.Node.Tests;

/// <summary>Files as arrays, to be copied and damaged by the thousand.</summary>
internal sealed class MemoryDisk : IDisk
{
    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public MemoryDisk Copy()
    {
        var copy = new MemoryDisk();
        foreach (var (path, bytes) in Files)
        {
            copy.Files[path] = (byte[])bytes.Clone();
        }

        return copy;
    }

    public IDiskFile Open(string path, bool create)
    {
        if (!Files.ContainsKey(path))
        {
            Files[path] = create ? [] : throw new IOException($"open {path}: no such file.");
        }

        return new MemoryFile(this, path);
    }

    public bool Exists(string path) => Files.ContainsKey(path);

    public IReadOnlyList<string> List(string directory) =>
        [.. Files.Keys.Where(path => Path.GetDirectoryName(path) == directory).Select(path => Path.GetFileName(path))];

    public void CreateDirectory(string path)
    {
        // Paths are names here.
    }

    public void Rename(string from, string to)
    {
        Files[to] = Files[from];
        Files.Remove(from);
    }

    public void Delete(string path) => Files.Remove(path);

    public void SyncDirectory(string path)
    {
        // Nothing is lost here.
    }

    public IDisposable? TryLock(string path) => new MemoryStream();

    /// <summary>Follows its file through renames: it holds the name's bytes as of the last write.</summary>
    private sealed class MemoryFile(MemoryDisk disk, string path) : IDiskFile
    {
        public string Path => path;

        public long Length => disk.Files[path].Length;

        public int Read(Span<byte> buffer, long offset)
        {
            var bytes = disk.Files[path].AsSpan((int)Math.Min(offset, Length));
            bytes = bytes[..Math.Min(bytes.Length, buffer.Length)];
            bytes.CopyTo(buffer);
            return bytes.Length;
        }

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            SetLength(Math.Max(Length, offset + bytes.Length));
            bytes.CopyTo(disk.Files[path].AsSpan((int)offset));
        }

        public void SetLength(long length)
        {
            var bytes = disk.Files[path];
            if (bytes.Length != length)
            {
                Array.Resize(ref bytes, (int)length);
                disk.Files[path] = bytes;
            }
        }

        public void Sync()
        {
            // Nothing is lost here.
        }

        public void Dispose()
        {
            // Nothing is held open.
        }
    }
}
