using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>What is left of a damaged log is a state it was in before, and becomes a log again.</summary>
public sealed class WalSalvageTests
{
    private const string Directory = WalWorkload.Directory;
    private const string Aside = "/data/wal.damaged";
    private static readonly WalOptions _options = Logs.Options(segmentBytes: 1024);

    [Fact]
    public void A_flipped_bit_at_any_byte_leaves_a_prefix_of_the_log_that_opens_again()
    {
        var disk = SmallLog();
        var (salvaged, empty) = (0, 0);
        foreach (var path in Segments(disk))
        {
            for (var i = 0; i < disk[path].Length; i += 3)
            {
                var copy = disk.Copy();
                copy[path][i] ^= (byte)(1 << (i % 8));
                if (Opens(copy.Copy()))
                {
                    continue;
                }

                var kept = Wal.Salvage(copy, Directory, _options, Logs.Group);
                Assert.True(kept.IsStartKnown);
                Assert.Equal(EntryId.Start, kept.LogStart);
                Logs.AssertSame(Logs.Entries(1, 1, 44, payloadBytes: 25).Take(kept.Entries.Count), kept.Entries);
                Assert.InRange(kept.LastSeen.Value, (ulong)kept.Entries.Count, 44UL);
                Assert.InRange(kept.HardState.Term.Value, 1UL, 41UL);
                Wal.Rebuild(copy, Directory, Aside, _options, Logs.Group, kept).Dispose();
                using var again = Wal.Open(copy, Directory, _options);
                var found = again.TakeRecovered(Logs.Group);
                Logs.AssertSame(kept.Entries, found.Entries);
                Assert.Equal(kept.HardState, found.HardState);
                (salvaged, empty) = kept.Entries.Count > 0 ? (salvaged + 1, empty) : (salvaged, empty + 1);
            }
        }

        Assert.True(salvaged > 600 && empty > 20, $"{salvaged} with entries, {empty} without");
    }

    [Fact]
    public void Without_its_first_segment_a_log_has_no_known_start()
    {
        var disk = SmallLog();
        disk.Delete(Segments(disk)[0]);
        var kept = Wal.Salvage(disk, Directory, _options, Logs.Group);
        Assert.False(kept.IsStartKnown);
        Assert.Equal(new LogIndex(44), kept.LastSeen);
        Assert.Equal(new LogIndex(44), kept.Entries[^1].Index);
    }

    [Fact]
    public void Without_a_middle_segment_what_comes_before_stays_and_what_comes_after_is_only_counted()
    {
        var disk = SmallLog();
        disk.Delete(Segments(disk)[1]);
        var kept = Wal.Salvage(disk, Directory, _options, Logs.Group);
        Assert.True(kept.IsStartKnown);
        Assert.InRange(kept.Entries.Count, 4, 20);
        Assert.Equal(new LogIndex(44), kept.LastSeen);
        Assert.Equal(new Term(41), kept.HardState.Term);
    }

    [Fact]
    public void A_log_that_was_cut_keeps_its_start_when_the_damage_is_behind_the_checkpoint()
    {
        var disk = SmallLog();
        using (var wal = Wal.Open(disk, Directory, _options))
        {
            wal.CutBefore(Logs.Group, Logs.Id(1, 30));
            for (ulong index = 45; index < 100; index += 5)
            {
                wal.Append(Logs.Group, Logs.Entries(1, index, 5, payloadBytes: 25));
                wal.Sync();
            }
        }

        disk[Segments(disk)[^1]][WalSegmentHeader.Bytes + 70] ^= 1;
        Assert.Throws<WalCorruptException>(() => Wal.Open(disk.Copy(), Directory, _options));
        var kept = Wal.Salvage(disk, Directory, _options, Logs.Group);
        Assert.True(kept.IsStartKnown);
        Assert.Equal(Logs.Id(1, 30), kept.LogStart);
        Assert.Equal(new LogIndex(31), kept.Entries[0].Index);
        Assert.Equal(new LogIndex(99), kept.LastSeen);
        Assert.InRange(kept.Entries[^1].Index.Value, 60UL, 98UL);
    }

    [Fact]
    public void The_damaged_segments_are_kept_aside_once()
    {
        var disk = SmallLog();
        disk[Segments(disk)[1]][200] ^= 1;
        for (var i = 0; i < 3; i++)
        {
            var kept = Wal.Salvage(disk, Directory, _options, Logs.Group);
            Wal.Rebuild(disk, Directory, Aside, _options, Logs.Group, kept).Dispose();
            disk[Segments(disk)[0]][100] ^= 1;
        }

        var aside = disk.List(Aside);
        Assert.Single(aside);
        Assert.Equal(WalSegment.NameOf(1), aside[0]);
    }

    [Fact]
    public void A_segment_that_cannot_be_read_is_damage_and_another_failure_is_not()
    {
        var disk = SmallLog();
        disk.Unreadable = Segments(disk)[1];
        Assert.Throws<WalCorruptException>(() => Wal.Open(disk, Directory, _options));
        Assert.InRange(Wal.Salvage(disk, Directory, _options, Logs.Group).Entries.Count, 4, 20);
        disk.PowerFailsAt = disk.Operations + 1;
        Assert.Throws<PowerFailureException>(
            () => Wal.Rebuild(disk, Directory, Aside, _options, Logs.Group, SalvagedLog.Nothing));
    }

    [Fact]
    public void After_damage_was_seen_a_torn_tail_counts_as_damage()
    {
        var disk = SmallLog(isClosed: false);
        var path = Segments(disk)[^1];
        disk[path][disk[path].AsSpan().LastIndexOfAnyExcept((byte)0) - 3] ^= 1;
        Assert.Throws<WalCorruptException>(
            () => Wal.Open(disk.Copy(), Directory, _options with { RefusesTornTail = true }));
        Wal.Open(disk, Directory, _options).Dispose();
        Wal.Open(disk, Directory, _options with { RefusesTornTail = true }).Dispose();
    }

    private static bool Opens(CrashDisk disk)
    {
        try
        {
            Wal.Open(disk, Directory, _options).Dispose();
            return true;
        }
        catch (WalCorruptException)
        {
            return false;
        }
    }

    private static string[] Segments(CrashDisk disk) =>
        [.. disk.Paths.Where(path => path.StartsWith(Directory + "/", StringComparison.Ordinal)
            && path.EndsWith(".wal", StringComparison.Ordinal))];

    private static CrashDisk SmallLog(bool isClosed = true)
    {
        var disk = new CrashDisk();
        var wal = Wal.Open(disk, Directory, _options);
        for (ulong index = 1; index <= 44; index += 4)
        {
            wal.Append(Logs.Group, Logs.State(index));
            wal.Append(Logs.Group, Logs.Entries(1, index, 4, payloadBytes: 25));
            wal.Sync();
        }

        if (isClosed)
        {
            wal.Dispose();
        }

        return disk.Copy();
    }
}
