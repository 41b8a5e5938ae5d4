using Kvorum.Cli;
using Kvorum.Cli.Serve;
using Kvorum.SystemTests.Running;
using Microsoft.Extensions.Logging;

namespace Kvorum.SystemTests.Settings;

/// <summary>Settings of 'serve' without a process: sources, precedence, and what a wrong value is told.</summary>
public sealed class ServeSettingsTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly List<string> _warnings = [];

    [Fact]
    public void Without_anything_given_the_defaults_form_a_cluster_of_one()
    {
        var settings = Read();
        Assert.Equal("default", settings.Name);
        Assert.Equal("default.kvorum", settings.DataDir);
        Assert.Equal(settings.ListenClientUrls, settings.AdvertiseClientUrls);
        Assert.Equal("default", Assert.Single(settings.InitialCluster ?? []).Name);
        Assert.Equal(settings.ListenPeerUrls[0], settings.InitialCluster?[0].PeerUrl);
    }

    [Fact]
    public void Flags_win_over_environment_over_file_over_defaults()
    {
        var file = WriteFile("""{"election-timeout": 2001, "heartbeat-interval": 101, "request-timeout": 3001}""");
        var settings = Read(
            Flags(("config-file", file), ("election-timeout", "2003")),
            Flags(("KVORUM_ELECTION_TIMEOUT", "2002"), ("KVORUM_HEARTBEAT_INTERVAL", "102")));
        Assert.Equal(2003, settings.ElectionTimeout.TotalMilliseconds);
        Assert.Equal(102, settings.HeartbeatInterval.TotalMilliseconds);
        Assert.Equal(3001, settings.RequestTimeout.TotalMilliseconds);
        Assert.Equal(10_000UL, settings.TrailingEntries);
    }

    [Fact]
    public void The_file_may_be_named_by_the_environment_and_hold_lists_numbers_and_booleans()
    {
        var file = WriteFile(
            """
            {
              "listen-client-urls": ["http://127.0.0.1:1", "http://127.0.0.1:2"],
              "snapshot-log-bytes": 65536,
              "allow-insecure": true,
              "log-level": "warn"
            }
            """);
        var settings = Read(Flags(), Flags(("KVORUM_CONFIG_FILE", file)));
        Assert.Equal([1, 2], settings.ListenClientUrls.Select(url => url.Port));
        Assert.Equal(65536, settings.SnapshotLogBytes);
        Assert.True(settings.AllowInsecure);
        Assert.Equal(LogLevel.Warning, settings.LogLevel);
    }

    [Theory]
    [InlineData("name", "a b", "letters, digits")]
    [InlineData("listen-client-urls", "https://127.0.0.1:1", "https is not supported yet")]
    [InlineData("listen-client-urls", "http://127.0.0.1", "has no port")]
    [InlineData("listen-client-urls", "http://127.0.0.1:1/path", "has a path")]
    [InlineData("listen-peer-urls", "127.0.0.1:1", "http://HOST:PORT")]
    [InlineData("listen-peer-urls", "", "comma-separated")]
    [InlineData("initial-cluster", "http://127.0.0.1:1", "has no name")]
    [InlineData("initial-cluster", "default=http://127.0.0.1:1,default=http://127.0.0.1:2", "comes twice")]
    [InlineData("initial-cluster", "other=http://127.0.0.1:2380", "a member named 'default'")]
    [InlineData("initial-cluster", "default=http://127.0.0.1:9", "--initial-advertise-peer-urls")]
    [InlineData("initial-cluster-state", "old", "new or existing")]
    [InlineData("election-timeout", "-1", "milliseconds from 50 to")]
    [InlineData("election-timeout", "200", "at least 5 times --heartbeat-interval")]
    [InlineData("request-timeout", "5h", "a duration such as")]
    [InlineData("snapshot-log-bytes", "64MB", "512KiB")]
    [InlineData("snapshot-log-bytes", "99999999999999999999", "bytes from")]
    [InlineData("trailing-entries", "many", "a whole number from 0")]
    [InlineData("snapshot-bytes-per-second", "0", "bytes from 65536")]
    [InlineData("snapshot-bytes-per-second", "fast", "64MiB")]
    [InlineData("slow-sync-max", "0", "milliseconds from 10 to")]
    [InlineData("slow-sync-max", "long", "500ms or 5s")]
    [InlineData("allow-insecure", "yes", "true or false")]
    [InlineData("log-format", "xml", "text or json")]
    [InlineData("log-level", "loud", "trace, debug, info")]
    public void A_wrong_value_is_named_with_what_was_expected_and_found(string name, string text, string expected)
    {
        var error = Assert.Throws<UsageException>(() => Read(Flags((name, text))));
        Assert.StartsWith($"--{name}: expected ", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("found", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_wrong_values_are_told_at_once_each_with_its_source()
    {
        var file = WriteFile("""{"log-format": "xml"}""");
        var error = Assert.Throws<UsageException>(() => Read(
            Flags(("config-file", file), ("name", "a b")), Flags(("KVORUM_ALLOW_INSECURE", "maybe"))));
        var lines = error.Message.Split(Environment.NewLine);
        Assert.Equal(3, lines.Length);
        Assert.Contains(lines, line => line.EndsWith("found 'a b' (from the command line)", StringComparison.Ordinal));
        Assert.Contains(
            lines, line => line.EndsWith("found 'maybe' (from environment KVORUM_ALLOW_INSECURE)", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.EndsWith($"found 'xml' (from file '{file}')", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"election-timeot": 1000}""", "'election-timeot'")]
    [InlineData("""{"--name": "n1"}""", "without dashes in front")]
    [InlineData("""{"name": "n1", "name": "n2"}""", "twice")]
    [InlineData("""{"name": {"first": "n1"}}""", "a string, number, boolean or list of strings")]
    [InlineData("""["name"]""", "expected a JSON object")]
    [InlineData("""{"name": """, "expected a JSON object")]
    public void A_wrong_file_is_refused(string content, string expected)
    {
        var file = WriteFile(content);
        var error = Assert.Throws<UsageException>(() => Read(Flags(("config-file", file))));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains(file, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void One_port_for_clients_and_peers_is_refused()
    {
        var flags = Flags(("listen-client-urls", "http://127.0.0.1:1"), ("listen-peer-urls", "http://127.0.0.1:1"));
        var refused = Assert.Throws<UsageException>(() => Read(flags));
        Assert.Contains("found http://127.0.0.1:1 in both", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_file_is_named()
    {
        var error = Assert.Throws<UsageException>(() => Read(Flags(("config-file", "/nowhere/at-all.json"))));
        Assert.Contains("/nowhere/at-all.json", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_unknown_variable_is_a_warning_and_an_empty_one_is_not_set()
    {
        var settings = Read(Flags(), Flags(("KVORUM_NAMES", "n1"), ("KVORUM_NAME", ""), ("KVORUM_ENDPOINTS", "x")));
        Assert.Equal("default", settings.Name);
        Assert.Contains("KVORUM_NAMES", Assert.Single(_warnings), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("250", 250)]
    [InlineData("250ms", 250)]
    [InlineData("5s", 5_000)]
    [InlineData("1m", 60_000)]
    public void Durations_are_milliseconds_or_carry_a_unit(string text, double milliseconds) =>
        Assert.Equal(milliseconds, Read(Flags(("request-timeout", text))).RequestTimeout.TotalMilliseconds);

    [Fact]
    public void Every_setting_reaches_the_server()
    {
        var options = Read(Flags(
            ("name", "n1"), ("data-dir", "/tmp/n1"), ("initial-cluster-token", "t"), ("snapshot-log-bytes", "1MiB"),
            ("trailing-entries", "7"), ("wal-segment-bytes", "128KiB"), ("allow-insecure", "true"),
            ("advertise-client-urls", "http://10.0.0.1:1"))).ToServerOptions();
        Assert.Equal("n1", options.Name);
        Assert.Equal("/tmp/n1", options.DataPath);
        Assert.Equal("t", options.InitialClusterToken);
        Assert.Equal(1 << 20, options.SnapshotLogBytes);
        Assert.Equal(7UL, options.TrailingEntries);
        Assert.Equal(128 << 10, options.WalSegmentBytes);
        Assert.True(options.AllowInsecure);
        Assert.Equal("10.0.0.1", Assert.Single(options.AdvertiseClientUrls).Host);
    }

    public void Dispose() => _directory.Dispose();

    private static Dictionary<string, string> Flags(params (string Name, string Text)[] given) =>
        given.ToDictionary(pair => pair.Name, pair => pair.Text);

    private ServeSettings Read(Dictionary<string, string>? flags = null, Dictionary<string, string>? environment = null) =>
        ServeSettingsReader.Read(flags ?? [], environment ?? [], _warnings);

    private string WriteFile(string content)
    {
        var path = _directory.At("settings.json");
        File.WriteAllText(path, content);
        return path;
    }
}
