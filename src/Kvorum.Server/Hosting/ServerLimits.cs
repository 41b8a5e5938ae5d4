namespace Kvorum.Server;

/// <summary>Every limit of the client port and of the options, with its unit.</summary>
internal static class ServerLimits
{
    public const int MembersMax = 16;

    /// <summary>
    /// What Kestrel reads at most; routes refuse values over 1.5 MiB themselves, with a clear answer.
    /// </summary>
    public const long RequestBodyBytesMax = 4 * 1024 * 1024;

    public const int ClientConnectionsMax = 20_000;

    public const int RequestHeadersMax = 64;

    public const int RequestHeadersBytesMax = 32 * 1024;

    public static readonly TimeSpan RequestHeadersTimeout = TimeSpan.FromSeconds(10);

    public static readonly TimeSpan IdleConnectionTimeout = TimeSpan.FromMinutes(2);

    /// <summary>How long the running requests may take to end when the server stops.</summary>
    public static readonly TimeSpan DrainTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long a leader that stops looks for a successor.</summary>
    public static readonly TimeSpan HandOverTimeout = TimeSpan.FromSeconds(2);

    /// <summary>How long a node that joins looks for a member that takes it in.</summary>
    public static readonly TimeSpan JoinTimeout = TimeSpan.FromSeconds(60);

    /// <summary>One question to one member.</summary>
    public static readonly TimeSpan JoinAttemptTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Between two rounds over all members that could take a node in.</summary>
    public static readonly TimeSpan JoinPause = TimeSpan.FromMilliseconds(250);

    /// <summary>A member that was asked may not have heard yet of one that was just added.</summary>
    public static readonly TimeSpan MemberNewsTimeout = TimeSpan.FromSeconds(1);

    /// <summary>The largest answer to such a question.</summary>
    public const int JoinAnswerBytesMax = 1024 * 1024;

    public static readonly TimeSpan TickInterval = TimeSpan.FromMilliseconds(10);

    public static readonly TimeSpan ElectionTimeoutMax = TimeSpan.FromSeconds(50);

    public static readonly TimeSpan RequestTimeoutMax = TimeSpan.FromMinutes(5);
}
