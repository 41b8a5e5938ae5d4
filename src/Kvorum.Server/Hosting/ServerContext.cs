using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>What every route may know about the node it serves. One per server; thread-safe.</summary>
internal sealed class ServerContext : IDisposable
{
    private readonly Func<ulong, string?> _clientUrlOf;
    private readonly Func<long>? _outgoingFramesDropped;
    private readonly CancellationTokenSource _draining = new();

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

    /// <summary>The members this node started with, itself included; the membership knows more.</summary>
    public IReadOnlyList<ServerMember> Members { get; }

    public ServerMember Self { get; }

    public TimeProvider Time { get; }

    public DateTimeOffset StartedAt { get; }

    public string Version { get; } = ServerVersion.Text;

    public int ProcessId { get; } = Environment.ProcessId;

    /// <summary>Answers counted by route class and status.</summary>
    public RequestCounters Requests { get; } = new();

    /// <summary>gRPC calls counted by method and status.</summary>
    public Grpc.GrpcCounters GrpcCalls { get; } = new();

    /// <summary>True once the server stops: it is not ready any more and takes no new work.</summary>
    public bool IsDraining => _draining.IsCancellationRequested;

    /// <summary>Fires once the server stops.</summary>
    public CancellationToken Draining => _draining.Token;

    public long OutgoingFramesDropped => _outgoingFramesDropped?.Invoke() ?? 0;

    /// <summary>A member's name; its id in hexadecimal when nobody has told.</summary>
    public string NameOf(ulong node) =>
        ToldOf(node) is { Name.Length: > 0 } told ? told.Name : StartedWith(node)?.Name ?? node.ToString("x16", null);

    /// <summary>Where peers reach a member; null when nobody has told.</summary>
    public Uri? PeerUrlOf(ulong node) =>
        ToldOf(node) is { } told && Uri.TryCreate(told.PeerUrl, UriKind.Absolute, out var url)
            ? url
            : StartedWith(node)?.PeerUrl;

    /// <summary>
    /// The first client URL <paramref name="node"/> advertises, without a slash at the end: what the membership says,
    /// else what the node told in its last handshake, remembered while this process lives. Null when it never told.
    /// </summary>
    public string? ClientUrlOf(ulong node) => node == Self.Node
        ? OwnClientUrls()[0]
        : ToldOf(node) is { ClientUrls: [var first, ..] } ? first : _clientUrlOf(node);

    /// <summary>All that is known of a member's name and addresses, from wherever.</summary>
    public MemberAddress AddressOf(in MemberStatus member)
    {
        var node = member.Node;
        string[] heard = ClientUrlOf(node) is { } url ? [url] : [];
        return new MemberAddress(
            node,
            NameOf(node),
            PeerUrlOf(node)?.AbsoluteUri.TrimEnd('/') ?? "",
            node == Self.Node ? OwnClientUrls()
            : member.Address is { ClientUrls.Count: > 0 } told ? told.ClientUrls
            : heard);
    }

    public void Dispose() => _draining.Dispose();

    public void BeginDraining() => _draining.Cancel();

    private string[] OwnClientUrls() => [.. Options.AdvertiseClientUrls.Select(url => url.AbsoluteUri.TrimEnd('/'))];

    /// <summary>What the membership says of a member; null when it says nothing.</summary>
    private MemberAddress? ToldOf(ulong node)
    {
        foreach (var member in Kvorum.Status.Members)
        {
            if (member.Node == node)
            {
                return member.Address;
            }
        }

        return null;
    }

    private ServerMember? StartedWith(ulong node) => Members.FirstOrDefault(member => member.Node == node);
}
