using Kvorum.Raft;

namespace Kvorum.Storage.Tests;

public sealed class SnapshotStoreTests : IDisposable
{
    private static readonly Membership _membership =
        new([new NodeId(1), new NodeId(2), new NodeId(3)], [new NodeId(9)]);


    private readonly TemporaryDirectory _directory = new();
    private readonly FileDisk _disk = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(300_000)]
    public void A_published_snapshot_is_found_and_read_again(int bytes)
    {
        var body = Body(bytes);
        var written = Write(Open(), Logs.Id(3, 100), body);

        var store = Open();
        Assert.Equal(written, store.Newest);
        Assert.Equal(_membership, store.Newest!.Membership);
        Assert.Equal(body, ReadBody(store, written));
        Assert.Equal(written.Length, (ulong)new FileInfo(PathOf(100, 3)).Length);
        Assert.Equal(written.Checksum, Crc32C.Of(File.ReadAllBytes(PathOf(100, 3))));
    }

    [Fact]
    public void The_checksum_of_the_file_depends_on_the_membership_and_the_body()
    {
        var one = Write(Open(), Logs.Id(3, 100), Body(1000));
        var store = Open();
        using var writer = store.Create(Logs.Id(3, 100), new Membership([new NodeId(1)], []));
        writer.Write(Body(1000));
        var two = writer.Publish();
        var other = Body(1000);
        other[500] ^= 1;
        var three = Write(store, Logs.Id(3, 101), other);
        Assert.Equal(3, new[] { one.Checksum, two.Checksum, three.Checksum }.Distinct().Count());
    }

    [Fact]
    public void A_flipped_bit_anywhere_is_noticed_and_the_older_snapshot_is_used()
    {
        var older = Write(Open(), Logs.Id(3, 50), Body(100));
        Write(Open(), Logs.Id(3, 100), Body(900));
        var good = File.ReadAllBytes(PathOf(100, 3));
        for (var i = 0; i < good.Length; i++)
        {
            var bad = (byte[])good.Clone();
            bad[i] ^= (byte)(1 << (i % 8));
            File.WriteAllBytes(PathOf(100, 3), bad);

            var store = Open();
            Assert.Equal(older, store.Newest);
            Assert.Contains(PathOf(100, 3), Assert.Single(store.Damaged), StringComparison.Ordinal);
            Assert.True(File.Exists(PathOf(100, 3) + ".corrupt"));
        }
    }

    [Fact]
    public void A_snapshot_cut_at_any_byte_is_noticed()
    {
        Write(Open(), Logs.Id(3, 100), Body(500));
        var good = File.ReadAllBytes(PathOf(100, 3));
        for (var length = 0; length < good.Length; length++)
        {
            File.WriteAllBytes(PathOf(100, 3), good[..length]);
            Assert.Null(Open().Newest);
        }

        File.WriteAllBytes(PathOf(100, 3), [.. good, 0]);
        Assert.Null(Open().Newest);
    }

    [Fact]
    public void Damage_that_comes_after_the_start_is_noticed_when_the_body_is_read()
    {
        var store = Open();
        var snapshot = Write(store, Logs.Id(3, 100), Body(200_000));
        using (var file = _disk.Open(PathOf(100, 3), create: false))
        {
            file.Write([1, 2, 3], 150_000);
        }

        Assert.Throws<SnapshotCorruptException>(() => ReadBody(store, snapshot));
    }

    [Fact]
    public void Raw_bytes_of_a_snapshot_leave_only_when_they_are_whole()
    {
        var store = Open();
        var snapshot = Write(store, Logs.Id(3, 100), Body(200_000));
        var good = File.ReadAllBytes(PathOf(100, 3));
        for (var offset = 0; offset < good.Length; offset += 9_973)
        {
            foreach (var count in new[] { 1, 70_000, 300_000 })
            {
                var expected = good.AsSpan(offset, Math.Min(count, good.Length - offset)).ToArray();
                Assert.Equal(expected, store.ReadRaw(snapshot, (ulong)offset, count));
            }

            using (var file = _disk.Open(PathOf(100, 3), create: false))
            {
                file.Write([(byte)(good[offset] ^ 4)], offset);
            }

            Assert.Throws<SnapshotCorruptException>(() => store.ReadRaw(snapshot, (ulong)offset, 1));
            Assert.Throws<SnapshotCorruptException>(() => store.ReadRaw(snapshot, 0, int.MaxValue));
            File.WriteAllBytes(PathOf(100, 3), good);
        }

        File.WriteAllBytes(PathOf(100, 3), good[..^1]);
        Assert.Throws<SnapshotCorruptException>(() => store.ReadRaw(snapshot, 0, 1));
        store.SetAside(snapshot);
        Assert.Empty(store.ReadRaw(snapshot, 0, 1));
        Assert.Null(store.Newest);
        Assert.Null(Open().Newest);
    }

    [Fact]
    public void A_snapshot_that_is_being_sent_outlives_the_next_one_and_no_longer()
    {
        var store = Open();
        var (first, second) = (Write(store, Logs.Id(3, 100), Body(10)), Write(store, Logs.Id(3, 200), Body(10)));
        store.DeleteOld(inUse: first);
        Assert.NotEmpty(store.ReadRaw(first, 0, 1));
        var third = Write(store, Logs.Id(3, 300), Body(10));
        store.DeleteOld(inUse: second);
        Assert.Empty(store.ReadRaw(first, 0, 1));
        Assert.NotEmpty(store.ReadRaw(second, 0, 1));
        store.DeleteOld(inUse: first);
        Assert.Equal(third, store.Newest);
        Assert.Single(_disk.List(_directory.Combine("snap")));
    }

    [Fact]
    public void A_writer_that_is_not_published_leaves_nothing()
    {
        var store = Open();
        using (var writer = store.Create(Logs.Id(1, 5), _membership))
        {
            writer.Write(Body(100_000));
            Assert.Throws<InvalidOperationException>(() => store.Create(Logs.Id(1, 6), _membership));
        }

        Assert.Null(store.Newest);
        Assert.Empty(_disk.List(_directory.Combine("snap")));
    }

    [Fact]
    public void A_snapshot_received_in_pieces_is_published_as_it_was_sent()
    {
        var (sent, raw) = Send(Body(200_000));
        var store = Open();
        ulong offset = 0;
        while (offset < sent.Length)
        {
            var end = (int)Math.Min(offset + 10_000, sent.Length);
            offset = store.Receive(sent, offset, raw.AsSpan((int)offset..end));
            Assert.Equal(offset, store.ReceivedLength(sent));
        }

        Assert.True(store.TryPublishReceived(sent));
        Assert.True(store.TryPublishReceived(sent));
        Assert.Equal(sent, store.Newest);
        Assert.Equal(Body(200_000), ReadBody(store, sent));
        Assert.Equal(sent, Open().Newest);
        Assert.Single(_disk.List(_directory.Combine("snap")));
        Assert.Equal(sent.Length, store.ReceivedLength(sent));
    }

    [Fact]
    public void A_transfer_goes_on_after_a_restart_and_repeats_or_gaps_do_no_harm()
    {
        var (sent, raw) = Send(Body(50_000));
        var store = Open();
        store.Receive(sent, 0, raw.AsSpan(0, 20_000));
        Assert.Equal(20_000UL, store.Receive(sent, 30_000, raw.AsSpan(30_000, 100)));
        Assert.Equal(20_000UL, store.Receive(sent, 5_000, raw.AsSpan(5_000, 100)));

        store = Open();
        Assert.Equal(20_000UL, store.ReceivedLength(sent));
        Assert.Equal(sent.Length, store.Receive(sent, 15_000, raw.AsSpan(15_000)));
        Assert.True(store.TryPublishReceived(sent));
        Assert.Equal(Body(50_000), ReadBody(store, sent));
    }

    [Fact]
    public void Another_descriptor_starts_afresh()
    {
        var (sent, raw) = Send(Body(50_000));
        var other = sent with { Checksum = sent.Checksum ^ 1 };
        var store = Open();
        store.Receive(other, 0, raw.AsSpan(0, 20_000));
        Assert.Equal(0UL, store.ReceivedLength(sent));
        Assert.Equal(0UL, store.Receive(sent, 20_000, raw.AsSpan(20_000)));
        Assert.Equal(0UL, store.ReceivedLength(other));
    }

    [Fact]
    public void Received_bytes_that_are_damaged_or_not_what_was_offered_are_dropped()
    {
        var (sent, raw) = Send(Body(50_000));
        var store = Open();
        foreach (var offered in new[] { sent with { LastIncluded = Logs.Id(3, 101) }, sent with { Checksum = 1 } })
        {
            store.Receive(offered, 0, raw);
            Assert.False(store.TryPublishReceived(offered));
            Assert.Equal(0UL, store.ReceivedLength(offered));
        }

        raw[40_000] ^= 1;
        store.Receive(sent, 0, raw);
        Assert.False(store.TryPublishReceived(sent));
        raw[40_000] ^= 1;
        store.Receive(sent, 0, raw.AsSpan(0, 100));
        Assert.False(store.TryPublishReceived(sent));
        Assert.Null(store.Newest);

        store.Receive(sent, 0, raw);
        Assert.True(store.TryPublishReceived(sent));
    }

    [Fact]
    public void Only_the_newest_stays_and_raw_reads_of_a_deleted_one_are_empty()
    {
        var store = Open();
        var older = Write(store, Logs.Id(3, 100), Body(100));
        var newer = Write(store, Logs.Id(3, 200), Body(100));
        Assert.NotEmpty(store.ReadRaw(older, 0, 10));
        store.DeleteOld();
        Assert.Empty(store.ReadRaw(older, 0, 10));
        Assert.Equal((int)newer.Length, store.ReadRaw(newer, 0, int.MaxValue).Length);
        Assert.Empty(store.ReadRaw(newer, newer.Length, 10));
        Assert.Single(_disk.List(_directory.Combine("snap")));
    }

    [Fact]
    public void A_group_does_not_see_the_snapshots_of_another()
    {
        Write(Open(), Logs.Id(3, 100), Body(10));
        Assert.Null(new SnapshotStore(_disk, _directory.Combine("snap"), new GroupId(2)).Newest);
    }

    private static byte[] Body(int bytes)
    {
        var body = new byte[bytes];
        new Random(bytes).NextBytes(body);
        return body;
    }

    private static byte[] ReadBody(SnapshotStore store, SnapshotDescriptor snapshot)
    {
        using var reader = store.OpenBody(snapshot);
        var body = new List<byte>();
        var buffer = new byte[10_001];
        for (var count = reader.Read(buffer); count > 0; count = reader.Read(buffer))
        {
            body.AddRange(buffer[..count]);
        }

        return [.. body];
    }

    private static SnapshotDescriptor Write(SnapshotStore store, EntryId id, byte[] body)
    {
        using var writer = store.Create(id, _membership);
        for (var i = 0; i < body.Length; i += 7_777)
        {
            writer.Write(body.AsSpan(i, Math.Min(7_777, body.Length - i)));
        }

        Assert.Equal(body.Length, writer.BodyBytes);
        return writer.Publish();
    }

    private (SnapshotDescriptor Snapshot, byte[] Raw) Send(byte[] body)
    {
        var sender = new SnapshotStore(_disk, _directory.Combine("sender"), Logs.Group);
        var snapshot = Write(sender, Logs.Id(3, 100), body);
        return (snapshot, sender.ReadRaw(snapshot, 0, int.MaxValue));
    }

    private SnapshotStore Open() => new(_disk, _directory.Combine("snap"), Logs.Group);

    private string PathOf(ulong index, ulong term) =>
        _directory.Combine($"snap/00000001-{index:x16}-{term:x16}.snap");
}
