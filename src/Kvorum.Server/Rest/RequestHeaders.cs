using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using Kvorum.Kv;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Kvorum.Server.Rest;

/// <summary>Request headers with a meaning of their own: conditions and the idempotency key.</summary>
internal static class RequestHeaders
{
    public const string IdempotencyKey = "Idempotency-Key";

    /// <summary>
    /// Makes a client session of one command out of the caller's key: the same key is the same session, so that a retry
    /// is answered with what the first try did, on any node and after any crash (thesis §6.3).
    /// </summary>
    /// <exception cref="ProblemException">The header is repeated, empty, too long, or not visible ASCII.</exception>
    public static SessionStamp? Session(HttpContext http)
    {
        if (!http.Request.Headers.TryGetValue(IdempotencyKey, out var values))
        {
            return null;
        }

        var text = values.Count == 1 ? values[0] ?? string.Empty : string.Empty;
        if (text.Length is 0 or > RestLimits.IdempotencyKeyMax || text.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            throw new ProblemException(
                Problem.BadHeader,
                $"Header '{IdempotencyKey}': expected one value of 1 to {RestLimits.IdempotencyKeyMax} visible ASCII "
                + $"characters, found {Found(values)}.");
        }

        Span<byte> ascii = stackalloc byte[RestLimits.IdempotencyKeyMax];
        System.Text.Encoding.ASCII.GetBytes(text, ascii);
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(ascii[..text.Length], hash);
        return new SessionStamp(BinaryPrimitives.ReadUInt128BigEndian(hash), 1);
    }

    /// <summary>
    /// The condition a write states in If-Match or If-None-Match (RFC 9110 §13.1), as a compare of the state machine;
    /// null when it states none.
    /// </summary>
    /// <exception cref="ProblemException">
    /// Both are given, or one is not a single entity tag of this interface.
    /// </exception>
    public static Compare? Condition(HttpContext http, byte[] key)
    {
        var match = http.Request.Headers.IfMatch;
        var noneMatch = http.Request.Headers.IfNoneMatch;
        if (match.Count == 0 && noneMatch.Count == 0)
        {
            return null;
        }

        if (match.Count > 0 && noneMatch.Count > 0)
        {
            throw new ProblemException(
                Problem.BadHeader, "Headers 'If-Match' and 'If-None-Match': expected one of them, found both.");
        }

        return match.Count > 0
            ? ConditionOf("If-Match", match, key, isNegated: false)
            : ConditionOf("If-None-Match", noneMatch, key, isNegated: true);
    }

    /// <summary>
    /// Whether one of the entity tags of If-None-Match is that of <paramref name="modRevision"/> (RFC 9110 §13.1.2).
    /// </summary>
    public static bool NoneMatchHolds(StringValues tags, long modRevision)
    {
        foreach (var line in tags)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var tag = line.AsSpan()[range].Trim();
                tag = tag.StartsWith("W/", StringComparison.Ordinal) ? tag[2..] : tag;
                if (tag is "*" || (TryParseTag(tag, out var revision) && revision == modRevision))
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>A mod revision as a strong entity tag.</summary>
    public static string TagOf(long modRevision) => string.Create(CultureInfo.InvariantCulture, $"\"{modRevision}\"");

    private static Compare ConditionOf(string header, StringValues values, byte[] key, bool isNegated)
    {
        var text = values.Count == 1 ? values[0].AsSpan().Trim() : default;
        if (text is "*")
        {
            // A missing key has version 0 (etcd v3 API, Compare).
            return new Compare(key, CompareTarget.Version, isNegated ? CompareOperator.Equal : CompareOperator.Greater);
        }

        if (!TryParseTag(text, out var revision))
        {
            throw new ProblemException(
                Problem.BadHeader,
                $"Header '{header}': expected * or one revision in double quotes, found {Found(values)}.");
        }

        return new Compare(key, CompareTarget.ModRevision, isNegated ? CompareOperator.NotEqual : CompareOperator.Equal)
        {
            Number = revision,
        };
    }

    private static bool TryParseTag(ReadOnlySpan<char> tag, out long revision)
    {
        revision = 0;
        return tag.Length > 2 && tag[0] == '"' && tag[^1] == '"'
            && long.TryParse(tag[1..^1], NumberStyles.None, CultureInfo.InvariantCulture, out revision);
    }

    private static string Found(StringValues values) =>
        values.Count == 1 ? Problem.Quote(values[0]) : $"{values.Count} values";
}
