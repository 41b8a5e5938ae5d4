using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

public sealed class WalTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly FileDisk _disk = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_was_synced_is_found_again()
    {
        var entries = Logs.Entries(term: 2, first: 1, count: 10);
        using (var wal = Open())
        {
            Assert.True(wal.WasCreated);
            wal.Append(Logs.Group, Logs.State(2, vote: 3));
            wal.Append(Logs.Group, entries);
            wal.Sync();
        }

        using var again = Open();
        Assert.False(again.WasCreated);
        var found = again.TakeRecovered(Logs.Group);
        Assert.Equal(Logs.State(2, vote: 3), found.HardState);
        Assert.Equal(EntryId.Start, found.LogStart);
        Logs.AssertSame(entries, found.Entries);
        Assert.Empty(again.TakeRecovered(Logs.Group).Entries);
    }

    [Fact]
    public void Entries_fill_many_segments_and_are_found_and_read_again()
    {
        var entries = Logs.Entries(term: 1, first: 1, count: 400, payloadBytes: 100);
        using (var wal = Open())
        {
            for (var i = 0; i < entries.Length; i += 8)
            {
                wal.Append(Logs.Group, entries.AsSpan(i, 8));
                wal.Sync();
                if (i % 3 == 0)
                {
                    wal.PrepareNextSegment();
                }
            }

            Logs.AssertSame(entries[99..], wal.Read(Logs.Group, new LogIndex(100), int.MaxValue));
        }

        Assert.True(_disk.List(_directory.Combine("wal")).Count > 10);
        using var again = Open();
        Logs.AssertSame(entries, again.TakeRecovered(Logs.Group).Entries);
        Logs.AssertSame(entries[..1], again.Read(Logs.Group, new LogIndex(1), 1));
        Logs.AssertSame(entries, again.Read(Logs.Group, new LogIndex(1), int.MaxValue));
    }

    [Fact]
    public void A_batch_larger_than_a_segment_goes_into_several()
    {
        var entries = Logs.Entries(term: 1, first: 1, count: 40, payloadBytes: 1000);
        using (var wal = Open())
        {
            foreach (var entry in entries)
            {
                wal.Append(Logs.Group, [entry]);
            }

            wal.Append(Logs.Group, [Logs.Large(1, 41, 50_000)]);
            wal.Sync();
        }

        using var again = Open();
        Logs.AssertSame([.. entries, Logs.Large(1, 41, 50_000)], again.TakeRecovered(Logs.Group).Entries);
    }

    [Fact]
    public void Cutting_deletes_old_segments_and_carries_term_and_vote_over()
    {
        var other = new GroupId(2);
        using (var wal = Open())
        {
            wal.Append(Logs.Group, Logs.State(5, vote: 2));
            wal.Append(other, Logs.State(9));
            for (ulong index = 1; index <= 300; index += 10)
            {
                wal.Append(Logs.Group, Logs.Entries(5, index, 10, payloadBytes: 50));
                wal.Sync();
            }

            var before = wal.BytesOnDisk;
            wal.CutBefore(Logs.Group, Logs.Id(5, 290));
            Assert.True(wal.BytesOnDisk < before / 2);
            Assert.Empty(wal.Read(Logs.Group, new LogIndex(290), 1));
            Logs.AssertSame([Logs.Large(5, 291, 50)], wal.Read(Logs.Group, new LogIndex(291), 1));
        }

        Assert.False(_disk.Exists(_directory.Combine("wal/0000000000000001.wal")));
        using var again = Open();
        var found = again.TakeRecovered(Logs.Group);
        Assert.Equal(Logs.State(5, vote: 2), found.HardState);
        Assert.Equal(Logs.Id(5, 290), found.LogStart);
        Logs.AssertSame(Logs.Entries(5, 291, 10, payloadBytes: 50), found.Entries);
        Assert.Equal(Logs.State(9), again.TakeRecovered(other).HardState);
    }

    [Fact]
    public void A_later_record_replaces_the_tail()
    {
        using (var wal = Open())
        {
            wal.Append(Logs.Group, Logs.Entries(1, 1, 10));
            wal.Append(Logs.Group, Logs.Entries(2, 4, 3));
            wal.Sync();
            Logs.AssertSame(
                [.. Logs.Entries(1, 1, 3), .. Logs.Entries(2, 4, 3)], wal.Read(Logs.Group, new LogIndex(1), 10_000));
        }

        using var again = Open();
        Logs.AssertSame(
            [.. Logs.Entries(1, 1, 3), .. Logs.Entries(2, 4, 3)], again.TakeRecovered(Logs.Group).Entries);
        Logs.AssertSame(
            [.. Logs.Entries(1, 1, 3), .. Logs.Entries(2, 4, 3)], again.Read(Logs.Group, new LogIndex(1), 10_000));
    }

    [Fact]
    public void A_reset_empties_the_log_and_sets_its_start()
    {
        using (var wal = Open())
        {
            wal.Append(Logs.Group, Logs.Entries(1, 1, 10));
            wal.AppendReset(Logs.Group, Logs.Id(4, 100));
            wal.Append(Logs.Group, Logs.Entries(4, 101, 2));
            wal.Sync();
            Assert.Empty(wal.Read(Logs.Group, new LogIndex(5), 100));
        }

        using var again = Open();
        var found = again.TakeRecovered(Logs.Group);
        Assert.Equal(Logs.Id(4, 100), found.LogStart);
        Logs.AssertSame(Logs.Entries(4, 101, 2), found.Entries);
    }

    private Wal Open(long segmentBytes = 4096) =>
        Wal.Open(_disk, _directory.Combine("wal"), Logs.Options(segmentBytes));
}
