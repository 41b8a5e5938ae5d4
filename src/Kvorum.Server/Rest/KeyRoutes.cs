using System.Globalization;
using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>One key and its raw value: <c>/v1/kv/{key}</c>.</summary>
internal sealed class KeyRoutes(ServerContext context)
{
    public const string RevisionHeader = "X-Kvorum-Revision";
    public const string CreateRevisionHeader = "X-Kvorum-Create-Revision";
    public const string VersionHeader = "X-Kvorum-Version";

    private const QueryFields ReadFields = QueryFields.Consistency | QueryFields.At | QueryFields.KeyEncoding;

    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;

    public async Task GetAsync(HttpContext http, RequestTarget target)
    {
        var options = QueryOptions.Parse(target.Query, ReadFields);
        var query = new RangeQuery(KeyOf(target, options), default) { AtRevision = options.At };
        var found = await _kvorum.ReadAsync(query, options.Consistency, _timeout, http.RequestAborted)
            .ConfigureAwait(false);
        ProblemWriter.Check(found.Status, found.Revision, found.CompactedRevision);
        if (found.Rows.Count == 0)
        {
            throw NotFound();
        }

        var row = found.Rows[0];
        var response = http.Response;
        var headers = response.Headers;
        headers.ETag = RequestHeaders.TagOf(row.ModRevision);
        headers[RevisionHeader] = found.Revision.ToString(CultureInfo.InvariantCulture);
        headers[CreateRevisionHeader] = row.CreateRevision.ToString(CultureInfo.InvariantCulture);
        headers[VersionHeader] = row.Version.ToString(CultureInfo.InvariantCulture);
        var known = http.Request.Headers.IfNoneMatch;
        if (known.Count > 0 && !RequestHeaders.NoneMatchHolds(known, row.ModRevision))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        response.ContentType = "application/octet-stream";
        response.ContentLength = row.Value.Length;
        await response.BodyWriter.WriteAsync(row.Value, http.RequestAborted).ConfigureAwait(false);
    }

    public async Task PutAsync(HttpContext http, RequestTarget target)
    {
        var key = KeyOf(target, QueryOptions.Parse(target.Query, QueryFields.KeyEncoding));
        var session = RequestHeaders.Session(http);
        var condition = RequestHeaders.Condition(http, key);
        var value = await RequestBody.ReadAsync(http).ConfigureAwait(false);
        var put = new Put(key, value);
        if (condition is null)
        {
            var done = await ProposeAsync(http, put with { Session = session }).ConfigureAwait(false);
            Answer(http, StatusCodes.Status204NoContent, done.Revision, done.Revision);
            return;
        }

        var outcome = await ProposeIfAsync(http, condition, new TxnOperation { Put = put }, session)
            .ConfigureAwait(false);
        var isCreated = condition is { Target: CompareTarget.Version, Operator: CompareOperator.Equal };
        Answer(
            http,
            isCreated ? StatusCodes.Status201Created : StatusCodes.Status204NoContent,
            outcome.Revision,
            modRevision: outcome.Revision);
    }

    public async Task DeleteAsync(HttpContext http, RequestTarget target)
    {
        var key = KeyOf(target, QueryOptions.Parse(target.Query, QueryFields.KeyEncoding));
        var session = RequestHeaders.Session(http);
        var condition = RequestHeaders.Condition(http, key);
        var delete = new DeleteRange(key, default);
        var done = condition is null
            ? await ProposeAsync(http, delete with { Session = session }).ConfigureAwait(false)
            : await ProposeIfAsync(http, condition, new TxnOperation { DeleteRange = delete }, session)
                    .ConfigureAwait(false);
        if (done.Count == 0)
        {
            throw NotFound();
        }

        Answer(http, StatusCodes.Status204NoContent, done.Revision, modRevision: null);
    }

    private static byte[] KeyOf(RequestTarget target, QueryOptions options) =>
        KeyText.FromPath(target.Path[RestRoute.KeyPrefix.Length..], options.IsKeyBase64);

    private static ProblemException NotFound() =>
        new(Problem.KeyNotFound, "Key: expected one that exists, found none.");

    private static void Answer(HttpContext http, int status, long revision, long? modRevision)
    {
        var response = http.Response;
        response.StatusCode = status;
        response.Headers[RevisionHeader] = revision.ToString(CultureInfo.InvariantCulture);
        if (modRevision is { } mod)
        {
            response.Headers.ETag = RequestHeaders.TagOf(mod);
        }

        if (status == StatusCodes.Status201Created)
        {
            response.ContentLength = 0;
        }
    }

    private async Task<CommandResult> ProposeAsync(HttpContext http, Command command)
    {
        var result = await _kvorum.ProposeAsync(command, _timeout, http.RequestAborted).ConfigureAwait(false);
        ProblemWriter.Check(result.Status, result.Revision);
        return result;
    }

    /// <summary>
    /// Runs one operation if the caller's condition holds; both are decided in one step of the state machine.
    /// </summary>
    /// <returns>What the operation did.</returns>
    private async Task<CommandResult> ProposeIfAsync(
        HttpContext http, Compare condition, TxnOperation operation, SessionStamp? session)
    {
        var current = new TxnOperation { Range = new RangeQuery(condition.Key, default) { KeysOnly = true } };
        var txn = new Txn([condition], [operation], [current]) { Session = session };
        var result = await ProposeAsync(http, txn).ConfigureAwait(false);
        if (result.Detail is not TxnResult { Results: [var only] } done)
        {
            throw new InvalidOperationException("A transaction of one operation answered with something else.");
        }

        if (done.Succeeded)
        {
            return only is CommandResult applied ? applied with { Revision = result.Revision } : result;
        }

        var rows = ((RangeResult)only).Rows;
        var revision = rows.Count > 0 ? rows[0].ModRevision : 0;
        throw new ProblemException(
            Problem.PreconditionFailed,
            Expected(condition, revision))
        { CurrentRevision = revision };
    }

    private static string Expected(Compare condition, long revision)
    {
        var expected = (condition.Target, condition.Operator) switch
        {
            (CompareTarget.Version, CompareOperator.Equal) => "a key that does not exist",
            (CompareTarget.Version, _) => "a key that exists",
            (_, CompareOperator.Equal) => $"revision {condition.Number}",
            _ => $"a revision other than {condition.Number}",
        };
        return revision == 0
            ? $"Key: expected {expected}, found none."
            : $"Key: expected {expected}, found revision {revision}.";
    }
}
