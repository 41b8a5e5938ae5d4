using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

/// <summary>
/// Bytes change, vanish or turn up elsewhere while the node is down. The log refuses, or it opens with what was there;
/// only what was in the last batch, and not closed in order, may be cut (docs/formats.md, "Opening").
/// </summary>
public sealed class WalDamageTests
{
    private const string Directory = WalWorkload.Directory;
    private static readonly WalOptions _options = Logs.Options(segmentBytes: 1024);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_flipped_bit_at_any_byte_never_serves_a_wrong_entry(bool isClosed)
    {
        var (disk, model) = SmallLog(isClosed);
        var (refused, harmless) = (0, 0);
        foreach (var path in disk.Paths.ToArray())
        {
            for (var i = 0; i < disk[path].Length; i++)
            {
                var copy = disk.Copy();
                copy[path][i] ^= (byte)(1 << (i % 8));
                if (TryOpen(copy, model, isClosed))
                {
                    harmless++;
                }
                else
                {
                    refused++;
                }
            }
        }

        Assert.True(refused > 2 * 1024, $"{refused} refused, {harmless} harmless");
        Assert.True(harmless > 0);
    }

    [Fact]
    public void A_tail_torn_at_any_byte_of_the_last_batch_is_cut_and_the_log_goes_on()
    {
        var (disk, model) = SmallLog(isClosed: false);
        var path = disk.Paths.Last();
        var end = disk[path].AsSpan().LastIndexOfAnyExcept((byte)0) + 1;
        var before = LastBatchStart(disk[path]);
        for (var torn = before; torn < end; torn++)
        {
            var copy = disk.Copy();
            copy[path].AsSpan(torn).Clear();
            using (var wal = Wal.Open(copy, Directory, _options))
            {
                model.AssertPossible(wal);
                wal.Append(Logs.Group, Logs.State(77));
                wal.Sync();
            }

            using var again = Wal.Open(copy, Directory, _options);
            Assert.Equal(Logs.State(77), again.TakeRecovered(Logs.Group).HardState);
        }
    }

    [Fact]
    public void Damage_below_what_a_later_batch_proves_durable_is_named_and_nothing_is_changed()
    {
        var (disk, _) = SmallLog(isClosed: true);
        var path = disk.Paths.Last();
        var copy = disk.Copy();
        copy[path][WalSegmentHeader.Bytes + 10] ^= 1;
        copy.PowerFailsAt = 1; // Any change of the disk would show.
        var refusal = Assert.Throws<WalCorruptException>(() => Wal.Open(copy, Directory, _options));
        Assert.Equal(path, refusal.File);
        Assert.Equal(WalSegmentHeader.Bytes, refusal.Offset);
    }

    [Fact]
    public void A_block_written_to_another_place_is_refused()
    {
        var (disk, model) = SmallLog(isClosed: true);
        var refused = 0;
        foreach (var from in Blocks(disk))
        {
            foreach (var to in Blocks(disk))
            {
                var copy = disk.Copy();
                disk[from.Path].AsSpan(from.Offset, 256).CopyTo(copy[to.Path].AsSpan(to.Offset));
                refused += TryOpen(copy, model, isClosed: false) ? 0 : 1;
            }
        }

        Assert.True(refused > 100, $"{refused}");
    }

    [Fact]
    public void A_block_that_still_has_its_older_content_is_refused()
    {
        var model = new LogModel(1);
        var disk = new CrashDisk();
        var images = new List<CrashDisk>();
        Fill(disk, model, isClosed: true, images);
        var (refused, cut) = (0, 0);
        foreach (var older in images)
        {
            foreach (var (path, offset) in Blocks(disk).Where(block => older.Exists(block.Path)))
            {
                var copy = disk.Copy();
                older[path].AsSpan(offset, 256).CopyTo(copy[path].AsSpan(offset));
                if (copy[path].AsSpan().SequenceEqual(disk[path]))
                {
                    continue;
                }

                // A block that holds the last batch and the closing mark takes the proof with it.
                var isLast = TryOpen(copy, model, isClosed: false);
                (refused, cut) = isLast ? (refused, cut + 1) : (refused + 1, cut);
            }
        }

        Assert.True(refused > 10 && refused > 2 * cut, $"{refused} refused, {cut} cut");
    }

    [Fact]
    public void A_missing_segment_is_refused_also_the_newest_and_the_oldest()
    {
        var (disk, _) = SmallLog(isClosed: true);
        var segments = disk.Paths.Where(path => path.EndsWith(".wal", StringComparison.Ordinal)).ToArray();
        Assert.True(segments.Length >= 3);
        foreach (var segment in segments)
        {
            var copy = disk.Copy();
            copy.Delete(segment);
            Assert.Throws<WalCorruptException>(() => Wal.Open(copy, Directory, _options));
        }
    }

    [Fact]
    public void A_missing_first_segment_is_refused_after_a_cut_too()
    {
        var (disk, _) = SmallLog(isClosed: true);
        using (var wal = Wal.Open(disk, Directory, _options))
        {
            wal.CutBefore(Logs.Group, Logs.Id(1, 30));
        }

        var segments = disk.Paths.Where(path => path.EndsWith(".wal", StringComparison.Ordinal)).ToArray();
        Assert.True(segments.Length >= 2);
        Assert.DoesNotContain("0000000000000001.wal", segments[0], StringComparison.Ordinal);
        disk.Delete(segments[0]);
        Assert.Throws<WalCorruptException>(() => Wal.Open(disk, Directory, _options));
    }

    [Fact]
    public void A_segment_cut_short_or_grown_is_refused()
    {
        var (disk, _) = SmallLog(isClosed: true);
        foreach (var path in disk.Paths.ToArray())
        {
            foreach (var length in new[] { 0, 63, 64, 512, 1023, 1025 })
            {
                var copy = disk.Copy();
                var bytes = copy[path];
                Array.Resize(ref bytes, length);
                copy[path] = bytes;
                Assert.Throws<WalCorruptException>(() => Wal.Open(copy, Directory, _options));
            }
        }
    }

    [Fact]
    public void A_stale_segment_under_the_next_number_is_refused()
    {
        var (disk, _) = SmallLog(isClosed: false);
        var newest = disk.Paths.Last();
        var next = Path.Combine(Directory, WalSegment.NameOf(Sequence(newest) + 1));

        // The same node once had another segment of that number: the log was set back and the file came back.
        var other = disk.Copy();
        using (var wal = Wal.Open(other, Directory, _options))
        {
            wal.Append(Logs.Group, Logs.State(50));
            wal.Append(Logs.Group, [Logs.Large(50, 41, 700)]);
            wal.Sync();
        }

        Assert.True(other.Exists(next));
        disk[next] = other[next];
        Assert.Throws<WalCorruptException>(() => Wal.Open(disk, Directory, _options));
    }

    [Fact]
    public void A_segment_of_another_node_or_cluster_is_refused()
    {
        var (disk, _) = SmallLog(isClosed: true);
        foreach (var options in new[] { _options with { ClusterId = 8 }, _options with { Node = new NodeId(4) } })
        {
            Assert.Throws<DataDirectoryException>(() => Wal.Open(disk.Copy(), Directory, options));
        }
    }

    [Fact]
    public void Deleted_segments_that_came_back_are_deleted_again()
    {
        var (disk, _) = SmallLog(isClosed: true);
        var before = disk.Copy();
        using (var wal = Wal.Open(disk, Directory, _options))
        {
            wal.CutBefore(Logs.Group, Logs.Id(1, 30));
        }

        foreach (var path in before.Paths.Where(path => !disk.Exists(path)).ToArray())
        {
            disk[path] = before[path];
            disk[path][100] ^= 1; // Whatever is in them does not matter any more.
        }

        using var again = Wal.Open(disk, Directory, _options);
        Assert.Equal(Logs.Id(1, 30), again.TakeRecovered(Logs.Group).LogStart);
        Assert.False(disk.Exists(before.Paths.First()));
    }

    [Fact]
    public void Damage_after_the_start_is_noticed_by_the_reader()
    {
        var (disk, _) = SmallLog(isClosed: false);
        using var wal = Wal.Open(disk, Directory, _options);
        var path = disk.Paths.First();
        disk[path][WalSegmentHeader.Bytes + 72 + 60] ^= 1; // In the first entries record.
        var refusal = Assert.Throws<WalCorruptException>(() => wal.Read(Logs.Group, new LogIndex(1), 10_000));
        Assert.Equal(path, refusal.File);
    }

    [Fact]
    public void A_value_that_imitates_a_record_does_not_turn_a_torn_tail_into_rot()
    {
        var disk = new CrashDisk();
        using var wal = Wal.Open(disk, Directory, Logs.Options());
        wal.Append(Logs.Group, Logs.Entries(1, 1, 2));
        wal.Sync();
        var path = disk.Paths.First();
        var imitation = disk[path].AsSpan(WalSegmentHeader.Bytes, 128).ToArray();
        wal.Append(Logs.Group, [new LogEntry(Logs.Id(1, 3), EntryKind.Command, imitation)]);
        wal.Sync();
        var tail = LastBatchStart(disk[path]);
        disk[path][tail + 20] ^= 1;

        using var again = Wal.Open(disk, Directory, Logs.Options());
        Assert.Equal(2, again.TakeRecovered(Logs.Group).Entries.Count);
    }

    /// <summary>Opens the log: refused, or exactly what is possible.</summary>
    private static bool TryOpen(CrashDisk disk, LogModel model, bool isClosed)
    {
        try
        {
            using var wal = Wal.Open(disk, Directory, _options);
            if (isClosed)
            {
                model.AssertLast(wal);
            }
            else
            {
                model.AssertPossible(wal);
            }

            return true;
        }
        catch (WalCorruptException)
        {
            return false;
        }
    }

    private static (CrashDisk Disk, LogModel Model) SmallLog(bool isClosed)
    {
        var (disk, model) = (new CrashDisk(), new LogModel(1));
        Fill(disk, model, isClosed, images: []);
        return (disk.Copy(), model);
    }

    /// <summary>
    /// Eleven batches of four entries in four segments, batch by batch; all but the last batch count as proven durable.
    /// </summary>
    private static void Fill(CrashDisk disk, LogModel model, bool isClosed, List<CrashDisk> images)
    {
        var wal = Wal.Open(disk, Directory, _options);
        for (ulong index = 1; index <= 44; index += 4)
        {
            model.Save(Logs.Group, Logs.State(index));
            model.Append(Logs.Group, Logs.Entries(1, index, 4, payloadBytes: 25));
            wal.Append(Logs.Group, Logs.State(index));
            wal.Append(Logs.Group, Logs.Entries(1, index, 4, payloadBytes: 25));
            wal.Sync();
            images.Add(disk.Copy());
        }

        model.AcknowledgeAllBut(2);
        if (isClosed)
        {
            wal.Dispose();
        }
    }

    /// <summary>The start of the last batch is the horizon of the last record.</summary>
    private static int LastBatchStart(byte[] segment)
    {
        var (offset, horizon) = (WalSegmentHeader.Bytes, WalSegmentHeader.Bytes);
        while (WalRecordHeader.TryRead(
            segment.AsSpan(offset), BitConverter.ToUInt64(segment, 32), (uint)offset, out var record))
        {
            offset += record.PaddedLength;
            horizon = (int)record.Horizon;
        }

        return horizon;
    }

    private static IEnumerable<(string Path, int Offset)> Blocks(CrashDisk disk) =>
        disk.Paths.SelectMany(path => Enumerable.Range(0, disk[path].Length / 256).Select(i => (path, i * 256)));

    private static ulong Sequence(string path) =>
        WalSegment.TryParseName(Path.GetFileName(path), out var sequence) ? sequence : 0;
}
