namespace Kvorum.Server.Tests.Hosting;

public sealed class ServerIdentityTests
{
    private static readonly ClusterMember A = new("a", new Uri("http://127.0.0.1:1"));
    private static readonly ClusterMember B = new("b", new Uri("http://127.0.0.1:2"));

    [Fact]
    public void A_node_id_is_the_start_of_the_hash_in_the_format_page()
    {
        // printf 'kvorum-cluster\0n1' | sha256sum
        Assert.Equal(NodeIdOfN1, ServerIdentity.NodeId("kvorum-cluster", "n1"));
    }

    [Fact]
    public void Node_ids_depend_on_token_and_name()
    {
        Assert.NotEqual(ServerIdentity.NodeId("t", "n1"), ServerIdentity.NodeId("t", "n2"));
        Assert.NotEqual(ServerIdentity.NodeId("t", "n1"), ServerIdentity.NodeId("u", "n1"));
        Assert.NotEqual(ServerIdentity.NodeId("tn", "1"), ServerIdentity.NodeId("t", "n1"));
    }

    [Fact]
    public void All_nodes_find_the_same_cluster_id_in_whatever_order_the_members_are_written()
    {
        Assert.Equal(ServerIdentity.ClusterId("t", [A, B]), ServerIdentity.ClusterId("t", [B, A]));
    }

    [Fact]
    public void Another_token_name_or_address_is_another_cluster()
    {
        var id = ServerIdentity.ClusterId("t", [A, B]);

        Assert.NotEqual(id, ServerIdentity.ClusterId("u", [A, B]));
        Assert.NotEqual(id, ServerIdentity.ClusterId("t", [A]));
        Assert.NotEqual(id, ServerIdentity.ClusterId("t", [A, B with { Name = "c" }]));
        Assert.NotEqual(id, ServerIdentity.ClusterId("t", [A, B with { PeerUrl = new Uri("http://127.0.0.1:3") }]));
    }

    private const ulong NodeIdOfN1 = 0x75a0fdabcbaf5525;
}
