using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// What is read around damage is true: the end as it is, term and vote as they are, and in front only what the log was
/// at some moment. Where the end is not certain, nothing is said.
/// </summary>
public sealed class WalRunsTests
{
    private const string Directory = WalWorkload.Directory;
    private static readonly WalOptions _options = Logs.Options(segmentBytes: 1024);

    [Fact]
    public void A_flipped_bit_at_any_byte_leaves_the_end_of_the_log_and_its_vote()
    {
        var (disk, story) = Make();
        var (found, unknown) = (0, 0);
        foreach (var path in Segments(disk))
        {
            for (var i = 0; i < disk[path].Length; i++)
            {
                var copy = disk.Copy();
                copy[path][i] ^= (byte)(1 << (i % 8));
                Count(copy, story, ref found, ref unknown);
            }
        }

        Assert.True(found > 2_000 && unknown is > 10 and <= 1024, $"{found} found, {unknown} not");
    }

    [Fact]
    public void Sectors_lost_at_two_places_leave_the_end_of_the_log_and_its_vote()
    {
        var (disk, story) = Make();
        var (found, unknown) = (0, 0);
        var places = Segments(disk).SelectMany(path => Enumerable.Range(0, disk[path].Length / 128)
            .Select(i => (Path: path, Offset: i * 128))).ToArray();
        foreach (var one in places)
        {
            foreach (var two in places)
            {
                var copy = disk.Copy();
                copy[one.Path].AsSpan(one.Offset, 128).Clear();
                copy[two.Path].AsSpan(two.Offset, 128).Fill(0xA5);
                Count(copy, story, ref found, ref unknown);
            }
        }

        Assert.True(found > 500, $"{found} found, {unknown} not");
    }

    [Fact]
    public void A_segment_that_is_gone_is_a_hole_unless_it_is_the_newest()
    {
        var (disk, story) = Make();
        var segments = Segments(disk);
        for (var i = 0; i < segments.Length; i++)
        {
            var copy = disk.Copy();
            copy.Delete(segments[i]);
            var (found, unknown) = (0, 0);
            Count(copy, story, ref found, ref unknown);
            Assert.Equal(i == segments.Length - 1 ? (0, 1) : (1, 0), (found, unknown));
        }
    }

    [Fact]
    public void A_vote_that_was_lost_stands_behind_the_hole_again()
    {
        var disk = new CrashDisk();
        var wal = Wal.Open(disk, Directory, _options);
        wal.Append(Logs.Group, Logs.State(1, vote: 2));
        wal.Append(Logs.Group, Logs.Entries(1, 1, 2));
        wal.Sync();
        var at = End(disk);
        wal.Append(Logs.Group, Logs.State(7, vote: 3));
        wal.Sync();
        wal.Append(Logs.Group, Logs.Entries(1, 3, 1));
        wal.Sync();
        var copy = disk.Copy();
        copy[Segments(copy)[0]][at + 20] ^= 1;
        Assert.Throws<WalCorruptException>(() => Wal.Open(copy.Copy(), Directory, _options));
        var broken = Wal.ReadBroken(copy, Directory, _options, Logs.Group);
        Assert.Equal(Logs.State(7, vote: 3), broken!.HardState);
        Assert.Equal(new LogIndex(3), Assert.Single(broken.Runs[^1].Entries).Index);
    }

    [Fact]
    public void Behind_a_hole_a_torn_end_is_not_certain()
    {
        var (disk, _) = Make();
        var segments = Segments(disk);
        disk[segments[0]][200] ^= 1;
        Assert.NotNull(Wal.ReadBroken(disk, Directory, _options, Logs.Group));
        var newest = disk[segments[^1]];
        newest[newest.AsSpan().LastIndexOfAnyExcept((byte)0) + 20] = 1;
        Assert.Null(Wal.ReadBroken(disk, Directory, _options, Logs.Group));
    }

    [Fact]
    public void A_crash_at_any_write_while_a_mended_log_takes_its_place_leaves_one_of_the_two()
    {
        var (disk, story) = Make();
        var damaged = Segments(disk)[1];
        disk[damaged][300] ^= 1;
        var mended = new MendedLog(story.HardState, EntryId.Start, story.Moments[^1]);
        var (old, adopted) = (0, 0);
        for (var operation = 1; ; operation++)
        {
            var copy = disk.Copy();
            copy.PowerFailsAt = operation;
            try
            {
                Adopt(copy, mended);
                Assert.True(operation > 30, $"{operation} operations");
                break;
            }
            catch (PowerFailureException)
            {
                foreach (var survival in Enum.GetValues<Survival>())
                {
                    var isAdopted = Check(copy.AfterCrash(survival, new Random(operation)), story);
                    (old, adopted) = isAdopted ? (old, adopted + 1) : (old + 1, adopted);
                }
            }
        }

        Assert.True(old > 20 && adopted > 20, $"{old} old, {adopted} adopted");
    }

    /// <returns>Whether the mended log is there; else the damaged one is as it was.</returns>
    private static bool Check(CrashDisk disk, Story story)
    {
        using var directory = Open(disk);
        Assert.True(directory.Identity.MayVote);
        try
        {
            using var wal = Wal.Open(disk, Directory, _options);
            var log = wal.TakeRecovered(Logs.Group);
            Assert.Equal(story.HardState, log.HardState);
            Logs.AssertSame(story.Moments[^1], log.Entries);
            Assert.False(directory.HasLostLog);
            return true;
        }
        catch (WalCorruptException)
        {
            var (found, unknown) = (0, 0);
            Count(disk, story, ref found, ref unknown);
            Assert.Equal((1, 0), (found, unknown));
            Adopt(disk, new MendedLog(story.HardState, EntryId.Start, story.Moments[^1]), directory);
            return false;
        }
    }

    private static void Adopt(CrashDisk disk, MendedLog mended)
    {
        using var directory = Open(disk);
        Adopt(disk, mended, directory);
    }

    private static void Adopt(CrashDisk disk, MendedLog mended, DataDirectory directory)
    {
        Wal.WriteMended(disk, directory.MendedWalPath, _options, Logs.Group, mended);
        directory.AdoptMendedLog();
        Wal.Open(disk, Directory, _options).Dispose();
    }

    private static DataDirectory Open(CrashDisk disk) =>
        DataDirectory.Open(disk, System.IO.Path.GetDirectoryName(Directory)!, 7, new NodeId(3), 5, "test");

    private static void Count(CrashDisk disk, Story story, ref int found, ref int unknown)
    {
        if (Wal.ReadBroken(disk, Directory, _options, Logs.Group) is not { } broken)
        {
            unknown++;
            return;
        }

        found++;
        Assert.Equal(story.HardState, broken.HardState);
        var last = story.Moments[^1];
        Logs.AssertSame(last[^broken.Runs[^1].Entries.Count..], broken.Runs[^1].Entries);
        foreach (var run in broken.Runs)
        {
            Assert.True(story.Has(run), "A run was in the log at one moment.");
        }
    }

    private static long End(CrashDisk disk)
    {
        var bytes = disk[Segments(disk)[0]];
        return (bytes.AsSpan().LastIndexOfAnyExcept((byte)0) + 8) & ~7;
    }

    private static string[] Segments(CrashDisk disk) =>
        [.. disk.Paths.Where(path => path.StartsWith(Directory + "/", StringComparison.Ordinal)
            && path.EndsWith(".wal", StringComparison.Ordinal))];

    /// <summary>Twelve terms, each of which replaces a part of the log and votes.</summary>
    private static (CrashDisk Disk, Story Story) Make()
    {
        var disk = new CrashDisk();
        Open(disk).Dispose();
        var story = new Story();
        using (var wal = Wal.Open(disk, Directory, _options))
        {
            LogEntry[] log = [];
            for (ulong term = 1; term <= 12; term++)
            {
                story.HardState = Logs.State(term, vote: term % 3 == 0 ? null : term % 3);
                wal.Append(Logs.Group, story.HardState);
                wal.Sync();
                var kept = log.Length - (int)(term % 4 == 0 ? Math.Min(3, (uint)log.Length) : 0);
                var more = Logs.Entries(term, (ulong)kept + 1, count: 4, payloadBytes: 25);
                log = [.. log[..kept], .. more];
                wal.Append(Logs.Group, more.AsSpan(0, 3));
                wal.Sync();
                story.Moments.Add(log[..^1]);
                wal.Append(Logs.Group, more.AsSpan(3));
                wal.Sync();
                story.Moments.Add(log);
            }
        }

        return (disk.Copy(), story);
    }

    private sealed class Story
    {
        public HardState HardState { get; set; }

        /// <summary>The log after each write.</summary>
        public List<LogEntry[]> Moments { get; } = [];

        public bool Has(LogRun run)
        {
            var shown = Show(run.Entries);
            return Moments.Exists(log => Show(log).Contains(shown, StringComparison.Ordinal) && Begins(log, run));
        }

        private static bool Begins(LogEntry[] log, LogRun run) => run.Previous switch
        {
            null => true,
            { Index.Value: 0 } => run.Entries.Count == 0 || run.Entries[0].Index.Value == 1,
            var previous => Array.Exists(log, entry => entry.Id == previous),
        };

        private static string Show(IEnumerable<LogEntry> log) => string.Join(';', log.Select(Logs.Show));
    }
}
