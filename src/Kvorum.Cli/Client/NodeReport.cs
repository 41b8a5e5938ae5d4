using System.Text.Json;

namespace Kvorum.Cli.Client;

/// <summary>A node's own picture of itself, as GET / tells it.</summary>
internal sealed record NodeReport
{
    public required Uri Endpoint { get; init; }

    public string Name { get; init; } = "";

    /// <summary>"Leader", "Follower", "Candidate", …</summary>
    public string State { get; init; } = "";

    public bool IsLeader { get; init; }

    /// <summary>The leader this node hears; null while none is known.</summary>
    public string? Leader { get; init; }

    public ulong Term { get; init; }

    public ulong CommitIndex { get; init; }

    public ulong AppliedIndex { get; init; }

    public long KeyCount { get; init; }

    public long StoreBytes { get; init; }

    public bool HasQuorum { get; init; }

    public bool MayVote { get; init; }

    public int Pid { get; init; }

    public string Version { get; init; } = "";

    /// <summary>Why there is no picture; null when there is one.</summary>
    public string? Problem { get; init; }

    /// <summary>One word for people: what to look at first.</summary>
    public string Health => this switch
    {
        { Problem: not null } => "unreachable",
        { MayVote: false } => "does not vote",
        { HasQuorum: false } => "no quorum",
        _ => "ok",
    };

    /// <summary>Asks one node, once.</summary>
    public static async Task<NodeReport> AskAsync(
        ClusterClient client, Uri endpoint, TimeSpan timeout, CancellationToken cancel)
    {
        var call = new Call(HttpMethod.Get, "/", IsWrite: false);
        var attempt = await client.TryAsync(endpoint, call, "", timeout, cancel).ConfigureAwait(false);
        return attempt.Answer switch
        {
            null => new NodeReport { Endpoint = endpoint, Problem = attempt.Problem },
            { IsSuccess: false } answer => new NodeReport { Endpoint = endpoint, Problem = ClusterClient.TextOf(answer) },
            var answer => Parse(endpoint, answer.Body),
        };
    }

    /// <summary>Fields a node does not tell keep their defaults: older and newer nodes are readable too.</summary>
    public static NodeReport Parse(Uri endpoint, byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.TryGetProperty("status", out var status)
                ? Read(endpoint, status)
                : new NodeReport { Endpoint = endpoint, Problem = "the answer is no status of a Kvorum node" };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return new NodeReport { Endpoint = endpoint, Problem = "the answer is no status of a Kvorum node" };
        }
    }

    private static NodeReport Read(Uri endpoint, JsonElement status) => new()
    {
        Endpoint = endpoint,
        Name = Text(status, "id") ?? "",
        State = Text(status, "state") ?? "",
        IsLeader = Flag(status, "is_leader"),
        Leader = Text(status, "leader"),
        Term = Number(status, "term"),
        CommitIndex = Number(status, "commit_index"),
        AppliedIndex = Number(status, "last_applied"),
        KeyCount = (long)Number(status, "keys"),
        StoreBytes = (long)(Number(status, "engine_bytes") + Number(status, "wal_bytes")),
        HasQuorum = Flag(status, "has_quorum"),
        MayVote = Flag(status, "may_vote"),
        Pid = (int)Number(status, "pid"),
        Version = Text(status, "version") ?? "",
    };

    private static string? Text(JsonElement status, string name) =>
        status.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static bool Flag(JsonElement status, string name) =>
        status.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.True;

    private static ulong Number(JsonElement status, string name) =>
        status.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number ? value.GetUInt64() : 0;
}
