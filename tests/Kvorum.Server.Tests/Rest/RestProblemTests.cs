using System.Net;
using Kvorum.Node;

namespace Kvorum.Server.Tests.Rest;

/// <summary>Failures as problem details, with what is known about the effect.</summary>
public sealed class RestProblemTests
{
    public static TheoryData<string, int, string, string> ProposalFailures => new()
    {
        { nameof(NoLeaderException), 503, "no-leader", "not-proposed" },
        { nameof(OverloadedException), 429, "overloaded", "not-proposed" },
        { nameof(OutcomeUnknownException), 503, "outcome-unknown", "unknown" },
        { nameof(ProposalDroppedException), 503, "proposal-dropped", "no-effect" },
        { nameof(NodeStoppedException), 503, "node-stopped", "not-proposed" },
        { nameof(InvalidOperationException), 500, "internal", "unknown" },
    };

    [Theory]
    [MemberData(nameof(ProposalFailures))]
    public async Task A_failed_write_says_whether_it_may_have_happened(
        string failure, int status, string name, string outcome)
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ProposalFailure = FailureOf(failure);
        using var put = await host.PutAsync("/v1/kv/a", "x");
        using var delete = await host.SendAsync("DELETE", "/v1/kv/a");
        using var txn = await host.PostJsonAsync("/v1/txn", "{}");
        using var compact = await host.PostJsonAsync("/v1/compact", """{"revision":1}""");
        using var append = await host.PostJsonAsync("/keys/a", """{"type":"APPEND","value":"x"}""");
        foreach (var answer in (HttpResponseMessage[])[put, delete, txn, compact, append])
        {
            var problem = await answer.IsProblemAsync(status, name);
            Assert.Equal(outcome, problem.GetProperty("outcome").GetString());
            Assert.Equal(outcome == "unknown" ? "unsafe" : "safe", problem.GetProperty("retry").GetString());
            Assert.Equal(status == 500 ? null : "1", answer.Header("Retry-After"));
        }
    }

    [Fact]
    public async Task An_idempotency_key_makes_every_retry_safe()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ProposalFailure = new OutcomeUnknownException("timed out");
        using var put = await host.PutAsync("/v1/kv/a", "x", ("Idempotency-Key", "k"));
        var problem = await put.IsProblemAsync(503, "outcome-unknown");
        Assert.Equal("safe", problem.GetProperty("retry").GetString());
        Assert.Equal("unknown", problem.GetProperty("outcome").GetString());
    }

    [Theory]
    [InlineData(nameof(ReadTimeoutException), 503, "read-timeout")]
    [InlineData(nameof(OverloadedException), 429, "overloaded")]
    [InlineData(nameof(NodeStoppedException), 503, "node-stopped")]
    [InlineData(nameof(InvalidOperationException), 500, "internal")]
    public async Task A_failed_read_is_named_and_always_safe_to_repeat(string failure, int status, string name)
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ReadFailure = FailureOf(failure);
        foreach (var target in (string[])["/v1/kv/a", "/v1/kv", "/keys/a"])
        {
            using var answer = await host.GetAsync(target);
            var problem = await answer.IsProblemAsync(status, name);
            Assert.Equal("safe", problem.GetProperty("retry").GetString());
        }

        using var local = await host.GetAsync("/v1/kv?consistency=local");
        Assert.Equal(HttpStatusCode.OK, local.StatusCode);
    }

    [Fact]
    public async Task Nothing_of_the_inside_leaks()
    {
        await using var host = await RestHost.StartAsync();
        host.Kvorum.ProposalFailure = new InvalidOperationException("secret at /var/lib/kvorum");
        using var failed = await host.PutAsync("/v1/kv/a", "x");
        host.Kvorum.ProposalFailure = new NodeStoppedException("sync failed on /var/lib/kvorum/wal");
        using var stopped = await host.PutAsync("/v1/kv/a", "x");
        foreach (var answer in (HttpResponseMessage[])[failed, stopped])
        {
            var text = await answer.TextAsync();
            Assert.DoesNotContain("/var/lib", text, StringComparison.Ordinal);
            Assert.DoesNotContain("Exception", text, StringComparison.Ordinal);
            Assert.DoesNotContain("   at ", text, StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/nowhere/at/all")]
    [InlineData("/v1/other")]
    [InlineData("/v2/kv")]
    public async Task An_unknown_route_is_a_problem(string target)
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.GetAsync(target);
        var problem = await answer.IsProblemAsync(404, "route-not-found");
        Assert.Contains(target, problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    private static Exception FailureOf(string name) => name switch
    {
        nameof(NoLeaderException) => new NoLeaderException(),
        nameof(OverloadedException) => new OverloadedException("the inbox"),
        nameof(OutcomeUnknownException) => new OutcomeUnknownException("timed out"),
        nameof(ProposalDroppedException) => new ProposalDroppedException(),
        nameof(ReadTimeoutException) => new ReadTimeoutException(),
        nameof(NodeStoppedException) => new NodeStoppedException("it was asked to"),
        _ => new InvalidOperationException("a bug"),
    };
}
