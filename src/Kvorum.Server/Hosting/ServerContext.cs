using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>What every route may know about the node it serves. One per server; thread-safe.</summary>
internal sealed class ServerContext
{
    private readonly Func<ulong, string?> _clientUrlOf;
    private readonly Func<long>? _outgoingFramesDropped;
    private volatile bool _isDraining;

    /// <param name="clientUrlOf">The client URL last heard from a peer; null when it was never heard.</param>
    /// <param name="outgoingFramesDropped">Frames the transport dropped so far.</param>
    public ServerContext(
        IKvorum kvorum,
        NodeMetrics metrics,
        ServerOptions options,
        IReadOnlyList<ServerMember> members,
        Func<ulong, string?> clientUrlOf,
        TimeProvider time,
        Func<long>? outgoingFramesDropped = null)
    {
        Kvorum = kvorum;
        Metrics = metrics;
        Options = options;
        Members = members;
        Time = time;
        StartedAt = time.GetUtcNow();
        Self = members.Single(member => member.Name == options.Name);
        _clientUrlOf = clientUrlOf;
        _outgoingFramesDropped = outgoingFramesDropped;
    }

    public IKvorum Kvorum { get; }

    public NodeMetrics Metrics { get; }

    public ServerOptions Options { get; }

    /// <summary>All members of the initial cluster, this node included, ordered by name.</summary>
    public IReadOnlyList<ServerMember> Members { get; }

    public ServerMember Self { get; }

    public TimeProvider Time { get; }

    public DateTimeOffset StartedAt { get; }

    public string Version { get; } = ServerVersion.Text;

    public int ProcessId { get; } = Environment.ProcessId;

    /// <summary>Answers counted by route class and status.</summary>
    public RequestCounters Requests { get; } = new();

    /// <summary>True once the server stops: it is not ready any more and takes no new work.</summary>
    public bool IsDraining => _isDraining;

    public long OutgoingFramesDropped => _outgoingFramesDropped?.Invoke() ?? 0;

    public ServerMember? MemberOf(ulong node) => Members.FirstOrDefault(member => member.Node == node);

    /// <summary>A member's name; its id in hexadecimal when the initial cluster does not name it.</summary>
    public string NameOf(ulong node) => MemberOf(node)?.Name ?? node.ToString("x16", null);

    /// <summary>
    /// The first client URL <paramref name="node"/> advertises, without a slash at the end; for a peer the one it told
    /// in its last handshake, remembered while this process lives. Null when it was never heard.
    /// </summary>
    public string? ClientUrlOf(ulong node) => node == Self.Node
        ? Options.AdvertiseClientUrls[0].AbsoluteUri.TrimEnd('/')
        : _clientUrlOf(node);

    public void BeginDraining() => _isDraining = true;
}
