using System.Net;
using System.Net.Sockets;
using System.Text;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Peers;

public sealed class PeerRefusalTests
{
    [Theory]
    [InlineData(0xBAD, 2, 1, PeerVerdict.OtherCluster, "expected cluster id 00000000000000c1, found 0000000000000bad")]
    [InlineData(TestNode.ClusterId, 2, 3, PeerVerdict.MeantForAnotherNode,
        "expected node id 0000000000000001, found 0000000000000003")]
    [InlineData(TestNode.ClusterId, 1, 1, PeerVerdict.OwnId, "this node's own id 0000000000000001")]
    [InlineData(TestNode.ClusterId, 9, 1, PeerVerdict.NotAMember, "node id 0000000000000009 is not a member")]
    public async Task A_stranger_is_told_what_was_expected_and_found(
        ulong clusterId, ulong node, ulong to, object verdict, string reason)
    {
        await using var listener = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using var stranger = await RawPeer.ConnectAsync(listener.Port);

        await stranger.SendAsync(RawPeer.Speaker(node, to, clusterId));

        var answer = await stranger.ReadAnswerAsync();
        Assert.Equal((PeerVerdict)verdict, answer.Verdict);
        Assert.Contains(reason, answer.Reason, StringComparison.Ordinal);
        Assert.Contains(reason, await listener.Logs.WaitForAsync("Refused a peer"), StringComparison.Ordinal);
        await stranger.WaitForCloseAsync();
        Assert.False(listener.HasChange);
    }

    [Fact]
    public async Task Another_version_is_told_which_one_is_spoken()
    {
        await using var listener = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using var stranger = await RawPeer.ConnectAsync(listener.Port);
        var speaker = RawPeer.Speaker(2, 1);
        speaker[4] = 3;

        await stranger.SendAsync(speaker);

        Assert.Equal(
            (PeerVerdict.VersionNotSpoken, "peer protocol version 3 where 2 was expected"),
            await stranger.ReadAnswerAsync());
    }

    [Fact]
    public async Task The_gates_refusal_reaches_the_dialler_in_words()
    {
        var ports = TestNode.FreePorts(2);
        await using var listener = await TestNode.StartAsync(1, ports, judge: _ => "its directory was replaced");
        await using var dialler = await TestNode.StartAsync(2, ports);

        var message = await dialler.Logs.WaitForAsync("refused this node");

        Assert.Contains("its directory was replaced (code 7", message, StringComparison.Ordinal);
        Assert.False(dialler.HasChange);
        Assert.False(listener.HasChange);
    }

    [Fact]
    public async Task A_dialler_refuses_a_listener_that_is_not_who_it_should_be()
    {
        var ports = TestNode.FreePorts(3);
        using var impostor = new TcpListener(IPAddress.Loopback, ports[2]);
        impostor.Start();
        await using var dialler = await TestNode.StartAsync(1, ports);

        using var accepted = await RawPeer.AcceptAsync(impostor);
        await PeerHandshake.ReadSpeakerAsync(accepted.Input, TestContext.Current.CancellationToken);
        await accepted.SendAsync(PeerWire.EncodeAnswer(PeerVerdict.Welcome, RawPeer.Speaker(3, 1)));

        var message = await dialler.Logs.WaitForAsync("another node answered");
        Assert.Contains(
            "expected node id 0000000000000002 (n2), found 0000000000000003", message, StringComparison.Ordinal);
        await accepted.WaitForCloseAsync();
    }

    [Fact]
    public async Task A_web_client_on_the_peer_port_is_closed_without_an_answer()
    {
        await using var listener = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        using var stranger = await RawPeer.ConnectAsync(listener.Port);

        await stranger.SendAsync(
            Encoding.ASCII.GetBytes("GET /version HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"));

        await stranger.WaitForCloseAsync();
        await listener.Logs.WaitForAsync("is this a client speaking to a peer port?");
    }

    [Fact]
    public async Task A_connection_that_says_nothing_is_closed_after_the_handshake_timeout()
    {
        await using var listener = await TestNode.StartAsync(
            1, TestNode.FreePorts(2), handshakeTimeout: TimeSpan.FromMilliseconds(50));
        using var silent = await RawPeer.ConnectAsync(listener.Port);

        await silent.WaitForCloseAsync();

        await listener.Logs.WaitForAsync("no handshake within 0.05 s");
    }

    [Fact]
    public async Task Half_a_hello_is_closed_after_the_handshake_timeout()
    {
        await using var listener = await TestNode.StartAsync(
            1, TestNode.FreePorts(2), handshakeTimeout: TimeSpan.FromMilliseconds(50));
        using var slow = await RawPeer.ConnectAsync(listener.Port);

        await slow.SendAsync(RawPeer.Speaker(2, 1)[..(PeerHello.Bytes + 1)]);

        await slow.WaitForCloseAsync();
        Assert.False(listener.HasChange);
    }

    [Fact]
    public async Task A_refusal_is_logged_once_while_its_reason_stays_the_same()
    {
        await using var listener = await TestNode.StartAsync(1, TestNode.FreePorts(2));

        for (var attempt = 0; attempt < 5; attempt++)
        {
            using var stranger = await RawPeer.ConnectAsync(listener.Port);
            await stranger.SendAsync(RawPeer.Speaker(2, 1, clusterId: 0xBAD));
            await stranger.ReadAnswerAsync();
        }

        Assert.Single(listener.Logs.Messages, message => message.Contains("wrong cluster", StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_more_than_the_limit_of_unfinished_handshakes_is_held()
    {
        await using var listener = await TestNode.StartAsync(1, TestNode.FreePorts(2));
        var idle = new List<RawPeer>();
        try
        {
            for (var count = 0; count < PeerLimits.PendingHandshakesMax; count++)
            {
                idle.Add(await RawPeer.ConnectAsync(listener.Port));
            }

            // Which connection is over the limit depends on the order of accepting; one of them is closed at once.
            idle.Add(await RawPeer.ConnectAsync(listener.Port));
            await listener.Logs.WaitForAsync("Too many unfinished handshakes");
            await Task.WhenAny(idle.Select(peer => peer.WaitForCloseAsync())).WaitAsync(
                TestNode.Patience, TestContext.Current.CancellationToken);
        }
        finally
        {
            idle.ForEach(peer => peer.Dispose());
        }
    }
}
