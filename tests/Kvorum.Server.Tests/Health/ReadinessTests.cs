using Kvorum.Node;

namespace Kvorum.Server.Tests.Health;

public sealed class ReadinessTests
{
    private readonly FakeKvorum _kvorum = new();
    private readonly ServerContext _context;
    private readonly Readiness _readiness;

    public ReadinessTests()
    {
        _context = FakeKvorum.Context(_kvorum);
        _readiness = new Readiness(_context);
    }

    [Fact]
    public async Task A_node_that_serves_a_linearizable_read_is_ready()
    {
        Assert.True(_readiness.Live().Holds);
        Assert.Empty(await FailuresAsync());
    }

    [Fact]
    public async Task A_node_that_stopped_by_itself_is_neither_alive_nor_ready()
    {
        _kvorum.Status = FakeKvorum.Leading with { Role = NodeRole.Stopped, StopReason = "fdatasync /data/wal: EIO" };

        // Anybody may ask: the reason, which names files, is for the log.
        Assert.Equal("the node has stopped", _readiness.Live().Failure);
        await AssertFailuresAsync("the node has stopped");
    }

    [Fact]
    public async Task A_read_refused_by_a_node_that_stopped_meanwhile_does_not_tell_why()
    {
        _kvorum.ReadFailure = new NodeStoppedException("fdatasync /data/wal: EIO");

        await AssertFailuresAsync("The node has stopped; ask another one.");
    }

    [Fact]
    public async Task A_server_that_stops_is_alive_but_not_ready()
    {
        _context.BeginDraining();

        Assert.True(_readiness.Live().Holds);
        await AssertFailuresAsync("the server is stopping");
    }

    [Fact]
    public async Task Without_a_leader_a_node_is_alive_but_not_ready()
    {
        _kvorum.Status = FakeKvorum.Leading with { Role = NodeRole.Follower, Leader = null, HasQuorum = false };
        _kvorum.ReadFailure = new NoLeaderException();

        Assert.True(_readiness.Live().Holds);
        await AssertFailuresAsync("no leader is known", "a quorum is not heard", new NoLeaderException().Message);
    }

    [Fact]
    public async Task A_node_of_a_new_cluster_names_those_it_has_not_met()
    {
        _kvorum.Status = FakeKvorum.Leading with
        {
            Role = NodeRole.Follower,
            Leader = null,
            HasQuorum = false,
            MayVote = false,
            AwaitedVoters = [1, 0xAB],
        };
        _kvorum.ReadFailure = new NoLeaderException();

        var failures = await FailuresAsync();
        Assert.Contains("has not met n1, 00000000000000ab yet", failures[0], StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_read_that_is_not_confirmed_makes_a_node_unready_even_when_it_believes_to_lead()
    {
        _kvorum.ReadFailure = new ReadTimeoutException();

        await AssertFailuresAsync(new ReadTimeoutException().Message);
    }

    private async Task AssertFailuresAsync(params string[] expected) => Assert.Equal(expected, await FailuresAsync());

    private async Task<string[]> FailuresAsync()
    {
        var checks = await _readiness.ReadyAsync(TestContext.Current.CancellationToken);
        return [.. checks.Where(check => !check.Holds).Select(check => check.Failure!)]; // Filtered just before.
    }
}
