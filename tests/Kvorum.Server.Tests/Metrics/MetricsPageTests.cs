using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Kvorum.Node;
using Kvorum.Server.Tests.Health;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Tests.Metrics;

public sealed partial class MetricsPageTests
{
    [Fact]
    public void Every_line_is_of_the_text_format_and_every_sample_stands_under_its_header()
    {
        var page = Render(new FakeKvorum(), new NodeMetrics());
        var seen = new HashSet<string>();
        var family = "";
        foreach (var line in page.TrimEnd('\n').Split('\n'))
        {
            if (Help().Match(line) is { Success: true } help)
            {
                family = help.Groups["name"].Value;
                Assert.True(seen.Add(family), $"{family} twice");
            }
            else if (Type().Match(line) is { Success: true } type)
            {
                Assert.Equal(family, type.Groups["name"].Value);
            }
            else
            {
                var sample = Sample().Match(line);
                Assert.True(sample.Success, line);
                var name = sample.Groups["name"].Value;
                Assert.Contains(name, new[] { family, family + "_bucket", family + "_sum", family + "_count" });
                Assert.True(double.TryParse(sample.Groups["value"].Value, CultureInfo.InvariantCulture, out _), line);
            }
        }

        Assert.EndsWith("\n", page, StringComparison.Ordinal);
    }

    [Fact]
    public void The_status_of_the_node_is_on_the_page()
    {
        var page = Render(new FakeKvorum(), new NodeMetrics { LeaderChanges = 9, ProposalsAccepted = 12 });

        AssertLines(
            page,
            "kvorum_raft_state{state=\"leader\"} 1", "kvorum_raft_state{state=\"follower\"} 0", "kvorum_raft_term 7",
            "kvorum_raft_has_leader 1", "kvorum_raft_commit_index 100", "kvorum_raft_applied_index 99",
            "kvorum_raft_last_log_index 101", "kvorum_store_keys 60", "kvorum_store_size_bytes 4096",
            "kvorum_wal_size_bytes 8192", "kvorum_peers_connected 1", "kvorum_raft_leader_changes_total 9",
            "kvorum_proposals_total{result=\"accepted\"} 12",
            "kvorum_peer_frames_dropped_total{reason=\"outgoing\"} 4");
    }

    [Fact]
    public void Label_values_are_escaped()
    {
        var page = Render(new FakeKvorum(), new NodeMetrics());

        AssertLines(
            page,
            """kvorum_peer_connected{peer="n\"2\\\n"} 1""",
            "kvorum_peer_connected{peer=\"0000000000000003\"} 0");
    }

    [Fact]
    public void Histogram_buckets_are_cumulative_and_in_seconds()
    {
        var metrics = new NodeMetrics();
        metrics.Sync.Record(50);
        metrics.Sync.Record(51);
        metrics.Sync.Record(51);
        metrics.Sync.Record(5_000_000);

        var page = Render(new FakeKvorum(), metrics);

        const string Name = "kvorum_wal_sync_duration_seconds";
        AssertLines(
            page,
            $"{Name}_bucket{{le=\"5E-05\"}} 1", $"{Name}_bucket{{le=\"0.0001\"}} 3",
            $"{Name}_bucket{{le=\"1.6384\"}} 3",
            $"{Name}_bucket{{le=\"+Inf\"}} 4", $"{Name}_sum 5.000152", $"{Name}_count 4");
    }

    [Fact]
    public void Answers_are_counted_by_class_of_route_and_status()
    {
        var counters = new RequestCounters();
        string[] paths =
            ["/v1/kv/a", "/v1/kv", "/keys/a", "/", "/admin/status", "/health", "/readyz", "/metrics", "/a"];
        foreach (var path in paths)
        {
            counters.Count(new PathString(path), 200);
        }

        counters.Count(new PathString("/v1/kv/b"), 404);
        counters.Count(PathString.Empty, 99); // Not a status; nothing to count.

        var counts = new Dictionary<(string Route, int Status), long>();
        counters.Visit((route, status, count) => counts.Add((route, status), count));
        Assert.Equal(
            new Dictionary<(string, int), long>
            {
                [("kv", 200)] = 2,
                [("kv", 404)] = 1,
                [("keys", 200)] = 1,
                [("admin", 200)] = 2,
                [("health", 200)] = 2,
                [("metrics", 200)] = 1,
                [("short", 200)] = 1,
            },
            counts);
    }

    private static string Render(FakeKvorum kvorum, NodeMetrics metrics)
    {
        var output = new ArrayBufferWriter<byte>();
        var context = FakeKvorum.Context(kvorum, metrics);
        context.Requests.Count(new PathString("/keys/a"), 204);
        MetricsPage.Write(new PrometheusWriter(output), context);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    private static void AssertLines(string page, params string[] lines)
    {
        var all = page.Split('\n').ToHashSet();
        Assert.All(lines, line => Assert.Contains(line, all));
    }

    [GeneratedRegex("^# HELP (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) .+$")]
    private static partial Regex Help();

    [GeneratedRegex("^# TYPE (?<name>[a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$")]
    private static partial Regex Type();

    [GeneratedRegex("""^(?<name>[a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)+\})? (?<value>\S+)$""")]
    private static partial Regex Sample();
}
