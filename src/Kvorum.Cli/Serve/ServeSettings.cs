using Kvorum.Server;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Serve;

/// <summary>How log lines look.</summary>
internal enum LogFormat
{
    Text = 0,
    Json = 1,
}

/// <summary>Whether this start may begin a cluster.</summary>
internal enum ClusterState
{
    /// <summary>An empty directory begins a new cluster; a filled one continues.</summary>
    New = 0,

    /// <summary>The cluster runs already: a node with an empty directory asks it who it is.</summary>
    Existing = 1,
}

/// <summary>
/// Everything 'serve' can be told, typed. What follows from other settings is null until <see cref="Complete"/>.
/// </summary>
internal sealed record ServeSettings
{
    public string Name { get; init; } = "default";

    public string? DataDir { get; init; }

    public IReadOnlyList<Uri> ListenClientUrls { get; init; } = [new("http://127.0.0.1:2379")];

    public IReadOnlyList<Uri>? AdvertiseClientUrls { get; init; }

    public IReadOnlyList<Uri> ListenPeerUrls { get; init; } = [new("http://127.0.0.1:2380")];

    public IReadOnlyList<Uri>? InitialAdvertisePeerUrls { get; init; }

    public IReadOnlyList<ClusterMember>? InitialCluster { get; init; }

    public ClusterState InitialClusterState { get; init; } = ClusterState.New;

    public IReadOnlyList<Uri> Join { get; init; } = [];

    public string InitialClusterToken { get; init; } = "kvorum-cluster";

    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromMilliseconds(1000);

    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(5);

    public long SnapshotLogBytes { get; init; } = 256L * 1024 * 1024;

    public ulong TrailingEntries { get; init; } = 10_000;

    public long WalSegmentBytes { get; init; } = 64L * 1024 * 1024;

    public long SnapshotBytesPerSecond { get; init; } = 64L * 1024 * 1024;

    public TimeSpan SlowSyncMax { get; init; } = TimeSpan.FromMilliseconds(500);

    public bool AllowInsecure { get; init; }

    public LogFormat LogFormat { get; init; } = LogFormat.Text;

    public LogLevel LogLevel { get; init; } = LogLevel.Information;

    /// <summary>Fills in what follows from other settings, and says what does not fit together.</summary>
    public ServeSettings Complete(ICollection<string> errors)
    {
        var advertisedPeers = InitialAdvertisePeerUrls ?? ListenPeerUrls;
        var cluster = InitialCluster ?? [new ClusterMember(Name, advertisedPeers[0])];

        var self = cluster.FirstOrDefault(member => member.Name == Name);
        if (self is null)
        {
            errors.Add(
                $"--initial-cluster: expected a member named '{Name}' (the --name of this node), "
                + $"found only {string.Join(", ", cluster.Select(member => $"'{member.Name}'"))}");
        }
        else if (!advertisedPeers.Contains(self.PeerUrl))
        {
            errors.Add(
                $"--initial-cluster: expected '{Name}' at one of its --initial-advertise-peer-urls "
                + $"({string.Join(", ", advertisedPeers.Select(UrlText))}), found {UrlText(self.PeerUrl)}");
        }

        if (Join.Count > 0 && (InitialCluster is { Count: > 1 } || InitialClusterState is ClusterState.Existing))
        {
            errors.Add(
                "--join: expected neither --initial-cluster nor --initial-cluster-state existing beside it (the "
                + "cluster tells who its members are), found both");
        }

        if (ListenClientUrls.Intersect(ListenPeerUrls).FirstOrDefault(url => url.Port != 0) is { } both)
        {
            errors.Add(
                "--listen-peer-urls: expected other ports than in --listen-client-urls, "
                + $"found {UrlText(both)} in both");
        }

        if (ElectionTimeout < 5 * HeartbeatInterval)
        {
            errors.Add(
                "--election-timeout: expected at least 5 times --heartbeat-interval "
                + $"({HeartbeatInterval.TotalMilliseconds} ms), found {ElectionTimeout.TotalMilliseconds} ms");
        }

        return this with
        {
            DataDir = DataDir ?? $"{Name}.kvorum",
            AdvertiseClientUrls = AdvertiseClientUrls ?? ListenClientUrls,
            InitialAdvertisePeerUrls = advertisedPeers,
            InitialCluster = cluster,
        };
    }

    /// <summary>The same for the server; call on completed settings only.</summary>
    public ServerOptions ToServerOptions() => new()
    {
        Name = Name,
        DataPath = Path.GetFullPath(Required(DataDir)),
        ListenClientUrls = ListenClientUrls,
        AdvertiseClientUrls = Required(AdvertiseClientUrls),
        ListenPeerUrls = ListenPeerUrls,
        InitialCluster = Required(InitialCluster),
        InitialClusterToken = InitialClusterToken,
        JoinUrls = Join,
        IsExistingCluster = InitialClusterState is ClusterState.Existing,
        HeartbeatInterval = HeartbeatInterval,
        ElectionTimeout = ElectionTimeout,
        RequestTimeout = RequestTimeout,
        SnapshotLogBytes = SnapshotLogBytes,
        TrailingEntries = TrailingEntries,
        WalSegmentBytes = WalSegmentBytes,
        SnapshotBytesPerSecond = SnapshotBytesPerSecond,
        SlowSyncMax = SlowSyncMax,
        AllowInsecure = AllowInsecure,
    };

    /// <summary>A URL as people write it: without the slash at the end.</summary>
    public static string UrlText(Uri url) => url.GetLeftPart(UriPartial.Authority);

    private static T Required<T>(T? value)
        where T : class =>
        value ?? throw new InvalidOperationException("The settings were not completed.");
}
