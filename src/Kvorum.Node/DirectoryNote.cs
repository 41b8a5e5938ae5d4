using Kvorum.Storage;

namespace Kvorum.Node;

/// <summary>
/// A small file that whoever hosts a node keeps in the node's data directory, as durable as what the node keeps there.
/// </summary>
public static class DirectoryNote
{
    /// <summary>The largest note, in bytes.</summary>
    public const int BytesMax = 1024 * 1024;

    /// <summary>The note; null when there is none.</summary>
    /// <exception cref="IOException">It cannot be read, or is larger than <see cref="BytesMax"/>.</exception>
    public static byte[]? Read(string dataPath, string name)
    {
        var disk = new FileDisk();
        var path = Path.Combine(dataPath, name);
        if (!disk.Exists(path))
        {
            return null;
        }

        using var file = disk.Open(path, create: false);
        if (file.Length > BytesMax)
        {
            throw new IOException($"{path}: expected at most {BytesMax} bytes, found {file.Length}.");
        }

        var bytes = new byte[file.Length];
        return file.Read(bytes, 0) == bytes.Length
            ? bytes
            : throw new IOException($"{path}: it changed while it was read.");
    }

    /// <summary>Replaces the note durably; after a crash on the way it is the old or the new one.</summary>
    /// <exception cref="IOException">It could not be made durable.</exception>
    public static void Save(string dataPath, string name, ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, BytesMax);
        var disk = new FileDisk();
        disk.CreateDirectory(dataPath);
        if (Path.GetDirectoryName(dataPath) is { Length: > 0 } parent)
        {
            disk.SyncDirectory(parent);
        }

        var path = Path.Combine(dataPath, name);
        using (var file = disk.Open($"{path}.tmp", create: true))
        {
            file.SetLength(0);
            file.Write(bytes, 0);
            file.Sync();
        }

        disk.Rename($"{path}.tmp", path);
        disk.SyncDirectory(dataPath);
    }
}
