namespace Kvorum.Storage;

/// <summary>What a disk's failure means, by the operating system's number (errno) in its HResult.</summary>
public static class DiskErrors
{
    /// <summary>EIO: the device could not do it.</summary>
    public const int InputOutput = 5;

    /// <summary>ENOSPC: no space on the device.</summary>
    public const int NoSpace = 28;

    /// <summary>EDQUOT: the owner's quota is used up.</summary>
    public const int QuotaExceeded = 122;

    /// <summary>Whether there was no room: freeing some helps, and nothing that was stored is lost.</summary>
    public static bool IsFull(IOException error) =>
        error is not SyncFailedException && error.HResult is NoSpace or QuotaExceeded;

    /// <summary>Whether the medium could not give back what was written: the same as damage.</summary>
    public static bool IsUnreadable(IOException error) =>
        error is not SyncFailedException && error.HResult == InputOutput;
}
