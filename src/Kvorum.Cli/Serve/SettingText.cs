using System.Globalization;
using Kvorum.Server;
using Microsoft.Extensions.Logging;

namespace Kvorum.Cli.Serve;

/// <summary>From the text of a setting to its value; a <see cref="FormatException"/> names what was expected.</summary>
internal static class SettingText
{
    /// <summary>The most URLs or members in one setting.</summary>
    public const int ListMax = 64;

    private const int NameLengthMax = 64;

    public static string NotEmpty(string text, string what) =>
        string.IsNullOrWhiteSpace(text) ? throw new FormatException($"{what}, not empty") : text;

    /// <summary>Names stand in lists of members and in log lines: no separators, no spaces.</summary>
    public static string Name(string text) =>
        text.Length is > 0 and <= NameLengthMax
        && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.')
            ? text
            : throw new FormatException($"1 to {NameLengthMax} letters, digits, '-', '_' or '.'");

    public static IReadOnlyList<Uri> Urls(string text)
    {
        var parts = Split(text, "a comma-separated list of URLs such as http://127.0.0.1:2379");
        return [.. parts.Select(Url)];
    }

    public static IReadOnlyList<ClusterMember> Members(string text)
    {
        const string Expected = "NAME=URL,NAME=URL,… such as n1=http://127.0.0.1:2380";
        var members = new List<ClusterMember>();
        foreach (var part in Split(text, Expected))
        {
            var equals = part.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0)
            {
                throw new FormatException($"{Expected} ('{part}' has no name)");
            }

            var member = new ClusterMember(Name(part[..equals]), Url(part[(equals + 1)..]));
            if (members.Any(other => other.Name == member.Name))
            {
                throw new FormatException($"each name once ('{member.Name}' comes twice)");
            }

            if (members.Any(other => other.PeerUrl == member.PeerUrl))
            {
                throw new FormatException($"each URL once ({ServeSettings.UrlText(member.PeerUrl)} comes twice)");
            }

            members.Add(member);
        }

        return members;
    }

    /// <summary>Milliseconds as a bare number (etcd's form), or with a unit: 500ms, 5s, 2m.</summary>
    public static TimeSpan Duration(string text, long millisecondsMin, long millisecondsMax)
    {
        var expected = $"milliseconds from {millisecondsMin} to {millisecondsMax}, or a duration such as 500ms or 5s";
        var (digits, factor) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1L),
            _ when text.EndsWith('s') => (text[..^1], 1_000L),
            _ when text.EndsWith('m') => (text[..^1], 60_000L),
            _ => (text, 1L),
        };
        return TimeSpan.FromMilliseconds(Scaled(digits, factor, millisecondsMin, millisecondsMax, expected));
    }

    public static long Bytes(string text, long bytesMin, long bytesMax)
    {
        var expected = $"bytes from {bytesMin} to {bytesMax}, or with a unit such as 512KiB or 64MiB";
        var (digits, factor) = text switch
        {
            _ when text.EndsWith("KiB", StringComparison.Ordinal) => (text[..^3], 1L << 10),
            _ when text.EndsWith("MiB", StringComparison.Ordinal) => (text[..^3], 1L << 20),
            _ when text.EndsWith("GiB", StringComparison.Ordinal) => (text[..^3], 1L << 30),
            _ => (text, 1L),
        };
        return Scaled(digits, factor, bytesMin, bytesMax, expected);
    }

    public static long Count(string text, long min, long max) =>
        Scaled(text, 1, min, max, $"a whole number from {min} to {max}");

    public static bool Boolean(string text) => text switch
    {
        "true" => true,
        "false" => false,
        _ => throw new FormatException("true or false"),
    };

    public static T OneOf<T>(string text)
        where T : struct, Enum
    {
        foreach (var value in Enum.GetValues<T>())
        {
            if (value.ToString().Equals(text, StringComparison.OrdinalIgnoreCase))
            {
                return value;
            }
        }

        var names = Enum.GetNames<T>().Select(name => name.ToLowerInvariant());
        throw new FormatException(string.Join(" or ", names));
    }

    public static LogLevel Level(string text) => text switch
    {
        "trace" => LogLevel.Trace,
        "debug" => LogLevel.Debug,
        "info" => LogLevel.Information,
        "warn" => LogLevel.Warning,
        "error" => LogLevel.Error,
        "none" => LogLevel.None,
        _ => throw new FormatException("trace, debug, info, warn, error or none"),
    };

    private static string[] Split(string text, string expected)
    {
        var parts = text.Split(',', StringSplitOptions.TrimEntries);
        if (parts.Length > ListMax)
        {
            throw new FormatException($"at most {ListMax} items");
        }

        return parts.All(part => part.Length > 0) ? parts : throw new FormatException(expected);
    }

    private static Uri Url(string text)
    {
        const string Expected = "http://HOST:PORT";
        if (!Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            throw new FormatException($"{Expected} ('{text}' is no URL)");
        }

        if (url.Scheme == Uri.UriSchemeHttps)
        {
            throw new FormatException($"{Expected} (https is not supported yet)");
        }

        if (url.Scheme != Uri.UriSchemeHttp)
        {
            throw new FormatException($"{Expected} ('{text}' does not begin with http://)");
        }

        if (url.PathAndQuery != "/" || url.Fragment.Length > 0 || url.UserInfo.Length > 0)
        {
            throw new FormatException($"{Expected} and nothing more ('{text}' has a path, query or user)");
        }

        // Uri fills in port 80 silently; a forgotten port is nearly always a mistake.
        var hasPort = text.TrimEnd('/').EndsWith($":{url.Port}", StringComparison.Ordinal);
        return hasPort && url.Port > 0 ? url : throw new FormatException($"{Expected} ('{text}' has no port)");
    }

    private static long Scaled(string digits, long factor, long min, long max, string expected) =>
        long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
        && number <= max / factor
        && number * factor >= min
            ? number * factor
            : throw new FormatException(expected);
}
