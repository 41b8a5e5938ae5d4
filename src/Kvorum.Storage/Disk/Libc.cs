using System.Runtime.InteropServices;

using Microsoft.Win32.SafeHandles;

namespace Kvorum.Storage;

/// <summary>The few calls of the C library that the BCL does not offer, or does not report truthfully.</summary>
/// <remarks>
/// RandomAccess.FlushToDisk and FileStream.Flush(true) return normally on .NET 10.0.12 (Linux) when fsync fails, and
/// the BCL cannot sync a directory at all. So every sync goes through here.
/// </remarks>
internal static partial class Libc
{
    public const int Interrupted = 4; // EINTR, the same number on Linux and macOS.

    private const int ExclusiveWithoutWaiting = 2 | 4; // LOCK_EX | LOCK_NB, the same on both.
    private const int FullSync = 51; // F_FULLFSYNC, macOS: fsync alone stops at the drive's cache there.

    public static bool IsUsable => OperatingSystem.IsLinux() || OperatingSystem.IsMacOS();

    private static int CreateFlag => OperatingSystem.IsMacOS() ? 0x200 : 0x40;

    private static int CloseOnExecFlag => OperatingSystem.IsMacOS() ? 0x100_0000 : 0x8_0000;

    // O_DIRECTORY differs between processor families on Linux.
    private static int DirectoryFlag =>
        OperatingSystem.IsMacOS() ? 0x10_0000
        : RuntimeInformation.ProcessArchitecture is Architecture.Arm or Architecture.Arm64 ? 0x4000
        : 0x1_0000;

    private static int WouldBlock => OperatingSystem.IsMacOS() ? 35 : 11;

    /// <summary>Opens for reading and writing; interrupted calls are repeated.</summary>
    public static SafeFileHandle OpenFile(string path, bool create, int mode)
    {
        const int readWrite = 2;
        return Open(path, readWrite | CloseOnExecFlag | (create ? CreateFlag : 0), mode);
    }

    public static SafeFileHandle OpenDirectory(string path) => Open(path, DirectoryFlag | CloseOnExecFlag, 0);

    /// <summary>Asks once, whatever comes back: an interrupted sync has failed too.</summary>
    /// <returns>0, or the error number.</returns>
    public static int SyncData(SafeFileHandle file)
    {
        var result = OperatingSystem.IsMacOS() ? Control(file, FullSync) : DataSync(file);
        return result == 0 ? 0 : NonZero(Marshal.GetLastPInvokeError());
    }

    /// <returns>0, or the error number.</returns>
    public static int SyncAll(SafeFileHandle file) => Sync(file) == 0 ? 0 : NonZero(Marshal.GetLastPInvokeError());

    /// <summary>Takes the lock if nobody has it.</summary>
    /// <returns>0 when taken, -1 when somebody else has it, else the error number.</returns>
    public static int TryLock(SafeFileHandle file)
    {
        while (Lock(file, ExclusiveWithoutWaiting) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
            {
                return error == WouldBlock ? -1 : NonZero(error);
            }
        }

        return 0;
    }

    /// <summary>Opens a path; the caller looks at IsInvalid and the last error.</summary>
    private static SafeFileHandle Open(string path, int flags, int mode)
    {
        while (true)
        {
            var descriptor = OpenRaw(path, flags, mode);
            if (descriptor >= 0 || Marshal.GetLastPInvokeError() != Interrupted)
            {
                return new SafeFileHandle(descriptor, ownsHandle: true);
            }
        }
    }

    private static int NonZero(int error) => error == 0 ? 5 : error; // 5: EIO.

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int OpenRaw(string path, int flags, int mode);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int DataSync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(SafeFileHandle file, int command);

    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);
}
