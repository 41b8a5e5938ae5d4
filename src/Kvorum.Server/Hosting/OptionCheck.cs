using System.Net;

namespace Kvorum.Server;

/// <summary>
/// Checks options before anything is opened; each message names the option, what was expected and what was found.
/// </summary>
internal static class OptionCheck
{
    /// <exception cref="ArgumentException">An option is wrong.</exception>
    public static void Validate(ServerOptions options)
    {
        Require(options.Name.Length > 0, "name", "a name", "nothing");
        Require(options.Name.All(IsNameCharacter), "name", "letters, digits, '-', '_' or '.'", $"\"{options.Name}\"");
        Require(options.DataPath.Length > 0, "data-dir", "a directory", "nothing");
        ValidateUrls("listen-client-urls", options.ListenClientUrls, mayBeAnyPort: true);
        ValidateUrls("advertise-client-urls", options.AdvertiseClientUrls, mayBeAnyPort: true);
        ValidateUrls("listen-peer-urls", options.ListenPeerUrls, mayBeAnyPort: true);
        ValidateCluster(options);
        ValidateJoin(options);
        ValidateTimes(options);
        Require(options.SnapshotLogBytes > 0, "snapshot-log-bytes", "more than 0", $"{options.SnapshotLogBytes}");
        Require(options.WalSegmentBytes > 0, "wal-segment-bytes", "more than 0", $"{options.WalSegmentBytes}");
        Require(
            options.SnapshotBytesPerSecond > 0, "snapshot-bytes-per-second", "more than 0",
            $"{options.SnapshotBytesPerSecond}");
        Require(
            options.SlowSyncMax > TimeSpan.Zero, "slow-sync-max", "more than 0 ms",
            $"{options.SlowSyncMax.TotalMilliseconds} ms");
        if (!options.AllowInsecure)
        {
            RefuseClearText("listen-client-urls", options.ListenClientUrls);
            RefuseClearText("listen-peer-urls", options.ListenPeerUrls);
        }
    }

    public static bool IsLoopback(Uri url) =>
        string.Equals(url.IdnHost, "localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(url.IdnHost, out var address) && IPAddress.IsLoopback(address));

    private static void ValidateCluster(ServerOptions options)
    {
        const string Option = "initial-cluster";
        var members = options.InitialCluster;
        Require(members.Count > 0, Option, "at least one name=URL pair", "none");
        Require(members.Count <= ServerLimits.MembersMax, Option,
            $"at most {ServerLimits.MembersMax} members", $"{members.Count}");
        foreach (var member in members)
        {
            Require(member.Name.Length > 0 && member.Name.All(IsNameCharacter), Option,
                "names of letters, digits, '-', '_' or '.'", $"\"{member.Name}\"");
            ValidateUrls(Option, [member.PeerUrl], mayBeAnyPort: members.Count == 1);
        }

        RequireUnique(Option, "different names", members.Select(member => member.Name));
        RequireUnique(Option, "different peer URLs", members.Select(member => member.PeerUrl.Authority),
            isOneMember: members.Count == 1);
        RequireUnique(Option, "names with different node ids (rename one)",
            members.Select(member =>
                ServerIdentity.NodeId(options.InitialClusterToken, member.Name).ToString("x16", null)));
        Require(members.Any(member => member.Name == options.Name), Option,
            $"a member named \"{options.Name}\" (the option name)",
            $"\"{string.Join("\", \"", members.Select(member => member.Name))}\"");
    }

    private static void ValidateJoin(ServerOptions options)
    {
        if (options.JoinUrls.Count == 0)
        {
            return;
        }

        ValidateUrls("join", options.JoinUrls, mayBeAnyPort: false);
        Require(options.InitialCluster.Count == 1, "join",
            "no other node in initial-cluster: the cluster tells who it is",
            $"{options.InitialCluster.Count} members there");
        ValidateUrls("initial-advertise-peer-urls", [options.InitialCluster[0].PeerUrl], mayBeAnyPort: false);
    }

    private static void ValidateTimes(ServerOptions options)
    {
        var tick = ServerLimits.TickInterval;
        Require(options.HeartbeatInterval >= tick, "heartbeat-interval",
            $"at least {tick.TotalMilliseconds} ms", $"{options.HeartbeatInterval.TotalMilliseconds} ms");
        Require(options.ElectionTimeout >= options.HeartbeatInterval * 5, "election-timeout",
            $"at least 5 times heartbeat-interval ({options.HeartbeatInterval.TotalMilliseconds * 5} ms)",
            $"{options.ElectionTimeout.TotalMilliseconds} ms");
        Require(options.ElectionTimeout <= ServerLimits.ElectionTimeoutMax, "election-timeout",
            $"at most {ServerLimits.ElectionTimeoutMax.TotalMilliseconds} ms",
            $"{options.ElectionTimeout.TotalMilliseconds} ms");
        Require(options.RequestTimeout > TimeSpan.Zero && options.RequestTimeout <= ServerLimits.RequestTimeoutMax,
            "request-timeout", $"more than 0 and at most {ServerLimits.RequestTimeoutMax.TotalSeconds} s",
            $"{options.RequestTimeout.TotalSeconds} s");
    }

    private static void ValidateUrls(string option, IReadOnlyList<Uri> urls, bool mayBeAnyPort)
    {
        Require(urls.Count > 0, option, "at least one URL", "none");
        foreach (var url in urls)
        {
            const string Expected = "a URL like http://127.0.0.1:2379";
            Require(url.IsAbsoluteUri, option, Expected, $"\"{url}\"");
            Require(url.Scheme == Uri.UriSchemeHttp, option, $"{Expected} (https is not supported yet)", $"\"{url}\"");
            Require(url.AbsolutePath is "/" && url.Query.Length == 0 && url.UserInfo.Length == 0, option,
                $"{Expected}, without path, query or user", $"\"{url}\"");
            Require(mayBeAnyPort || url.Port > 0, option, $"{Expected}, with a port other than 0", $"\"{url}\"");
        }
    }

    private static void RefuseClearText(string option, IReadOnlyList<Uri> urls)
    {
        foreach (var url in urls)
        {
            Require(IsLoopback(url), option,
                "a loopback address, because clear text would let anyone on the network read and write; set "
                + "allow-insecure when the network is trusted", $"\"{url}\"");
        }
    }

    private static void RequireUnique(
        string option, string expected, IEnumerable<string> values, bool isOneMember = false)
    {
        var twice = isOneMember
            ? null
            : values.GroupBy(value => value, StringComparer.OrdinalIgnoreCase)
                .FirstOrDefault(group => group.Count() > 1);
        Require(twice is null, option, expected, $"\"{twice?.Key}\" twice");
    }

    private static bool IsNameCharacter(char value) => char.IsAsciiLetterOrDigit(value) || value is '-' or '_' or '.';

    private static void Require(bool holds, string option, string expected, string found)
    {
        if (!holds)
        {
            throw new ArgumentException($"--{option}: expected {expected}, found {found}.");
        }
    }
}
