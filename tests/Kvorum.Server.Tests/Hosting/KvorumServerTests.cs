using System.Net;
using System.Net.Sockets;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Hosting;

public sealed class KvorumServerTests
{
    [Fact]
    public async Task Three_servers_elect_a_leader_and_become_ready()
    {
        await using var cluster = new TestCluster(3);
        await cluster.StartAllAsync();

        for (var node = 1; node <= 3; node++)
        {
            Assert.Equal("ok\n", await cluster.GetUntilAsync(node, "/readyz", 200));
            Assert.Equal((200, "ok\n"), await cluster.GetAsync(node, "/livez"));
            Assert.Equal((200, """{"health":"true","reason":""}"""), await cluster.GetAsync(node, "/health"));
            await cluster.GetUntilAsync(
                node, "/metrics", page => page.Contains("kvorum_peers_connected 2\n", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_leader_hands_over_when_it_is_asked_to_stop()
    {
        await using var cluster = new TestCluster(3);
        await cluster.StartAllAsync();
        await cluster.GetUntilAsync(1, "/readyz", 200);
        var leader = cluster.Servers.First(server => server.Node.Status.Role is NodeRole.Leader);
        var term = leader.Node.Status.Term;

        await leader.StopAsync();

        await leader.Stopped.WaitAsync(Peers.TestNode.Patience, TestContext.Current.CancellationToken);
        var rest = cluster.Servers.FindIndex(server => server != leader) + 1;
        await cluster.GetUntilAsync(rest, "/readyz", 200);
        Assert.Equal(term + 1, cluster.Servers[rest - 1].Node.Status.Term);
    }

    [Fact]
    public async Task A_node_without_a_quorum_lives_but_is_not_ready()
    {
        await using var cluster = new TestCluster(3);
        await cluster.StartAsync(cluster.Options(1));

        Assert.Equal((200, "ok\n"), await cluster.GetAsync(1, "/livez"));
        var (status, body) = await cluster.GetAsync(1, "/readyz");
        Assert.Equal(503, status);
        Assert.Contains("[-]leader failed: no leader is known", body, StringComparison.Ordinal);
        Assert.Contains("has not met n2, n3 yet\n", body, StringComparison.Ordinal);
        Assert.EndsWith("readyz check failed\n", body, StringComparison.Ordinal);
        var (health, reason) = await cluster.GetAsync(1, "/health");
        Assert.Equal(503, health);
        Assert.StartsWith("""{"health":"false","reason":"no leader is known""", reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_busy_port_is_named_with_its_owner_before_the_data_directory_is_made()
    {
        await using var cluster = new TestCluster(1);
        using var owner = new TcpListener(IPAddress.Loopback, cluster.PeerPort(1));
        owner.Start();

        var error = await Assert.ThrowsAsync<IOException>(() => cluster.StartAsync(cluster.Options(1)));

        Assert.Contains($"--listen-peer-urls: cannot listen on http://127.0.0.1:{cluster.PeerPort(1)}/: "
            + $"port {cluster.PeerPort(1)} is in use by ", error.Message, StringComparison.Ordinal);
        if (OperatingSystem.IsLinux())
        {
            Assert.Contains($"pid {Environment.ProcessId} (", error.Message, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(cluster.Options(1).DataPath));
    }

    [Fact]
    public async Task A_second_server_on_the_same_directory_is_refused_and_opens_no_port()
    {
        await using var cluster = new TestCluster(1);
        await cluster.StartAsync(cluster.Options(1));
        var ports = Peers.TestNode.FreePorts(2);
        var second = cluster.Options(1) with
        {
            ListenClientUrls = [new Uri($"http://127.0.0.1:{ports[1]}")],
            ListenPeerUrls = [new Uri($"http://127.0.0.1:{ports[2]}")],
        };

        var error = await Assert.ThrowsAnyAsync<IOException>(() => cluster.StartAsync(second));
        Assert.Contains($"pid {Environment.ProcessId}", error.Message, StringComparison.Ordinal);

        foreach (var port in ports.Values)
        {
            using var free = new TcpListener(IPAddress.Loopback, port);
            free.Start(); // Throws when somebody listens there.
        }
    }

    [Fact]
    public async Task A_server_can_be_started_again_after_it_was_stopped()
    {
        await using var cluster = new TestCluster(1);
        var first = await cluster.StartAsync(cluster.Options(1));
        await cluster.GetUntilAsync(1, "/readyz", 200);

        await first.StopAsync();
        await first.StopAsync(); // A second call changes nothing.
        await Assert.ThrowsAsync<HttpRequestException>(() => cluster.GetAsync(1, "/livez"));

        await cluster.StartAsync(cluster.Options(1));
        Assert.Equal("ok\n", await cluster.GetUntilAsync(1, "/readyz", 200));
    }

    [Fact]
    public async Task Port_zero_listens_on_a_port_of_the_systems_choice()
    {
        await using var cluster = new TestCluster(1);
        var options = cluster.Options(1) with { ListenClientUrls = [new Uri("http://localhost:0")] };

        var server = await cluster.StartAsync(options);

        var url = Assert.Single(server.ClientUrls);
        Assert.NotEqual(0, url.Port);
        using var response = await cluster.Http.GetAsync(new Uri(url, "/livez"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
    }

    [Fact]
    public async Task Requests_past_the_limits_of_the_port_are_refused()
    {
        await using var cluster = new TestCluster(1);
        await cluster.StartAsync(cluster.Options(1));

        using var longHeader = new HttpRequestMessage(HttpMethod.Get, cluster.Url(1, "/livez"));
        longHeader.Headers.Add("X-Long", new string('x', ServerLimits.RequestHeadersBytesMax));
        using var answer = await cluster.Http.SendAsync(longHeader, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.RequestHeaderFieldsTooLarge, answer.StatusCode);
    }
}
