using Kvorum.Raft;

namespace Kvorum.Storage;

/// <summary>What is done with a log that does not open.</summary>
public sealed partial class Wal
{
    /// <summary>Reads what is left of a log that does not open. Changes nothing on disk.</summary>
    /// <exception cref="DataDirectoryException">A segment of another cluster, node or version.</exception>
    public static SalvagedLog Salvage(IDisk disk, string directory, WalOptions options, GroupId group) =>
        new WalSalvage(disk, new WalFiles(disk, directory, options.SegmentBytes), options, group).Read();

    /// <summary>
    /// Makes a new log out of what was salvaged, durably. The damaged segments are moved to <paramref name="aside"/>,
    /// in place of those of an earlier repair.
    /// </summary>
    /// <remarks>
    /// A crash in between leaves a log that holds less, or none: the caller has given up the vote durably before.
    /// </remarks>
    public static Wal Rebuild(
        IDisk disk, string directory, string aside, WalOptions options, GroupId group, SalvagedLog kept)
    {
        new WalFiles(disk, directory, options.SegmentBytes).SetAside(aside);
        return Fill(disk, directory, options, group, new MendedLog(kept.HardState, kept.LogStart, kept.Entries));
    }

    /// <summary>
    /// Writes a mended log into a directory of its own, durably; what an interrupted attempt left there goes first. The
    /// damaged log stays as it is.
    /// </summary>
    public static void WriteMended(
        IDisk disk, string directory, WalOptions options, GroupId group, MendedLog mended)
    {
        disk.CreateDirectory(directory);
        DeleteAll(disk, directory);
        disk.SyncDirectory(directory);
        try
        {
            Fill(disk, directory, options, group, mended).Dispose();
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            DeleteAll(disk, directory); // A full disk must not stay full because of the attempt.
            throw;
        }
    }

    /// <summary>
    /// What can be read of a damaged log, when its end and its hard state are certain. Changes nothing.
    /// </summary>
    /// <returns>Null when something may be missing behind the damage.</returns>
    /// <exception cref="DataDirectoryException">A segment of another cluster, node or version.</exception>
    public static BrokenLog? ReadBroken(IDisk disk, string directory, WalOptions options, GroupId group) =>
        new WalRuns(disk, new WalFiles(disk, directory, options.SegmentBytes), options, group).Read();

    private static void DeleteAll(IDisk disk, string directory)
    {
        foreach (var name in disk.List(directory))
        {
            disk.Delete(Path.Combine(directory, name));
        }
    }

    private static Wal Fill(IDisk disk, string directory, WalOptions options, GroupId group, MendedLog log)
    {
        var wal = Open(disk, directory, options with { RefusesTornTail = false });
        try
        {
            wal.Append(group, log.HardState);
            if (log.LogStart != EntryId.Start)
            {
                wal.AppendReset(group, log.LogStart);
            }

            LogEntry[] entries = [.. log.Entries];
            for (var i = 0; i < entries.Length;)
            {
                var (count, _) = Fit(entries.AsSpan(i));
                wal.Append(group, entries.AsSpan(i, count));
                wal.Sync(); // Bounds what waits; nobody acknowledges any of it.
                i += count;
            }

            wal.Sync();
            return wal;
        }
        catch
        {
            wal.Dispose();
            throw;
        }
    }
}
