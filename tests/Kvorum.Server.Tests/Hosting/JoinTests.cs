using System.Text.Json;
using Kvorum.Node;
using Kvorum.Server.Tests.Peers;

namespace Kvorum.Server.Tests.Hosting;

/// <summary>Nodes that come into a running cluster, and directories that remember how.</summary>
public sealed class JoinTests
{
    [Fact]
    public async Task A_node_joins_by_asking_a_member_and_starts_again_without_asking()
    {
        await using var cluster = new TestCluster(2);
        await cluster.StartAsync(Alone(cluster, 1));
        await cluster.GetUntilAsync(1, "/readyz", 200);

        var joining = Alone(cluster, 2) with { JoinUrls = [cluster.Url(1, "/")] };
        var second = await cluster.StartAsync(joining);
        await VotesAsync(cluster, 1, "n2");
        await cluster.GetUntilAsync(2, "/readyz", 200);
        Assert.Equal(cluster.Servers[0].Node.Status.ClusterId, second.Node.Status.ClusterId);

        var id = second.Node.Status.Node;
        await second.StopAsync();
        var again = await cluster.StartAsync(Alone(cluster, 2));
        Assert.Equal(id, again.Node.Status.Node);
        await cluster.GetUntilAsync(2, "/readyz", 200);
    }

    [Fact]
    public async Task A_node_that_was_added_before_learns_from_a_peer_who_it_is()
    {
        await using var cluster = new TestCluster(2);
        await cluster.StartAsync(Alone(cluster, 1));
        await cluster.GetUntilAsync(1, "/readyz", 200);
        var existing = cluster.Options(2) with { IsExistingCluster = true };

        var error = await Assert.ThrowsAsync<IOException>(() => cluster.StartAsync(existing));
        Assert.Contains("n2 is not a member of cluster", error.Message, StringComparison.Ordinal);
        var hint = $"kvorum member add n2 --peer-url http://127.0.0.1:{cluster.PeerPort(2)}";
        Assert.Contains(hint, error.Message, StringComparison.Ordinal);

        using var body = new StringContent(
            $$"""{"name":"n2","peerUrl":"http://127.0.0.1:{{cluster.PeerPort(2)}}"}""", null, "application/json");
        using var added = await cluster.Http.PostAsync(
            cluster.Url(1, "/v1/members"), body, TestContext.Current.CancellationToken);
        Assert.Equal(201, (int)added.StatusCode);
        await cluster.StartAsync(existing);
        await VotesAsync(cluster, 1, "n2");
    }

    [Fact]
    public async Task A_name_or_address_of_a_member_is_refused_at_once()
    {
        await using var cluster = new TestCluster(2);
        await cluster.StartAsync(Alone(cluster, 1));
        await cluster.GetUntilAsync(1, "/readyz", 200);
        var other = Alone(cluster, 2) with
        {
            Name = "n1",
            InitialCluster = [new ClusterMember("n1", new Uri($"http://127.0.0.1:{cluster.PeerPort(2)}"))],
            JoinUrls = [cluster.Url(1, "/")],
        };

        var error = await Assert.ThrowsAsync<IOException>(() => cluster.StartAsync(other));

        Assert.Contains("refuses node n1: n1 is a member already", error.Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(other.DataPath, MemberNote.FileName)));
    }

    [Fact]
    public async Task A_directory_of_another_node_or_cluster_is_refused_by_name()
    {
        await using var cluster = new TestCluster(1);
        var first = await cluster.StartAsync(cluster.Options(1));
        await first.StopAsync();

        var other = cluster.Options(1) with
        {
            Name = "n7",
            InitialCluster = [new ClusterMember("n7", new Uri("http://127.0.0.1:1"))],
        };
        var error = await Assert.ThrowsAsync<IOException>(() => cluster.StartAsync(other));
        Assert.Contains("expected the data of node n7, found that of node n1", error.Message, StringComparison.Ordinal);

        error = await Assert.ThrowsAsync<IOException>(
            () => cluster.StartAsync(cluster.Options(1) with { InitialClusterToken = "other" }));
        Assert.Contains("with the token 'kvorum-cluster'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_note_is_refused_with_what_to_do()
    {
        await using var cluster = new TestCluster(1);
        var first = await cluster.StartAsync(cluster.Options(1));
        await first.StopAsync();
        var path = Path.Combine(cluster.Options(1).DataPath, MemberNote.FileName);
        await File.WriteAllTextAsync(path, "{\"format\":1}", TestContext.Current.CancellationToken);

        var error = await Assert.ThrowsAsync<IOException>(() => cluster.StartAsync(cluster.Options(1)));

        Assert.StartsWith($"{path}: expected who this node is", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_removed_node_says_so_and_again_when_it_is_started()
    {
        await using var cluster = new TestCluster(3);
        await cluster.StartAllAsync();
        await cluster.GetUntilAsync(1, "/readyz", 200);
        var leader = cluster.Servers.FindIndex(server => server.Node.Status.Role is NodeRole.Leader) + 1;
        var gone = (leader % 3) + 1;

        using (var removed = await cluster.Http.DeleteAsync(
            cluster.Url(leader, $"/v1/members/n{gone}"), TestContext.Current.CancellationToken))
        {
            Assert.Equal(200, (int)removed.StatusCode);
        }

        var server = cluster.Servers[gone - 1];
        var message = await server.Removed.WaitAsync(TestNode.Patience, TestContext.Current.CancellationToken);
        Assert.Contains($"node n{gone} was removed from cluster", message, StringComparison.Ordinal);
        await server.StopAsync();

        var again = await cluster.StartAsync(cluster.Options(gone));
        message = await again.Removed.WaitAsync(TestNode.Patience, TestContext.Current.CancellationToken);
        Assert.Contains($"node n{gone} was removed from cluster", message, StringComparison.Ordinal);
        await cluster.GetUntilAsync(leader, "/readyz", 200);
    }

    private static ServerOptions Alone(TestCluster cluster, int node) => cluster.Options(node) with
    {
        InitialCluster = [new ClusterMember($"n{node}", new Uri($"http://127.0.0.1:{cluster.PeerPort(node)}"))],
    };

    private static async Task VotesAsync(TestCluster cluster, int asked, string name)
    {
        var begun = TimeProvider.System.GetTimestamp();
        while (true)
        {
            using var list = JsonDocument.Parse(await cluster.GetUntilAsync(asked, "/v1/members", 200));
            if (list.RootElement.GetProperty("members").EnumerateArray().Any(member =>
                member.GetProperty("name").GetString() == name && member.GetProperty("kind").GetString() == "voter"))
            {
                return;
            }

            Assert.True(
                TimeProvider.System.GetElapsedTime(begun) < TestNode.Patience,
                $"{name} does not vote: {list.RootElement}");
        }
    }
}
