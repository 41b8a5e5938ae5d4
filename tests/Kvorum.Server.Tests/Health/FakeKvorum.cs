using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Health;

/// <summary>A node that is whatever a test says it is.</summary>
internal sealed class FakeKvorum : IKvorum
{
    public static readonly ServerOptions Options = new()
    {
        Name = "n1",
        DataPath = "unused",
        ListenClientUrls = [new Uri("http://127.0.0.1:1")],
        AdvertiseClientUrls = [new Uri("http://127.0.0.1:1/")],
        ListenPeerUrls = [new Uri("http://127.0.0.1:2")],
        InitialCluster = [],
    };

    public static readonly NodeStatus Leading = new()
    {
        ClusterId = 0xC1,
        Node = 1,
        Name = "n1",
        Incarnation = 1,
        Role = NodeRole.Leader,
        Term = 7,
        Leader = 1,
        CommitIndex = 100,
        AppliedIndex = 99,
        LastLogIndex = 101,
        LastLogTerm = 7,
        LogStartIndex = 50,
        Revision = 80,
        CompactedRevision = 10,
        KeyCount = 60,
        EngineBytes = 4096,
        WalBytes = 8192,
        SessionCount = 3,
        StateHash = 5,
        StateHashIndex = 99,
        HasQuorum = true,
        MayVote = true,
        StopReason = null,
        Members =
        [
            new MemberStatus(1, IsVoter: true, IsConnected: true, MayVote: true, 0, 0, ""),
            new MemberStatus(2, IsVoter: true, IsConnected: true, MayVote: true, 98, 99, "replicate"),
            new MemberStatus(3, IsVoter: true, IsConnected: false, MayVote: true, 40, 41, "probe"),
        ],
    };

    public NodeStatus Status { get; set; } = Leading;

    public long Revision => Status.Revision;

    public Exception? ReadFailure { get; set; }

    public static ServerContext Context(IKvorum kvorum, NodeMetrics? metrics = null) => new(
        kvorum,
        metrics ?? new NodeMetrics(),
        Options,
        [
            new ServerMember("n1", 1, new Uri("http://127.0.0.1:2")),
            new ServerMember("n\"2\\\n", 2, new Uri("http://127.0.0.1:3")), // A name that needs escaping.
        ],
        node => node == 2 ? "http://127.0.0.1:9" : null,
        TimeProvider.System,
        () => 4);

    public Task<CommandResult> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancel) =>
        throw new InvalidOperationException("Health and metrics never write.");

    public Task<HashResult> HashAsync(HashQuery query, CancellationToken cancel) => throw new NotSupportedException();

    public Watcher Watch(WatchOptions options, Action<Watcher> onReady) => throw new NotSupportedException();

    public KeyValue? ReadBefore(ReadOnlyMemory<byte> key, long revision) => throw new NotSupportedException();

    public Task<LeaseStatus?> FindLeaseAsync(long id, bool withKeys, TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task<IReadOnlyList<long>> LeasesAsync(TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task<MemberChangePlan> ChangeMembersAsync(
        MemberChange change, bool isDryRun, TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task TransferLeadershipAsync(ulong? to, TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task<RangeResult> ReadAsync(
        RangeQuery query, Consistency consistency, TimeSpan timeout, CancellationToken cancel)
    {
        Assert.Equal(Consistency.Linearizable, consistency);
        return ReadFailure is { } failure
            ? Task.FromException<RangeResult>(failure)
            : Task.FromResult(new RangeResult(default, 1, 0, [], 0, HasMore: false));
    }
}
