using System.Globalization;
using System.Text.Json;
using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Keys by prefix, page by page at one revision: <c>GET /v1/kv</c>.</summary>
/// <remarks>
/// A page first reads the keys and then the values one by one at the same revision, until the page is full in bytes: so
/// no more than a page's bytes are copied, however large the values are. Values are read locally; what a revision holds
/// does not change, and this node had it when it answered with the keys.
/// </remarks>
internal sealed class ListRoute(ServerContext context)
{
    private const QueryFields Fields = QueryFields.Consistency | QueryFields.At | QueryFields.Prefix | QueryFields.Limit
        | QueryFields.Sort | QueryFields.KeysOnly | QueryFields.CountOnly | QueryFields.Cursor;

    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;

    public async Task GetAsync(HttpContext http, RequestTarget target)
    {
        var options = QueryOptions.Parse(target.Query, Fields);
        var cursor = CursorOf(options);
        var query = QueryOf(options, cursor);
        var found = await _kvorum.ReadAsync(query, options.Consistency, _timeout, http.RequestAborted)
            .ConfigureAwait(false);
        ProblemWriter.Check(found.Status, found.Revision, found.CompactedRevision);

        var revision = query.AtRevision > 0 ? query.AtRevision : found.Revision;
        var count = cursor?.Count ?? found.Count;
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteNumber("revision"u8, revision);
            json.WriteNumber("count"u8, count);
            if (!options.CountOnly)
            {
                json.WriteStartArray("items"u8);
                var skipped = IsByKey(options) ? 0 : cursor?.Passed ?? 0;
                var end = await WriteItemsAsync(http, json, found.Rows, skipped, revision, options)
                    .ConfigureAwait(false);
                json.WriteEndArray();
                WriteNext(json, found, skipped, end, revision, count, options);
            }

            json.WriteEndObject();
        }

        http.Response.Headers[KeyRoutes.RevisionHeader] = revision.ToString(CultureInfo.InvariantCulture);
        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }

    private static bool IsByKey(in QueryOptions options) => options.SortTarget == SortTarget.Key;

    private static PageCursor? CursorOf(in QueryOptions options)
    {
        if (options.Cursor is not { } text)
        {
            return null;
        }

        var cursor = PageCursor.Decode(text)
            ?? throw new ProblemException(
                Problem.BadQuery,
                $"Query parameter 'cursor': expected the 'next' of a page, found {Problem.Quote(text)}.");
        var isWithinPrefix = !IsByKey(options)
            || (cursor.LastKey.AsSpan().StartsWith(options.Prefix) && cursor.LastKey.Length > 0);
        if (cursor.Digest != PageCursor.DigestOf(options) || !isWithinPrefix)
        {
            throw new ProblemException(
                Problem.BadQuery,
                "Query parameter 'cursor': expected the same 'prefix' and 'sort' as for the page it came from.");
        }

        if (options.At != 0 && options.At != cursor.Revision)
        {
            throw new ProblemException(
                Problem.BadQuery,
                $"Query parameter 'at': expected none or the cursor's revision {cursor.Revision}, found {options.At}.");
        }

        return cursor;
    }

    private static RangeQuery QueryOf(in QueryOptions options, PageCursor? cursor)
    {
        var query = RangeQuery.Prefix(options.Prefix) with
        {
            AtRevision = cursor?.Revision ?? options.At,
            Limit = options.Limit,
            KeysOnly = true,
            CountOnly = options.CountOnly,
            SortTarget = options.SortTarget,
            SortOrder = options.IsDescending ? SortOrder.Descend : SortOrder.Ascend,
        };
        if (cursor is null)
        {
            return query;
        }

        if (!IsByKey(options))
        {
            // Other orders have no place to go on from but their beginning.
            var limit = (long)cursor.Passed + options.Limit;
            return limit <= RangeQuery.LimitMax
                ? query with { Limit = limit }
                : throw new ProblemException(
                    Problem.BadQuery,
                    $"Query parameter 'sort': expected at most {RangeQuery.LimitMax} items when not by key.");
        }

        // The next key after K is K followed by a zero byte; a range's end is excluded.
        return options.IsDescending
            ? query with { RangeEnd = cursor.LastKey }
            : query with { Key = (byte[])[.. cursor.LastKey, 0] };
    }

    /// <returns>How many of <paramref name="rows"/> were passed, the skipped ones included.</returns>
    private async Task<int> WriteItemsAsync(
        HttpContext http,
        Utf8JsonWriter json,
        IReadOnlyList<KeyValue> rows,
        int skipped,
        long revision,
        QueryOptions options)
    {
        var bytes = 0L;
        var index = skipped;
        while (index < rows.Count && bytes < RestLimits.PageBytesMax)
        {
            var row = rows[index];
            if (!options.KeysOnly)
            {
                var read = await ReadRowAsync(http, row.Key, revision).ConfigureAwait(false);
                if (read.Status is not CommandStatus.Ok && index > skipped)
                {
                    break; // Compacted meanwhile: this page is right, the next one says what happened.
                }

                ProblemWriter.Check(read.Status, read.Revision, read.CompactedRevision);
                row = read.Rows[0];
            }

            WriteItem(json, row, options.KeysOnly);
            bytes += row.Key.Length + row.Value.Length;
            index++;
        }

        return index;
    }

    private Task<RangeResult> ReadRowAsync(HttpContext http, byte[] key, long revision) =>
        _kvorum.ReadAsync(
            new RangeQuery(key, default) { AtRevision = revision }, Consistency.Local, _timeout, http.RequestAborted);

    public static void WriteItem(Utf8JsonWriter json, KeyValue row, bool keysOnly)
    {
        json.WriteStartObject();
        KeyText.Write(json, "key", "keyEncoding", row.Key);
        if (!keysOnly)
        {
            KeyText.Write(json, "value", "valueEncoding", row.Value);
        }

        json.WriteNumber("createRevision"u8, row.CreateRevision);
        json.WriteNumber("modRevision"u8, row.ModRevision);
        json.WriteNumber("version"u8, row.Version);
        json.WriteEndObject();
    }

    private static void WriteNext(
        Utf8JsonWriter json,
        RangeResult found,
        int skipped,
        int end,
        long revision,
        long count,
        in QueryOptions options)
    {
        var hasMore = end > skipped && (found.HasMore || end < found.Rows.Count);
        if (!hasMore)
        {
            json.WriteNull("next"u8);
            return;
        }

        var isByKey = IsByKey(options);
        var next = new PageCursor(
            revision, count, isByKey ? 0 : end, PageCursor.DigestOf(options), isByKey ? found.Rows[end - 1].Key : []);
        json.WriteString("next"u8, next.Encode());
    }
}
