namespace Kvorum.Server.Rest;

/// <summary>What is known about the effect of a refused or failed request.</summary>
internal enum Outcome
{
    /// <summary>It never reached the log.</summary>
    NotProposed = 0,

    /// <summary>It changed nothing, for sure.</summary>
    NoEffect = 1,

    /// <summary>It may have been applied, or may still be.</summary>
    Unknown = 2,
}

/// <summary>A kind of failure with a stable name (RFC 9457 §3.1.1). Names are never reused or renamed.</summary>
internal sealed record Problem(string Name, int Status, string Title, Outcome Outcome)
{
    public static readonly Problem BadTarget =
        new("bad-target", 400, "The request target cannot be read", Outcome.NotProposed);

    public static readonly Problem BadQuery =
        new("bad-query", 400, "A query parameter is wrong", Outcome.NotProposed);

    public static readonly Problem BadHeader =
        new("bad-header", 400, "A request header is wrong", Outcome.NotProposed);

    public static readonly Problem BadBody =
        new("bad-body", 400, "The request body is wrong", Outcome.NotProposed);

    public static readonly Problem EmptyKey =
        new("empty-key", 400, "The key is empty", Outcome.NotProposed);

    public static readonly Problem FutureRevision =
        new("future-revision", 400, "The revision is in the future", Outcome.NoEffect);

    public static readonly Problem KeyNotFound =
        new("key-not-found", 404, "The key does not exist", Outcome.NoEffect);

    public static readonly Problem MemberNotFound =
        new("member-not-found", 404, "There is no such member", Outcome.NotProposed);

    public static readonly Problem RouteNotFound =
        new("route-not-found", 404, "Nothing is served here", Outcome.NotProposed);

    public static readonly Problem MethodNotAllowed =
        new("method-not-allowed", 405, "The method is not allowed here", Outcome.NotProposed);

    public static readonly Problem NotAList =
        new("not-a-list", 409, "The value is not a list of strings", Outcome.NoEffect);

    public static readonly Problem MemberExists =
        new("member-exists", 409, "The name or address belongs to a member", Outcome.NotProposed);

    public static readonly Problem ChangeRefused =
        new("change-refused", 409, "The change is not allowed now", Outcome.NotProposed);

    public static readonly Problem Compacted =
        new("compacted", 410, "The revision was compacted", Outcome.NoEffect);

    public static readonly Problem NotTakenOver =
        new("not-taken-over", 409, "Leadership did not move in time", Outcome.Unknown);

    public static readonly Problem PreconditionFailed =
        new("precondition-failed", 412, "The precondition does not hold", Outcome.NoEffect);

    public static readonly Problem TooLarge =
        new("too-large", 413, "The body or value is too large", Outcome.NotProposed);

    public static readonly Problem KeyTooLarge =
        new("key-too-large", 414, "The key is too large", Outcome.NotProposed);

    public static readonly Problem UnsupportedMediaType =
        new("unsupported-media-type", 415, "The content type is not supported", Outcome.NotProposed);

    public static readonly Problem IdempotencyKeyReused =
        new("idempotency-key-reused", 422, "The idempotency key belongs to another request", Outcome.NoEffect);

    public static readonly Problem Overloaded =
        new("overloaded", 429, "The node is overloaded", Outcome.NotProposed);

    public static readonly Problem DiskFull =
        new("disk-full", 507, "The leader's disk is full", Outcome.NotProposed);

    public static readonly Problem Internal =
        new("internal", 500, "The node failed to handle the request", Outcome.Unknown);

    public static readonly Problem NoLeader =
        new("no-leader", 503, "No leader is known", Outcome.NotProposed);

    public static readonly Problem ProposalDropped =
        new("proposal-dropped", 503, "A change of leader dropped the proposal", Outcome.NoEffect);

    public static readonly Problem OutcomeUnknown =
        new("outcome-unknown", 503, "The outcome is unknown", Outcome.Unknown);

    public static readonly Problem ReadTimeout =
        new("read-timeout", 503, "The read could not be confirmed in time", Outcome.NoEffect);

    public static readonly Problem NodeStopped =
        new("node-stopped", 503, "The node has stopped", Outcome.NotProposed);

    public static readonly Problem HostRefused =
        new("bad-request", 400, "The request cannot be read", Outcome.NotProposed);

    /// <summary>The problem's type: a name that outlives any host name.</summary>
    public string Type => "urn:kvorum:problem:" + Name;

    /// <summary>A later try may succeed without any change by the caller.</summary>
    public bool IsTransient => Status is 429 or 503 or 507;

    public static string NameOf(Outcome outcome) => outcome switch
    {
        Outcome.NotProposed => "not-proposed",
        Outcome.NoEffect => "no-effect",
        _ => "unknown",
    };

    /// <summary>A caller's words, shortened and quoted, for a message.</summary>
    public static string Quote(ReadOnlySpan<char> found) =>
        found.Length <= RestLimits.EchoMax ? $"'{found}'" : $"'{found[..RestLimits.EchoMax]}…'";
}

/// <summary>
/// Ends the handling of a request with a problem; thrown only by what refuses a request before or after the node.
/// </summary>
internal sealed class ProblemException(Problem problem, string detail) : Exception(detail)
{
    public Problem Problem { get; } = problem;

    /// <summary>The key's mod revision now, 0 when it does not exist; null where it does not matter.</summary>
    public long? CurrentRevision { get; init; }

    /// <summary>Writes further members of the problem.</summary>
    public Action<System.Text.Json.Utf8JsonWriter>? More { get; init; }

    /// <summary>The methods allowed here.</summary>
    public string? Allow { get; init; }
}
