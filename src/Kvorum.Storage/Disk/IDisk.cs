namespace Kvorum.Storage;

/// <summary>Everything storage asks of a file system. The simulator plays the other side.</summary>
/// <remarks>
/// Paths are absolute. Every failure is an <see cref="IOException"/> that names the path. A failed sync is a
/// <see cref="SyncFailedException"/> and must stop the node: the bytes' fate is unknown, and asking again would hide
/// that (docs/formats.md, "Durability").
/// </remarks>
public interface IDisk
{
    /// <summary>Opens a file for reading and writing; creates it when <paramref name="create"/> is true.</summary>
    IDiskFile Open(string path, bool create);

    bool Exists(string path);

    /// <summary>
    /// File names (not paths) in a directory, ordinally sorted; empty when the directory does not exist.
    /// </summary>
    IReadOnlyList<string> List(string directory);

    /// <summary>
    /// Creates a directory and its parents, readable by the owner only; tightens the mode of an existing one.
    /// </summary>
    void CreateDirectory(string path);

    /// <summary>Renames a file over another; durable only after <see cref="SyncDirectory"/>.</summary>
    void Rename(string from, string to);

    /// <summary>Removes a file; nothing happens when there is none. Whoever has it open may go on reading.</summary>
    void Delete(string path);

    /// <summary>Makes names created, renamed or deleted in the directory survive a power failure.</summary>
    void SyncDirectory(string path);

    /// <summary>Takes an exclusive lock that the system releases when the process ends.</summary>
    /// <returns>Null when another process holds it.</returns>
    IDisposable? TryLock(string path);
}

/// <summary>An open file. Calls may come from several threads as long as writes do not overlap.</summary>
public interface IDiskFile : IDisposable
{
    string Path { get; }

    long Length { get; }

    /// <summary>Reads up to the buffer's length; fewer bytes only at the end of the file.</summary>
    int Read(Span<byte> buffer, long offset);

    /// <summary>Writes all bytes; not durable before <see cref="Sync"/>.</summary>
    void Write(ReadOnlySpan<byte> bytes, long offset);

    /// <summary>Grows the file with zeros to <paramref name="length"/>, or cuts it.</summary>
    void SetLength(long length);

    /// <summary>
    /// Makes all written bytes survive a power failure (fdatasync). A failure is fatal, never retried.
    /// </summary>
    void Sync();
}

/// <summary>
/// A sync that failed: the node must stop at once, acknowledge nothing and never sync the same file again.
/// </summary>
public sealed class SyncFailedException(string message, Exception? inner = null) : IOException(message, inner);
