using Kvorum.Node;

namespace Kvorum.Server.Tests.Peers;

/// <summary>A transport whose peers change while it runs.</summary>
public sealed class PeerChangeTests
{
    [Fact]
    public async Task A_peer_that_is_added_is_dialled_and_accepted()
    {
        var ports = TestNode.FreePorts(3);
        await using var first = await TestNode.StartAsync(1, Only(ports, 1, 2));
        await using var third = await TestNode.StartAsync(3, Only(ports, 1, 3));
        await third.Logs.WaitForAsync("node id 0000000000000003 is not a member of this cluster");

        first.Known.Add(3);
        first.Transport.SetPeers([Address(1, ports), Address(2, ports), Address(3, ports)]);

        Assert.Equal((3UL, true), await first.NextChangeAsync());
        Assert.Equal((1UL, true), await third.NextChangeAsync());
        third.Transport.Send(1, [7]);
        Assert.Equal([7], (await first.NextFrameAsync()).Frame);
        first.Transport.Send(3, [8]);
        Assert.Equal([8], (await third.NextFrameAsync()).Frame);
    }

    [Fact]
    public async Task A_peer_that_is_removed_is_cut_off_at_once_and_told_why_when_it_dials()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        await using var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.Equal((1UL, true), await second.NextChangeAsync());
        Assert.Empty(second.Transport.ThoseWhoDisownThisNode());

        first.Disowned.Add(2);
        first.Transport.SetPeers([Address(1, ports)]);

        Assert.True(first.HasChange); // Before SetPeers came back.
        Assert.Equal((2UL, false), await first.NextChangeAsync());
        Assert.Equal((1UL, false), await second.NextChangeAsync());
        var message = await second.Logs.WaitForAsync("node n2 (id 0000000000000002) was removed from this cluster");
        Assert.Contains("delete its data directory and start it with --join", message, StringComparison.Ordinal);
        Assert.Contains("code 6, NotAMember", message, StringComparison.Ordinal);
        Assert.Equal(["n1"], second.Transport.ThoseWhoDisownThisNode());
        Assert.Empty(first.Transport.ThoseWhoDisownThisNode());

        second.Transport.Send(1, [9]);
        Assert.False(first.HasFrame);
        Assert.False(first.HasChange);
        Assert.Equal(0, first.Transport.ConnectedCount);
    }

    [Fact]
    public async Task Removed_peers_that_keep_dialling_are_logged_once_each()
    {
        var ports = TestNode.FreePorts(3);
        await using var first = await TestNode.StartAsync(1, ports);
        first.Disowned.UnionWith([2, 3]);
        first.Transport.SetPeers([]);

        for (var attempt = 0; attempt < 6; attempt++)
        {
            using var stranger = await RawPeer.ConnectAsync(first.Port);
            await stranger.SendAsync(RawPeer.Speaker((ulong)(2 + (attempt % 2)), 1));
            Assert.Equal(PeerVerdict.NotAMember, (await stranger.ReadAnswerAsync()).Verdict);
        }

        var told = first.Logs.Messages.Count(message => message.Contains("was removed", StringComparison.Ordinal));
        Assert.Equal(2, told);
    }

    [Fact]
    public async Task A_removal_that_was_not_kept_brings_the_peer_back()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        await using var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        first.Transport.SetPeers([Address(1, ports)]);
        Assert.Equal((2UL, false), await first.NextChangeAsync());

        first.Transport.SetPeers([Address(1, ports), Address(2, ports)]);

        Assert.Equal((2UL, true), await first.NextChangeAsync());
        first.Transport.Send(2, [4]);
        Assert.Equal([4], (await second.NextFrameAsync()).Frame);
    }

    [Fact]
    public async Task A_peer_that_moves_is_found_at_its_new_address()
    {
        var ports = TestNode.FreePorts(3); // The third is where node 2 moves to.
        await using var first = await TestNode.StartAsync(1, Only(ports, 1, 2));
        await using (await TestNode.StartAsync(2, Only(ports, 1, 2)))
        {
            Assert.Equal((2UL, true), await first.NextChangeAsync());
        }

        Assert.Equal((2UL, false), await first.NextChangeAsync());
        var moved = new Dictionary<ulong, int> { [1] = ports[1], [2] = ports[3] };
        await using var second = await TestNode.StartAsync(2, moved);

        first.Transport.SetPeers([Address(1, moved), Address(2, moved)]);

        Assert.Equal((2UL, true), await first.NextChangeAsync());
    }

    [Fact]
    public async Task A_connection_to_an_old_address_is_given_up_when_the_peer_moves()
    {
        var ports = TestNode.FreePorts(3);
        await using var first = await TestNode.StartAsync(1, Only(ports, 1, 2));
        await using var old = await TestNode.StartAsync(2, Only(ports, 1, 2));
        Assert.Equal((2UL, true), await first.NextChangeAsync());

        var moved = new Dictionary<ulong, int> { [1] = ports[1], [2] = ports[3] };
        first.Transport.SetPeers([Address(2, moved)]);

        Assert.Equal((2UL, false), await first.NextChangeAsync());
        await first.Logs.WaitForAsync($"http://127.0.0.1:{ports[3]}/");
    }

    [Fact]
    public async Task A_member_whose_address_is_not_told_keeps_the_one_that_is_known()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        await using var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());

        first.Transport.SetPeers([new MemberAddress(1, "", "", []), new MemberAddress(2, "", "", [])]);

        first.Transport.Send(2, [1]);
        Assert.Equal([1], (await second.NextFrameAsync()).Frame);
        Assert.False(first.HasChange);
    }

    [Fact]
    public async Task A_member_without_any_address_is_heard_but_not_dialled()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, Only(ports, 1));
        first.Known.Add(2);
        first.Transport.SetPeers([new MemberAddress(2, "", "", [])]);

        using var raw = await RawPeer.WelcomedAsync(first, 2);
        await raw.SendAsync(RawPeer.Frame(5));
        Assert.Equal([5], (await first.NextFrameAsync()).Frame);
        Assert.False(first.HasChange);
    }

    [Fact]
    public async Task Peers_may_change_before_the_start_and_while_stopping()
    {
        var ports = TestNode.FreePorts(3);
        await using var third = await TestNode.StartAsync(3, Only(ports, 1, 3));
        var first = TestNode.Create(1, Only(ports, 1, 2));
        first.Known.Add(3);
        first.Transport.SetPeers([Address(1, ports), Address(3, ports)]);
        await first.StartAsync();
        Assert.Equal((3UL, true), await first.NextChangeAsync());

        await first.DisposeAsync();
        first.Transport.SetPeers([Address(2, ports)]);
        Assert.False(first.HasChange);
    }

    [Fact]
    public async Task A_node_the_gate_lets_in_is_heard_although_it_is_not_among_the_peers()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, Only(ports, 1));
        first.Known.Add(2);

        using (var guest = await RawPeer.WelcomedAsync(first, 2))
        {
            await guest.SendAsync(RawPeer.Frame(5));
            Assert.Equal((2UL, (byte)5), First(await first.NextFrameAsync()));
            first.Transport.Send(2, [1]); // Nobody dials it: nothing to send on.
            Assert.False(first.HasChange);

            // Whenever the peers change, guests are judged again.
            first.Known.Clear();
            first.Transport.SetPeers([]);
            await guest.WaitForCloseAsync();
        }

        using var again = await RawPeer.ConnectAsync(first.Port);
        await again.SendAsync(RawPeer.Speaker(2, 1));
        Assert.Equal(PeerVerdict.NotAMember, (await again.ReadAnswerAsync()).Verdict);
    }

    [Fact]
    public async Task A_guest_that_becomes_a_peer_is_connected_in_both_directions()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, Only(ports, 1));
        first.Known.Add(2);
        await using var second = await TestNode.StartAsync(2, ports);

        first.Transport.SetPeers([Address(2, ports)]);

        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.Equal((1UL, true), await second.NextChangeAsync());
    }

    [Fact]
    public async Task All_handshakes_are_repeated_when_the_peers_are_taken_away_and_given_back()
    {
        var ports = TestNode.FreePorts(2);
        await using var first = await TestNode.StartAsync(1, ports);
        await using var second = await TestNode.StartAsync(2, ports);
        Assert.Equal((2UL, true), await first.NextChangeAsync());

        first.Transport.SetPeers([]);
        first.Transport.SetPeers([Address(2, ports)]);

        Assert.Equal((2UL, false), await first.NextChangeAsync());
        Assert.Equal((2UL, true), await first.NextChangeAsync());
        Assert.DoesNotContain(second.Logs.Messages, message => message.Contains("removed", StringComparison.Ordinal));
    }

    private static (ulong Peer, byte First) First((ulong Peer, byte[] Frame) heard) => (heard.Peer, heard.Frame[0]);

    private static Dictionary<ulong, int> Only(Dictionary<ulong, int> ports, params ulong[] nodes) =>
        nodes.ToDictionary(node => node, node => ports[node]);

    private static MemberAddress Address(ulong node, Dictionary<ulong, int> ports) =>
        new(node, $"n{node}", $"http://127.0.0.1:{ports[node]}", []);
}
