namespace Kvorum.Server;

/// <summary>A member of the initial cluster: a name and where its peers reach it.</summary>
public sealed record ClusterMember(string Name, Uri PeerUrl);

/// <summary>Settings of a listening node; the command line builds it from flags, environment and file.</summary>
public sealed record ServerOptions
{
    public required string Name { get; init; }

    public required string DataPath { get; init; }

    /// <summary>
    /// Where clients connect. Clear text on a non-loopback address only with <see cref="AllowInsecure"/>.
    /// </summary>
    public required IReadOnlyList<Uri> ListenClientUrls { get; init; }

    /// <summary>What other nodes and redirects tell clients; at least one.</summary>
    public required IReadOnlyList<Uri> AdvertiseClientUrls { get; init; }

    public required IReadOnlyList<Uri> ListenPeerUrls { get; init; }

    /// <summary>
    /// Every voter of the new cluster, this node included by name; of a node that joins, only itself. Without meaning
    /// once the directory knows its cluster, but for this node's own address, which may change.
    /// </summary>
    public required IReadOnlyList<ClusterMember> InitialCluster { get; init; }

    /// <summary>Keeps clusters apart that would look alike; part of the cluster id.</summary>
    public string InitialClusterToken { get; init; } = "kvorum-cluster";

    /// <summary>
    /// Client URLs of members of a running cluster that this node asks to be added to, when its directory is new.
    /// </summary>
    public IReadOnlyList<Uri> JoinUrls { get; init; } = [];

    /// <summary>
    /// The cluster runs already and this node was added to it: with a new directory it asks the others in <see
    /// cref="InitialCluster"/> who it is, instead of beginning a new cluster.
    /// </summary>
    public bool IsExistingCluster { get; init; }

    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromMilliseconds(100);

    public TimeSpan ElectionTimeout { get; init; } = TimeSpan.FromMilliseconds(1000);

    /// <summary>How long a request may wait for a leader or a quorum. Default 5 s.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Log bytes after which a Raft snapshot is taken. Default 256 MiB.</summary>
    public long SnapshotLogBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>Applied entries kept in the log before a snapshot. Default 10,000.</summary>
    public ulong TrailingEntries { get; init; } = 10_000;

    /// <summary>Size of one log segment. Default 64 MiB.</summary>
    public long WalSegmentBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>Bytes of snapshots sent to peers per second, over all of them. Default 64 MiB.</summary>
    public long SnapshotBytesPerSecond { get; init; } = 64L * 1024 * 1024;

    /// <summary>
    /// A leader whose log syncs take longer than this, and than half an election timeout, hands over to a voter that is
    /// caught up. Default 500 ms.
    /// </summary>
    public TimeSpan SlowSyncMax { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// How often a watcher that asks for it hears how far it is while nothing happens. Default 10 min, as etcd's.
    /// </summary>
    public TimeSpan WatchProgressInterval { get; init; } = TimeSpan.FromMinutes(10);

    public bool AllowInsecure { get; init; }
}
