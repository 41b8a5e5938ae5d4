namespace Kvorum.Server.Rest;

/// <summary>A route of the HTTP interface: its path as in the OpenAPI document and the methods it answers.</summary>
internal sealed record RestRoute(string Template, string Allow)
{
    public static readonly RestRoute Status = new("/", "GET, HEAD, OPTIONS");

    public static readonly RestRoute OpenApi = new("/openapi.json", "GET, HEAD, OPTIONS");

    public static readonly RestRoute List = new("/v1/kv", "GET, HEAD, OPTIONS");

    public static readonly RestRoute Key = new("/v1/kv/{key}", "GET, HEAD, PUT, DELETE, OPTIONS");

    public static readonly RestRoute Txn = new("/v1/txn", "POST, OPTIONS");

    public static readonly RestRoute Compact = new("/v1/compact", "POST, OPTIONS");

    public static readonly RestRoute Members = new("/v1/members", "GET, HEAD, POST, OPTIONS");

    public static readonly RestRoute Member = new("/v1/members/{name}", "DELETE, OPTIONS");

    public static readonly RestRoute Promote = new("/v1/members/{name}/promote", "POST, OPTIONS");

    public static readonly RestRoute Replace = new("/v1/members/{name}/replace", "POST, OPTIONS");

    public static readonly RestRoute Leader = new("/v1/leader", "GET, HEAD, POST, OPTIONS");

    public static readonly RestRoute Keys = new("/keys/{key}", "GET, HEAD, POST, OPTIONS");

    public static readonly RestRoute AdminStatus = new("/admin/status", "GET, HEAD, OPTIONS");

    public static readonly RestRoute ShortForm = new("/{key}", "GET, HEAD, POST, OPTIONS");

    /// <summary>What the host's own endpoints answer; only other methods come here.</summary>
    public static readonly RestRoute HostPath = new("/health, /livez, /readyz, /metrics", "GET, HEAD, OPTIONS");

    /// <summary>Prefix of the paths of <see cref="Key"/>.</summary>
    public const string KeyPrefix = "/v1/kv/";

    /// <summary>Prefix of the paths of <see cref="Keys"/>.</summary>
    public const string KeysPrefix = "/keys/";

    /// <summary>Prefix of the paths of one member.</summary>
    private const string MemberPrefix = "/v1/members/";

    public static IReadOnlyList<RestRoute> All { get; } =
    [
        Status, OpenApi, List, Key, Txn, Compact, Members, Member, Promote, Replace, Leader, Keys, AdminStatus,
        ShortForm,
    ];

    /// <summary>
    /// First segments with another meaning, now or later: never keys of the short form. Such keys stay reachable under
    /// <c>/v1/kv/</c> and <c>/keys/</c>.
    /// </summary>
    private static readonly string[] Reserved =
    [
        "v1", "v3", "keys", "admin", "health", "livez", "readyz", "metrics", "openapi.json", "start", "stop",
        "lab", "dashboard", "version",
    ];

    /// <summary>The route of a path that is still percent-encoded; null when nothing is served there.</summary>
    public static RestRoute? Match(ReadOnlySpan<char> path)
    {
        if (path.StartsWith(KeyPrefix, StringComparison.Ordinal))
        {
            return Key;
        }

        if (path.StartsWith(KeysPrefix, StringComparison.Ordinal))
        {
            return Keys;
        }

        if (path.StartsWith(MemberPrefix, StringComparison.Ordinal))
        {
            return MatchMember(path[MemberPrefix.Length..]);
        }

        switch (path)
        {
            case "/": return Status;
            case "/v1/kv": return List;
            case "/v1/txn": return Txn;
            case "/v1/compact": return Compact;
            case "/v1/members": return Members;
            case "/v1/leader": return Leader;
            case "/admin/status": return AdminStatus;
            case "/openapi.json": return OpenApi;
            case "/health" or "/livez" or "/readyz" or "/metrics": return HostPath;
            default: break;
        }

        var isOneSegment = path.Length > 1 && path[0] == '/' && !path[1..].Contains('/');
        return isOneSegment && !IsReserved(path[1..]) ? ShortForm : null;
    }

    /// <summary>The member that a path of <see cref="Member"/> or below names.</summary>
    /// <exception cref="ProblemException">It is not percent-encoded text.</exception>
    public static string MemberNameOf(ReadOnlySpan<char> path)
    {
        var rest = path[MemberPrefix.Length..];
        var slash = rest.IndexOf('/');
        var name = slash < 0 ? rest : rest[..slash];
        return Percent.TryDecodeForm(name, out var bytes) && System.Text.Unicode.Utf8.IsValid(bytes)
            ? System.Text.Encoding.UTF8.GetString(bytes)
            : throw new ProblemException(
                Problem.BadTarget, $"Member: expected a percent-encoded name, found {Problem.Quote(name)}.");
    }

    private static RestRoute? MatchMember(ReadOnlySpan<char> rest)
    {
        var slash = rest.IndexOf('/');
        if (slash < 0)
        {
            return rest.IsEmpty ? null : Member;
        }

        return rest[(slash + 1)..] switch
        {
            _ when slash == 0 => null,
            "promote" => Promote,
            "replace" => Replace,
            _ => null,
        };
    }

    public static bool IsReserved(ReadOnlySpan<char> segment)
    {
        foreach (var word in Reserved)
        {
            if (segment.SequenceEqual(word))
            {
                return true;
            }
        }

        return false;
    }
}
