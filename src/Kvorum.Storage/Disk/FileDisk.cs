using System.Runtime.InteropServices;

using Microsoft.Win32.SafeHandles;

namespace Kvorum.Storage;

/// <summary>The real file system.</summary>
public sealed class FileDisk : IDisk
{
    private const UnixFileMode FileMode600 = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const UnixFileMode DirectoryMode700 = FileMode600 | UnixFileMode.UserExecute;

    public IDiskFile Open(string path, bool create) =>
        Attempt("open", path, () => new DiskFile(path, OpenHandle(path, create)));

    public bool Exists(string path) => File.Exists(path);

    public IReadOnlyList<string> List(string directory) => Attempt("list", directory, () =>
    {
        if (!Directory.Exists(directory))
        {
            return [];
        }

        var names = Directory.GetFiles(directory).Select(path => Path.GetFileName(path)).ToArray();
        Array.Sort(names, StringComparer.Ordinal);
        return names;
    });

    public void CreateDirectory(string path) => Attempt("create directory", path, () =>
    {
        var made = new List<string>();
        for (var missing = Path.GetFullPath(path);
            missing is not null && !Directory.Exists(missing);
            missing = Path.GetDirectoryName(missing))
        {
            made.Add(missing);
        }

        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
            return true;
        }

        Directory.CreateDirectory(path, DirectoryMode700);
        File.SetUnixFileMode(path, DirectoryMode700);
        foreach (var directory in made)
        {
            // The root has no parent and always exists.
            SyncDirectory(Path.GetDirectoryName(directory) ?? directory);
        }

        return true;
    });

    public void Rename(string from, string to) => Attempt("rename", from, () =>
    {
        File.Move(from, to, overwrite: true);
        return true;
    });

    public void Delete(string path) => Attempt("delete", path, () =>
    {
        File.Delete(path);
        return true;
    });

    public void SyncDirectory(string path)
    {
        if (!Libc.IsUsable)
        {
            return; // Windows keeps names by its own journal and has no such call.
        }

        using var handle = Libc.OpenDirectory(path);
        var error = handle.IsInvalid ? Marshal.GetLastPInvokeError() : Libc.SyncAll(handle);
        if (error != 0)
        {
            throw SyncFailed("fsync of directory", path, error);
        }
    }

    public IDisposable? TryLock(string path)
    {
        if (!Libc.IsUsable)
        {
            try
            {
                return File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
            }
            catch (IOException)
            {
                return null;
            }
        }

        var handle = OpenHandle(path, create: true);
        var result = Libc.TryLock(handle);
        if (result == 0)
        {
            return handle;
        }

        handle.Dispose();
        return result < 0 ? null : throw Failed("flock", path, result);
    }

    private static SafeFileHandle OpenHandle(string path, bool create)
    {
        if (!Libc.IsUsable)
        {
            return File.OpenHandle(
                path,
                create ? FileMode.OpenOrCreate : FileMode.Open,
                FileAccess.ReadWrite,
                FileShare.ReadWrite | FileShare.Delete);
        }

        var handle = Libc.OpenFile(path, create, (int)FileMode600);
        if (handle.IsInvalid)
        {
            var error = Marshal.GetLastPInvokeError();
            handle.Dispose();
            throw Failed("open", path, error);
        }

        if (!OperatingSystem.IsWindows() && File.GetUnixFileMode(handle) != FileMode600)
        {
            File.SetUnixFileMode(handle, FileMode600);
        }

        return handle;
    }

    private static IOException Failed(string call, string path, int error) => new(Describe(call, path, error), error);

    private static SyncFailedException SyncFailed(string call, string path, int error) =>
        new(Describe(call, path, error));

    private static string Describe(string call, string path, int error) =>
        $"{call} {path}: {Marshal.GetPInvokeErrorMessage(error)} (error {error}).";

    /// <summary>Every failure leaves as an IOException that names call and path.</summary>
    private static T Attempt<T>(string call, string path, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (IOException e) when (e is not SyncFailedException && !e.Message.Contains(path, StringComparison.Ordinal))
        {
            throw new IOException($"{call} {path}: {e.Message}", e) { HResult = e.HResult };
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{call} {path}: {e.Message}", e);
        }
    }

    private sealed class DiskFile(string path, SafeFileHandle handle) : IDiskFile
    {
        public string Path => path;

        public long Length => RandomAccess.GetLength(handle);

        public int Read(Span<byte> buffer, long offset)
        {
            try
            {
                var done = 0;
                while (done < buffer.Length)
                {
                    var count = RandomAccess.Read(handle, buffer[done..], offset + done);
                    if (count == 0)
                    {
                        break;
                    }

                    done += count;
                }

                return done;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Named("pread", e);
            }
        }

        public void Write(ReadOnlySpan<byte> bytes, long offset)
        {
            try
            {
                RandomAccess.Write(handle, bytes, offset);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Named("pwrite", e);
            }
        }

        public void SetLength(long length)
        {
            try
            {
                RandomAccess.SetLength(handle, length);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Named("ftruncate", e);
            }
        }

        public void Sync()
        {
            if (!Libc.IsUsable)
            {
                FlushByBcl();
                return;
            }

            var error = Libc.SyncData(handle);
            if (error != 0)
            {
                throw SyncFailed("fdatasync", path, error);
            }
        }

        public void Dispose() => handle.Dispose();

        private void FlushByBcl()
        {
            try
            {
#pragma warning disable RS0030 // No libc here: FlushFileBuffers is what there is, and the BCL reports its failure.
                RandomAccess.FlushToDisk(handle);
#pragma warning restore RS0030
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new SyncFailedException($"flush {path}: {e.Message}", e);
            }
        }

        private IOException Named(string call, Exception e) =>
            new($"{call} {path}: {e.Message}", e) { HResult = e.HResult };
    }
}
