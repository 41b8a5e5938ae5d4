using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Kvorum.Server.Tests.Peers;

public sealed class PeerTransportTests
{
    [Fact]
    public async Task Frames_arrive_in_the_order_sent_in_both_directions()
    {
        const int Count = 20_000;
        var (first, second) = await StartPairAsync();
        await using var _ = first;
        await using var __ = second;

        SendNumbers(first, 2, 0, Count);
        SendNumbers(second, 1, 0, Count);

        for (var number = 0; number < Count; number++)
        {
            Assert.Equal(Numbered(number), (await second.NextFrameAsync()).Frame);
            Assert.Equal(Numbered(number), (await first.NextFrameAsync()).Frame);
        }
    }

    [Fact]
    public async Task Three_nodes_hear_each_other()
    {
        var ports = TestNode.FreePorts(3);
        await using var first = await TestNode.StartAsync(1, ports);
        await using var second = await TestNode.StartAsync(2, ports);
        await using var third = await TestNode.StartAsync(3, ports);
        TestNode[] nodes = [first, second, third];
        foreach (var node in nodes)
        {
            var changes = new[] { await node.NextChangeAsync(), await node.NextChangeAsync() };
            Assert.All(changes, change => Assert.True(change.IsUp));
            Assert.Equal(2, changes.Select(change => change.Peer).Distinct().Count());
        }

        foreach (var from in nodes)
        {
            foreach (var to in nodes.Where(node => node != from))
            {
                from.Transport.Send(to.Node, [(byte)from.Node]);
                var (peer, frame) = await to.NextFrameAsync();
                Assert.Equal(from.Node, peer);
                Assert.Equal([(byte)from.Node], frame);
            }
        }
    }

    [Fact]
    public async Task The_largest_frame_arrives_whole_and_a_larger_one_is_misuse()
    {
        var (first, second) = await StartPairAsync();
        await using var _ = first;
        await using var __ = second;
        var frame = new byte[PeerLimits.FrameBytesMax];
        new Random(2).NextBytes(frame);

        first.Transport.Send(2, frame);

        Assert.Equal(frame, (await second.NextFrameAsync()).Frame);
        var larger = new byte[PeerLimits.FrameBytesMax + 1];
        Assert.Throws<ArgumentOutOfRangeException>(() => first.Transport.Send(2, larger));
        Assert.Throws<ArgumentOutOfRangeException>(() => first.Transport.Send(2, []));
    }

    [Fact]
    public async Task Frames_to_nobody_are_dropped_and_counted()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);

        first.Transport.Send(2, [1]);
        first.Transport.Send(99, [1]);

        Assert.Equal(1, first.Transport.FramesDropped);
    }

    [Fact]
    public async Task A_loss_is_said_once_and_the_peer_is_found_again_when_it_returns()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        SendNumbers(first, 2, 0, 100);
        for (var number = 0; number < 100; number++)
        {
            Assert.Equal(Numbered(number), (await second.NextFrameAsync()).Frame);
        }

        await second.DisposeAsync();
        Assert.Equal((2UL, false), await first.NextChangeAsync());
        SendNumbers(first, 2, 100, 100); // Lost with the connection.

        await using var returned = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.False(first.HasChange);
        SendNumbers(first, 2, 200, 100);
        for (var number = 200; number < 300; number++)
        {
            Assert.Equal(Numbered(number), (await returned.NextFrameAsync()).Frame);
        }
    }

    [Fact]
    public async Task A_break_of_the_heard_connection_alone_is_a_loss_at_once()
    {
        var ports = TestNode.FreePorts(2);
        using var listener = new TcpListener(IPAddress.Loopback, ports[2]);
        listener.Start();
        await using var node = await TestNode.StartAsync(1, ports);
        using var dialled = await AcceptDialAsync(listener, 2);
        var heard = await RawPeer.WelcomedAsync(node, 2);
        Assert.Equal((2UL, true), await node.NextChangeAsync());

        heard.Dispose();

        Assert.Equal((2UL, false), await node.NextChangeAsync());
        using var again = await RawPeer.WelcomedAsync(node, 2);
        Assert.Equal((2UL, true), await node.NextChangeAsync());
    }

    [Fact]
    public async Task A_break_of_the_dialled_connection_alone_is_a_loss_at_once()
    {
        var ports = TestNode.FreePorts(2);
        using var listener = new TcpListener(IPAddress.Loopback, ports[2]);
        listener.Start();
        await using var node = await TestNode.StartAsync(1, ports);
        var dialled = await AcceptDialAsync(listener, 2);
        using var heard = await RawPeer.WelcomedAsync(node, 2);
        Assert.Equal((2UL, true), await node.NextChangeAsync());

        dialled.Dispose();

        Assert.Equal((2UL, false), await node.NextChangeAsync());
        using var again = await AcceptDialAsync(listener, 2);
        Assert.Equal((2UL, true), await node.NextChangeAsync());
    }

    [Fact]
    public async Task A_newer_connection_of_the_same_peer_takes_the_place_of_the_older()
    {
        var ports = TestNode.FreePorts(2);
        await using var node = await TestNode.StartAsync(1, ports);
        using var older = await RawPeer.WelcomedAsync(node, 2);
        await older.SendAsync(RawPeer.Frame(1));
        Assert.Equal([1], (await node.NextFrameAsync()).Frame);

        using var newer = await RawPeer.WelcomedAsync(node, 2);
        await newer.SendAsync(RawPeer.Frame(2));

        Assert.Equal([2], (await node.NextFrameAsync()).Frame);
        await older.WaitForCloseAsync();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-1)]
    [InlineData(PeerLimits.FrameBytesMax + 1)]
    public async Task A_frame_length_out_of_range_closes_the_connection(int length)
    {
        await using var node = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using var peer = await RawPeer.WelcomedAsync(node, 2);

        await peer.SendAsync(RawPeer.FrameHeader(length));

        await peer.WaitForCloseAsync();
        await node.Logs.WaitForAsync($"a frame of {length} bytes where 1 to {PeerLimits.FrameBytesMax} were expected");
    }

    [Fact]
    public async Task Every_flipped_bit_of_a_frame_is_found_and_nothing_is_delivered()
    {
        await using var node = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        var good = RawPeer.Frame(10, 20, 30);
        var lengthBits = Enumerable.Range(0, 16); // Higher ones only ask for more bytes, or are out of range.
        foreach (var bit in Enumerable.Range(0, good.Length * 8).Except(lengthBits).Where(bit => bit is < 16 or >= 32))
        {
            var damaged = good.ToArray();
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            using var peer = await RawPeer.WelcomedAsync(node, 2);

            await peer.SendAsync(damaged);

            await peer.WaitForCloseAsync();
            Assert.False(node.HasFrame);
        }
    }

    [Fact]
    public async Task A_frame_cut_short_by_the_end_of_its_connection_is_not_delivered()
    {
        await using var node = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using (var peer = await RawPeer.WelcomedAsync(node, 2))
        {
            await peer.SendAsync([.. RawPeer.Frame(1), .. RawPeer.Frame(2, 3, 4)[..^1]]);

            // Frames of two connections have no order among them: the first must be here before the second opens.
            Assert.Equal([1], (await node.NextFrameAsync()).Frame);
        }

        using var next = await RawPeer.WelcomedAsync(node, 2);
        await next.SendAsync(RawPeer.Frame(5));

        Assert.Equal([5], (await node.NextFrameAsync()).Frame);
    }

    [Fact]
    public async Task Frames_split_at_every_byte_arrive_whole()
    {
        await using var node = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using var peer = await RawPeer.WelcomedAsync(node, 2);

        foreach (var value in RawPeer.Frame(1, 2, 3).Concat(RawPeer.Frame(4)))
        {
            await peer.SendAsync([value]);
        }

        Assert.Equal([1, 2, 3], (await node.NextFrameAsync()).Frame);
        Assert.Equal([4], (await node.NextFrameAsync()).Frame);
    }

    [Fact]
    public async Task A_frame_the_gate_refuses_closes_the_connection()
    {
        await using var node = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        node.Accepts = frame => frame.Span[0] != 66;
        using var peer = await RawPeer.WelcomedAsync(node, 2);

        await peer.SendAsync([.. RawPeer.Frame(1), .. RawPeer.Frame(66), .. RawPeer.Frame(2)]);

        await peer.WaitForCloseAsync();
        await node.Logs.WaitForAsync("that is no message");
        Assert.Equal([1], (await node.NextFrameAsync()).Frame);
        Assert.Equal([66], (await node.NextFrameAsync()).Frame);
        Assert.False(node.HasFrame);
    }

    [Fact]
    public async Task A_peer_that_never_reads_costs_bounded_memory_and_the_rest_is_dropped()
    {
        var ports = TestNode.FreePorts(2);
        using var listener = new TcpListener(IPAddress.Loopback, ports[2]);
        listener.Start();
        await using var node = await TestNode.StartAsync(1, ports);
        using var dialled = await AcceptDialAsync(listener, 2);
        using var heard = await RawPeer.WelcomedAsync(node, 2);
        Assert.Equal((2UL, true), await node.NextChangeAsync());

        // One buffer being written, one being filled, and what the two kernels take; far less than what is sent.
        const int FrameBytes = 1024 * 1024;
        const int FramesSent = 200;
        const int FramesHeldMax = (2 * PeerLimits.OutgoingBytesMax / FrameBytes) + 32;
        var frame = new byte[FrameBytes];
        for (var count = 0; count < FramesSent; count++)
        {
            node.Transport.Send(2, frame);
        }

        Assert.InRange(node.Transport.FramesDropped, FramesSent - FramesHeldMax, FramesSent);
    }

    [Fact]
    public async Task Client_urls_travel_with_the_handshake_and_are_remembered()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        Assert.Null(first.Transport.ClientUrlOf(2));
        var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.Equal((1UL, true), await second.NextChangeAsync());

        Assert.Equal("http://client-2.test:2379", first.Transport.ClientUrlOf(2));
        Assert.Equal("http://client-1.test:2379", second.Transport.ClientUrlOf(1));

        await second.DisposeAsync();
        Assert.Equal((2UL, false), await first.NextChangeAsync());
        Assert.Equal("http://client-2.test:2379", first.Transport.ClientUrlOf(2));
    }

    [Fact]
    public async Task Nothing_is_said_after_the_stop()
    {
        var (first, second) = await StartPairAsync();
        await using var _ = second;

        await first.DisposeAsync();
        second.Transport.Send(1, [1]);

        Assert.Equal((1UL, false), await second.NextChangeAsync());
        Assert.False(first.HasChange);
        Assert.False(first.HasFrame);
    }

    private static async Task<(TestNode First, TestNode Second)> StartPairAsync()
    {
        var ports = TestNode.FreePorts(2);
        var first = await TestNode.StartAsync(1, ports);
        var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.Equal((1UL, true), await second.NextChangeAsync());
        return (first, second);
    }

    /// <summary>Takes the dial of node 1 in the role of <paramref name="node"/>.</summary>
    private static async Task<RawPeer> AcceptDialAsync(TcpListener listener, ulong node)
    {
        var peer = await RawPeer.AcceptAsync(listener);
        var heard = await PeerHandshake.ReadSpeakerAsync(peer.Input, TestContext.Current.CancellationToken);
        Assert.Null(heard.Error);
        await peer.SendAsync(PeerWire.EncodeAnswer(PeerVerdict.Welcome, RawPeer.Speaker(node, heard.Hello.Node)));
        return peer;
    }

    private static void SendNumbers(TestNode from, ulong to, int first, int count)
    {
        for (var number = first; number < first + count; number++)
        {
            from.Transport.Send(to, Numbered(number));
        }
    }

    /// <summary>
    /// A frame whose size and content follow from its number: small ones, and some past the shared arrays.
    /// </summary>
    private static byte[] Numbered(int number)
    {
        var frame = new byte[number % 1000 == 999 ? 9000 : 4 + (number % 600)];
        BinaryPrimitives.WriteInt32LittleEndian(frame, number);
        frame.AsSpan(4).Fill((byte)number);
        return frame;
    }
}
