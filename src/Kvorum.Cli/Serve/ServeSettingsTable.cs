namespace Kvorum.Cli.Serve;

/// <summary>One setting: flag --<paramref name="Name"/>, environment KVORUM_NAME, key in the settings file.</summary>
/// <param name="Name">etcd's flag name without dashes, where etcd has the setting.</param>
/// <param name="ValueName">What stands for the value in --help.</param>
/// <param name="Summary">One line for --help.</param>
/// <param name="DefaultText">The default as --help shows it.</param>
/// <param name="Read">Puts the text into the settings; a <see cref="FormatException"/> says what was expected.</param>
internal sealed record Setting(
    string Name,
    string ValueName,
    string Summary,
    string DefaultText,
    Func<ServeSettings, string, ServeSettings> Read)
{
    /// <summary>A flag may stand without a value: then it is true.</summary>
    public bool IsSwitch { get; init; }

    public string Flag => $"--{Name}";

    public string Variable => $"KVORUM_{Name.Replace('-', '_').ToUpperInvariant()}";
}

/// <summary>All settings of 'serve', in the order of --help.</summary>
internal static class ServeSettingsTable
{
    public const string ConfigFile = "config-file";

    public static IReadOnlyList<Setting> All { get; } =
    [
        new("name", "NAME", "This node's name in the cluster.", "default",
            (settings, text) => settings with { Name = SettingText.Name(text) }),
        new("data-dir", "DIR", "Where this node keeps its data; made when missing.", "NAME.kvorum",
            (settings, text) => settings with { DataDir = SettingText.NotEmpty(text, "a directory") }),
        new("listen-client-urls", "URLS", "Where clients connect.", "http://127.0.0.1:2379",
            (settings, text) => settings with { ListenClientUrls = SettingText.Urls(text) }),
        new("advertise-client-urls", "URLS", "What clients are told to connect to.", "the listening ones",
            (settings, text) => settings with { AdvertiseClientUrls = SettingText.Urls(text) }),
        new("listen-peer-urls", "URLS", "Where other nodes connect.", "http://127.0.0.1:2380",
            (settings, text) => settings with { ListenPeerUrls = SettingText.Urls(text) }),
        new("initial-advertise-peer-urls", "URLS", "What other nodes are told to connect to.", "the listening ones",
            (settings, text) => settings with { InitialAdvertisePeerUrls = SettingText.Urls(text) }),
        new("initial-cluster", "N1=URL,N2=URL", "All nodes of a new cluster and their peer URLs.", "this node alone",
            (settings, text) => settings with { InitialCluster = SettingText.Members(text) }),
        new("join", "URLS", "Client URLs of members to ask to be added by, once; not needed again.", "none",
            (settings, text) => settings with { Join = SettingText.Urls(text) }),
        new("initial-cluster-state", "new|existing", "'existing': this node was added to a cluster that runs.", "new",
            (settings, text) => settings with { InitialClusterState = SettingText.OneOf<ClusterState>(text) }),
        new("initial-cluster-token", "TOKEN", "Keeps clusters apart that would look alike.", "kvorum-cluster",
            (settings, text) => settings with { InitialClusterToken = SettingText.NotEmpty(text, "a token") }),
        new("heartbeat-interval", "MS", "Time between a leader's heartbeats.", "100",
            (settings, text) => settings with { HeartbeatInterval = SettingText.Duration(text, 10, 10_000) }),
        new("election-timeout", "MS", "Silence of the leader after which nodes elect another.", "1000",
            (settings, text) => settings with { ElectionTimeout = SettingText.Duration(text, 50, 50_000) }),
        new("request-timeout", "MS", "How long a request may wait for a leader or a quorum.", "5000",
            (settings, text) => settings with { RequestTimeout = SettingText.Duration(text, 10, 300_000) }),
        new("snapshot-log-bytes", "BYTES", "Log bytes after which a snapshot is taken.", "256MiB",
            (settings, text) => settings with { SnapshotLogBytes = SettingText.Bytes(text, 4 << 10, 1L << 40) }),
        new("trailing-entries", "COUNT", "Applied entries kept in the log before a snapshot.", "10000",
            (settings, text) => settings with { TrailingEntries = (ulong)SettingText.Count(text, 0, 100_000_000) }),
        new("wal-segment-bytes", "BYTES", "Size of one log segment.", "64MiB",
            (settings, text) => settings with { WalSegmentBytes = SettingText.Bytes(text, 64 << 10, 1L << 30) }),
        new("snapshot-bytes-per-second", "BYTES", "Snapshot bytes sent to other nodes per second, in all.", "64MiB",
            (settings, text) => settings with
            {
                SnapshotBytesPerSecond = SettingText.Bytes(text, 64 << 10, 1L << 40),
            }),
        new("slow-sync-max", "MS", "A leader whose syncs take longer hands over, if a voter is caught up.", "500",
            (settings, text) => settings with { SlowSyncMax = SettingText.Duration(text, 10, 300_000) }),
        new("allow-insecure", "true|false", "Allow clear text on addresses other than loopback.", "false",
            (settings, text) => settings with { AllowInsecure = SettingText.Boolean(text) })
        { IsSwitch = true },
        new("log-format", "text|json", "How log lines on stderr look.", "text",
            (settings, text) => settings with { LogFormat = SettingText.OneOf<LogFormat>(text) }),
        new("log-level", "LEVEL", "trace, debug, info, warn, error or none.", "info",
            (settings, text) => settings with { LogLevel = SettingText.Level(text) }),
    ];

    public static Setting? Find(string name) => All.FirstOrDefault(setting => setting.Name == name);
}
