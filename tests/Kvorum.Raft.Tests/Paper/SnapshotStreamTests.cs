namespace Kvorum.Raft.Tests;

/// <summary>Thesis ch. 5: a snapshot goes over the wire as a stream; whatever is lost, it goes on and ends.</summary>
public sealed class SnapshotStreamTests
{
    private const int Chunks = 64;

    /// <summary>
    /// 64 chunks of 256 KiB are 16 MiB. The link takes 2 ticks, 20 ms, each way; the disks nothing.
    /// </summary>
    [Fact]
    public void Transfer_over_20_ms_takes_a_way_there_and_back_per_window_not_per_chunk()
    {
        int[] windows = [1, 2, 4, 8, 16];
        var ticks = windows.Select(window => new SnapshotLink(window, Chunks).Run()).ToArray();
        var shown = string.Join(", ", windows.Zip(ticks, (window, time) => $"window {window}: {10 * time} ms"));
        TestContext.Current.SendDiagnosticMessage(shown);
        Assert.True(ticks[3] * 5 < ticks[0], shown);
        Assert.All(windows.Zip(ticks), pair => Assert.InRange(
            pair.Second, 4 * Chunks / pair.First, (4 * Chunks / pair.First) + 20));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    public void Any_one_lost_message_costs_at_most_a_window_sent_again(int window)
    {
        for (var lost = 1; lost < 4 * Chunks; lost++)
        {
            var seen = 0;
            var link = new SnapshotLink(window, Chunks)
            {
                Fate = (message, _) => message is InstallSnapshot or InstallSnapshotReply && ++seen == lost ? [] : [2],
            };
            link.Run();
            Assert.InRange(link.Chunks.Count, Chunks, Chunks + window);
        }
    }

    [Fact]
    public void Messages_that_come_twice_cost_at_most_each_chunk_twice_more()
    {
        var link = new SnapshotLink(8, Chunks) { Fate = (_, _) => [2, 3] };
        link.Run();
        Assert.InRange(link.Chunks.Count, Chunks, 3 * Chunks);
    }

    [Fact]
    public void Stream_ends_whatever_is_lost_doubled_and_overtaken()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var chance = new Random(seed);
            var link = new SnapshotLink(window: 1 + (seed % 9), Chunks)
            {
                Fate = (_, _) => chance.Next(20) switch
                {
                    0 or 1 => [],
                    2 => [2, 2 + chance.Next(40)],
                    3 => [2 + chance.Next(20)],
                    _ => [2],
                },
            };
            link.Run();
        }
    }

    [Fact]
    public void Restarted_receiver_is_sent_what_it_has_not_stored_and_nothing_before()
    {
        var link = new SnapshotLink(8, Chunks);
        while (link.Stored < link.Snapshot.Length / 2)
        {
            link.Tick();
        }

        var stored = link.Stored;
        link.RestartFollower();
        link.Chunks.Clear();
        link.Run();
        Assert.True(link.Chunks.Min() >= stored, $"It had {stored} bytes and was sent byte {link.Chunks.Min()}.");
    }

    [Fact]
    public void Answers_slower_than_the_questions_cost_at_most_each_chunk_twice_more()
    {
        // 500 ms there and back: the leader asks in between, and all it sent is still on its way.
        var link = new SnapshotLink(8, Chunks) { Fate = (_, _) => [25] };
        link.Run();
        Assert.InRange(link.Chunks.Count, Chunks, 3 * Chunks);
    }

    [Fact]
    public void Window_is_never_passed()
    {
        var stream = new SnapshotStream(chunksMax: 3, chunkBytesMax: 10);
        stream.Begin(length: 95);
        Assert.Equal([0UL, 10, 20], Take(stream));
        stream.OnSent(10);
        Assert.Empty(Take(stream));
        stream.OnStored(10);
        Assert.Equal([30UL], Take(stream));
        Assert.Equal(3, stream.Count);
        stream.OnStored(85); // An earlier transfer brought that.
        Assert.Equal([85UL], Take(stream));
        Assert.Equal((85UL, 85UL, 95UL), (stream.Stored, stream.Sent, stream.Asked));
    }

    private static List<ulong> Take(SnapshotStream stream)
    {
        var offsets = new List<ulong>();
        while (stream.Next() is { } offset)
        {
            offsets.Add(offset);
        }

        return offsets;
    }
}
