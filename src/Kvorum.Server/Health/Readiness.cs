using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Rest;

namespace Kvorum.Server;

/// <summary>One thing that must hold for a node to be healthy.</summary>
/// <param name="Failure">Null when it holds, else why not.</param>
internal readonly record struct HealthCheck(string Name, string? Failure)
{
    public bool Holds => Failure is null;
}

/// <summary>Finds out whether the node lives, and whether it can serve.</summary>
internal sealed class Readiness(ServerContext context)
{
    /// <summary>How long the confirming read may take; a probe usually gives up after 1 s itself.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromMilliseconds(900);

    /// <summary>The key of the confirming read; whether it exists does not matter.</summary>
    private static readonly RangeQuery Probe = new(new byte[] { 0 }, ReadOnlyMemory<byte>.Empty) { CountOnly = true };

    /// <summary>Whether the process should be left running: false only when its node has stopped by itself.</summary>
    /// <remarks>Why it stopped is in its log: the reason may name files, and anybody may ask here.</remarks>
    public HealthCheck Live() =>
        new("node", context.Kvorum.Status is { StopReason: not null } or { Role: NodeRole.Stopped }
            ? "the node has stopped"
            : null);

    /// <summary>Whether this node answers local reads: alive and not stopping.</summary>
    public HealthCheck[] Serving() =>
        [Live(), new("serving", context.IsDraining ? "the server is stopping" : null)];

    /// <summary>
    /// Whether requests should be sent here: alive, not stopping, and one linearizable read went through, which proves
    /// a leader, a quorum, and that this node has applied all that was committed when it asked (thesis §6.4).
    /// </summary>
    public async Task<HealthCheck[]> ReadyAsync(CancellationToken cancel)
    {
        var serving = Serving();
        if (!Array.TrueForAll(serving, check => check.Holds))
        {
            return serving;
        }

        var failure = await ReadAsync(cancel).ConfigureAwait(false);
        var status = context.Kvorum.Status; // After the read, which may have waited for an election.
        var leader = new HealthCheck("leader", status.Leader is null ? NoLeader(status, context) : null);
        var quorum = new HealthCheck("quorum", status.HasQuorum ? null : "a quorum is not heard");
        var read = new HealthCheck("linearizable-read", failure);
        return [.. serving, leader, quorum, read];
    }

    private static string NoLeader(NodeStatus status, ServerContext context) => status switch
    {
        { AwaitedVoters.Count: > 0 } =>
            "no leader is known: a new cluster elects its first one when all nodes of its initial cluster have met, "
                + $"and this node has not met {string.Join(", ", status.AwaitedVoters.Select(context.NameOf))} yet",
        { Mending: { } mending } => $"the node does not serve yet: {mending}",
        { MayVote: true } => "no leader is known",
        { Damage: not null } =>
            "no leader is known, and this node does not vote: it lost a part of its log (its own log says which)",
        _ => "no leader is known, and this node does not vote: its directory is new or lost something (its own log "
            + "says which)",
    };

    private async Task<string?> ReadAsync(CancellationToken cancel)
    {
        try
        {
            await context.Kvorum.ReadAsync(Probe, Consistency.Linearizable, ReadTimeout, cancel).ConfigureAwait(false);
            return null;
        }
        catch (KvorumException error)
        {
            return ProblemWriter.DetailOf(error);
        }
    }
}
