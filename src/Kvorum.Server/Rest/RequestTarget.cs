namespace Kvorum.Server.Rest;

/// <summary>
/// The target of a request as it stood on the request line. The host's own path is percent-decoded and has its
/// <c>..</c> segments resolved, which would make keys such as <c>a/../b</c> unreachable; this one is untouched.
/// </summary>
internal readonly struct RequestTarget
{
    private readonly string _raw;
    private readonly int _pathStart;
    private readonly int _pathEnd;

    private RequestTarget(string raw, int pathStart, int pathEnd)
    {
        _raw = raw;
        _pathStart = pathStart;
        _pathEnd = pathEnd;
    }

    /// <summary>Starts with a slash; still percent-encoded. Empty for the target <c>*</c>.</summary>
    public ReadOnlySpan<char> Path => _raw.AsSpan(_pathStart, _pathEnd - _pathStart);

    /// <summary>Without the question mark; still percent-encoded.</summary>
    public ReadOnlySpan<char> Query => _pathEnd < _raw.Length ? _raw.AsSpan(_pathEnd + 1) : default;

    public ReadOnlySpan<char> PathAndQuery => _raw.AsSpan(_pathStart);

    /// <summary>Reads origin form (<c>/a?b</c>), absolute form (<c>http://host/a?b</c>) and asterisk form.</summary>
    public static bool TryParse(string raw, out RequestTarget target)
    {
        if (raw is "*")
        {
            target = new RequestTarget(raw, 1, 1);
            return true;
        }

        var pathStart = 0;
        if (raw.Length == 0 || raw[0] != '/')
        {
            var authority = raw.IndexOf("://", StringComparison.Ordinal);
            pathStart = authority < 0 ? -1 : raw.IndexOf('/', authority + 3);
            if (pathStart < 0)
            {
                target = default;
                return false;
            }
        }

        var question = raw.IndexOf('?', pathStart);
        target = new RequestTarget(raw, pathStart, question < 0 ? raw.Length : question);
        return true;
    }
}
