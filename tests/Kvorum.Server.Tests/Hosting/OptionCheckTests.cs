namespace Kvorum.Server.Tests.Hosting;

public sealed class OptionCheckTests
{
    private static readonly ServerOptions Good = new()
    {
        Name = "a",
        DataPath = "data",
        ListenClientUrls = [new Uri("http://127.0.0.1:2379")],
        AdvertiseClientUrls = [new Uri("http://127.0.0.1:2379")],
        ListenPeerUrls = [new Uri("http://localhost:2380")],
        InitialCluster = [Member("a", 2380), Member("b", 2390), Member("c", 2400)],
    };

    [Fact]
    public void Good_options_pass() => OptionCheck.Validate(Good);

    [Fact]
    public void An_empty_name_is_named() =>
        Refused(Good with { Name = "" }, "--name: expected a name, found nothing.");

    [Fact]
    public void A_name_with_an_equals_sign_is_named() =>
        Refused(Good with { Name = "a=b" }, "--name: expected letters, digits, '-', '_' or '.', found \"a=b\".");

    [Fact]
    public void A_name_outside_the_initial_cluster_is_named() => Refused(
        Good with { Name = "d" },
        "--initial-cluster: expected a member named \"d\" (the option name), found \"a\", \"b\", \"c\".");

    [Fact]
    public void A_name_twice_is_named() => Refused(
        Good with { InitialCluster = [Member("a", 1), Member("b", 2), Member("b", 3)] },
        "--initial-cluster: expected different names, found \"b\" twice.");

    [Fact]
    public void A_peer_url_twice_is_named() => Refused(
        Good with { InitialCluster = [Member("a", 1), Member("b", 1)] },
        "--initial-cluster: expected different peer URLs, found \"127.0.0.1:1\" twice.");

    [Fact]
    public void More_members_than_the_limit_are_refused() => Refused(
        Good with { InitialCluster = [.. Enumerable.Range(0, 17).Select(index => Member($"m{index}", index + 1))] },
        "--initial-cluster: expected at most 16 members, found 17.");

    [Fact]
    public void An_empty_initial_cluster_is_refused() => Refused(
        Good with { InitialCluster = [] }, "--initial-cluster: expected at least one name=URL pair, found none.");

    [Fact]
    public void A_member_on_port_zero_is_refused() => Refused(
        Good with { InitialCluster = [Member("a", 1), Member("b", 0)] },
        "--initial-cluster: expected a URL like http://127.0.0.1:2379, with a port other than 0, "
        + "found \"http://127.0.0.1:0/\".");

    [Theory]
    [InlineData("https://127.0.0.1:1", "(https is not supported yet)")]
    [InlineData("unix:///tmp/socket", "expected a URL like")]
    [InlineData("http://127.0.0.1:1/path", "without path, query or user")]
    [InlineData("http://user@127.0.0.1:1", "without path, query or user")]
    public void A_url_of_another_kind_is_refused(string url, string part)
    {
        var error = Assert.Throws<ArgumentException>(
            () => OptionCheck.Validate(Good with { ListenClientUrls = [new Uri(url)] }));
        Assert.StartsWith("--listen-client-urls: expected ", error.Message, StringComparison.Ordinal);
        Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("http://0.0.0.0:2379")]
    [InlineData("http://192.0.2.1:2379")]
    [InlineData("http://[::]:2379")]
    [InlineData("http://kvorum.test:2379")]
    public void Clear_text_off_loopback_is_refused_unless_it_is_allowed(string url)
    {
        foreach (var options in new[]
        {
            Good with { ListenClientUrls = [new Uri(url)] },
            Good with { ListenPeerUrls = [new Uri(url)] },
        })
        {
            var error = Assert.Throws<ArgumentException>(() => OptionCheck.Validate(options));
            Assert.Contains("allow-insecure", error.Message, StringComparison.Ordinal);
            Assert.Contains(new Uri(url).ToString(), error.Message, StringComparison.Ordinal);
            OptionCheck.Validate(options with { AllowInsecure = true });
        }
    }

    [Theory]
    [InlineData("http://127.0.0.1:1", true)]
    [InlineData("http://127.9.9.9:1", true)]
    [InlineData("http://[::1]:1", true)]
    [InlineData("http://LOCALHOST:1", true)]
    [InlineData("http://localhost.evil.test:1", false)]
    [InlineData("http://0.0.0.0:1", false)]
    public void Loopback_is_told_from_the_rest(string url, bool expected) =>
        Assert.Equal(expected, OptionCheck.IsLoopback(new Uri(url)));

    [Fact]
    public void Times_that_do_not_fit_each_other_are_refused()
    {
        Refused(
            Good with { HeartbeatInterval = TimeSpan.FromMilliseconds(1) },
            "--heartbeat-interval: expected at least 10 ms, found 1 ms.");
        Refused(
            Good with { ElectionTimeout = TimeSpan.FromMilliseconds(499) },
            "--election-timeout: expected at least 5 times heartbeat-interval (500 ms), found 499 ms.");
        Refused(
            Good with { ElectionTimeout = TimeSpan.FromSeconds(51) },
            "--election-timeout: expected at most 50000 ms, found 51000 ms.");
        Refused(
            Good with { RequestTimeout = TimeSpan.Zero },
            "--request-timeout: expected more than 0 and at most 300 s, found 0 s.");
        Refused(Good with { SlowSyncMax = TimeSpan.Zero }, "--slow-sync-max: expected more than 0 ms, found 0 ms.");
        Refused(
            Good with { SnapshotBytesPerSecond = 0 },
            "--snapshot-bytes-per-second: expected more than 0, found 0.");
    }

    private static ClusterMember Member(string name, int port) => new(name, new Uri($"http://127.0.0.1:{port}"));

    private static void Refused(ServerOptions options, string message)
    {
        var error = Assert.Throws<ArgumentException>(() => OptionCheck.Validate(options));
        Assert.Equal(message, error.Message);
    }
}
