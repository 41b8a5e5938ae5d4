using System.Globalization;
using System.Text;
using Kvorum.Kv;
using Kvorum.Node;

namespace Kvorum.Server.Rest;

/// <summary>The query parameters a route may allow.</summary>
[Flags]
internal enum QueryFields
{
    None = 0,
    Consistency = 1,
    At = 2,
    KeyEncoding = 4,
    Prefix = 8,
    Limit = 16,
    Sort = 32,
    KeysOnly = 64,
    CountOnly = 128,
    Cursor = 256,
    DryRun = 512,
}

/// <summary>What the query parameters of a request say. Unknown, repeated and wrong ones are refused by name.</summary>
internal readonly struct QueryOptions()
{
    private const string SortsExpected =
        "one of key, createRevision, modRevision, version, or one of these after a minus sign";

    /// <summary>The parameters that were there.</summary>
    public QueryFields Given { get; init; }

    public Consistency Consistency { get; init; } = Consistency.Linearizable;

    /// <summary>The revision to read at; 0 for the newest.</summary>
    public long At { get; init; }

    /// <summary>The key in the path is base64url, for keys a path cannot hold.</summary>
    public bool IsKeyBase64 { get; init; }

    public byte[] Prefix { get; init; } = [];

    public int Limit { get; init; } = RestLimits.PageItemsDefault;

    public SortTarget SortTarget { get; init; } = SortTarget.Key;

    public bool IsDescending { get; init; }

    public bool KeysOnly { get; init; }

    public bool CountOnly { get; init; }

    public string? Cursor { get; init; }

    /// <summary>Only tells what would result.</summary>
    public bool IsDryRun { get; init; }

    /// <exception cref="ProblemException">A parameter is unknown, repeated, or has a wrong value.</exception>
    public static QueryOptions Parse(ReadOnlySpan<char> query, QueryFields allowed)
    {
        var options = new QueryOptions();
        while (!query.IsEmpty)
        {
            var end = query.IndexOf('&');
            var pair = end < 0 ? query : query[..end];
            query = end < 0 ? default : query[(end + 1)..];
            if (!pair.IsEmpty)
            {
                options = options.With(pair, allowed);
            }
        }

        return options;
    }

    private QueryOptions With(ReadOnlySpan<char> pair, QueryFields allowed)
    {
        var equals = pair.IndexOf('=');
        var encodedName = equals < 0 ? pair : pair[..equals];
        var encodedValue = equals < 0 ? default : pair[(equals + 1)..];
        var name = TextOf(encodedName, encodedName);
        var field = FieldOf(name);
        if (field is QueryFields.None || (allowed & field) == 0)
        {
            throw new ProblemException(
                Problem.BadQuery, $"Query parameter {Problem.Quote(name)}: expected {NamesOf(allowed)}.");
        }

        if ((Given & field) != 0)
        {
            throw new ProblemException(Problem.BadQuery, $"Query parameter '{name}': expected once, found twice.");
        }

        return (this with { Given = Given | field }).WithValue(field, name, encodedValue, hasValue: equals >= 0);
    }

    private QueryOptions WithValue(QueryFields field, string name, ReadOnlySpan<char> encoded, bool hasValue)
    {
        if (field is QueryFields.Prefix)
        {
            return Percent.TryDecodeForm(encoded, out var prefix) && prefix.Length <= KvLimits.KeyBytesMax
                ? this with { Prefix = prefix }
                : throw Wrong(name, $"at most {KvLimits.KeyBytesMax} percent-encoded bytes", encoded);
        }

        var value = TextOf(name, encoded);
        return field switch
        {
            QueryFields.Consistency => this with { Consistency = ConsistencyOf(name, value) },
            QueryFields.At => this with { At = NumberOf(name, value, long.MaxValue) },
            QueryFields.KeyEncoding => this with { IsKeyBase64 = IsBase64(name, value) },
            QueryFields.Limit => this with { Limit = (int)NumberOf(name, value, RestLimits.PageItemsMax) },
            QueryFields.Sort => WithSort(name, value),
            QueryFields.KeysOnly => this with { KeysOnly = FlagOf(name, value, hasValue) },
            QueryFields.DryRun => this with { IsDryRun = FlagOf(name, value, hasValue) },
            QueryFields.CountOnly => this with { CountOnly = FlagOf(name, value, hasValue) },
            _ => this with { Cursor = value },
        };
    }

    private static QueryFields FieldOf(string name) => name switch
    {
        "consistency" => QueryFields.Consistency,
        "at" => QueryFields.At,
        "keyEncoding" => QueryFields.KeyEncoding,
        "prefix" => QueryFields.Prefix,
        "limit" => QueryFields.Limit,
        "sort" => QueryFields.Sort,
        "keysOnly" => QueryFields.KeysOnly,
        "countOnly" => QueryFields.CountOnly,
        "cursor" => QueryFields.Cursor,
        "dryRun" => QueryFields.DryRun,
        _ => QueryFields.None,
    };

    private static string NamesOf(QueryFields allowed)
    {
        string[] names =
        [
            "consistency", "at", "keyEncoding", "prefix", "limit", "sort", "keysOnly", "countOnly", "cursor", "dryRun",
        ];
        var known = names.Where(name => (allowed & FieldOf(name)) != 0).ToArray();
        return known.Length == 0 ? "no parameters" : "one of " + string.Join(", ", known);
    }

    private static string TextOf(ReadOnlySpan<char> name, ReadOnlySpan<char> encoded) =>
        Percent.TryDecodeForm(encoded, out var bytes) && System.Text.Unicode.Utf8.IsValid(bytes)
            ? Encoding.UTF8.GetString(bytes)
            : throw Wrong(name, "percent-encoded UTF-8", encoded);

    private static Consistency ConsistencyOf(string name, string value) => value switch
    {
        "linearizable" => Consistency.Linearizable,
        "local" => Consistency.Local,
        _ => throw Wrong(name, "linearizable or local", value),
    };

    private static bool IsBase64(string name, string value) => value switch
    {
        "percent" => false,
        "base64url" => true,
        _ => throw Wrong(name, "percent or base64url", value),
    };

    private QueryOptions WithSort(string name, string value)
    {
        var isDescending = value.StartsWith('-');
        var target = (isDescending ? value[1..] : value) switch
        {
            "key" => SortTarget.Key,
            "createRevision" => SortTarget.CreateRevision,
            "modRevision" => SortTarget.ModRevision,
            "version" => SortTarget.Version,
            _ => throw Wrong(name, SortsExpected, value),
        };
        return this with { SortTarget = target, IsDescending = isDescending };
    }

    private static bool FlagOf(string name, string value, bool hasValue) => value switch
    {
        "" when !hasValue => true,
        "true" => true,
        "false" => false,
        _ => throw Wrong(name, "true or false", value),
    };

    private static long NumberOf(string name, string value, long max) =>
        long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && number >= 1 && number <= max
            ? number
            : throw Wrong(name, string.Create(CultureInfo.InvariantCulture, $"a whole number from 1 to {max}"), value);

    private static ProblemException Wrong(ReadOnlySpan<char> name, string expected, ReadOnlySpan<char> found) =>
        new(
            Problem.BadQuery,
            $"Query parameter {Problem.Quote(name)}: expected {expected}, found {Problem.Quote(found)}.");
}
