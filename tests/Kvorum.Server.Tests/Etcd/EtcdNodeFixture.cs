using Kvorum.Server.Tests.Hosting;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>One node for the tests that need no more; each test uses keys of its own.</summary>
public sealed class EtcdNodeFixture : IAsyncLifetime
{
    private readonly TestCluster _cluster = new(nodes: 1);

    internal EtcdClient Client { get; private set; } = new(new Uri("http://unused"));

    internal HttpClient Http => _cluster.Http;

    internal Uri Url(string path) => _cluster.Url(1, path);

    internal int Port => _cluster.ClientPort(1);

    public async ValueTask InitializeAsync()
    {
        await _cluster.StartAsync(_cluster.Options(1) with { WatchProgressInterval = TimeSpan.FromSeconds(1) });
        Client.Dispose();
        Client = new EtcdClient(_cluster.Url(1, "/"));
        await Client.RevisionAsync(); // Waits for the leader.
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _cluster.DisposeAsync();
    }
}

/// <summary>One after the other: some count revisions of the whole key space.</summary>
[CollectionDefinition(Name)]
public sealed class EtcdNodeCollection : ICollectionFixture<EtcdNodeFixture>
{
    public const string Name = "one node with etcd's interface";
}
