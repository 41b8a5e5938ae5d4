using System.Globalization;
using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Transactions and compaction: <c>POST /v1/txn</c>, <c>POST /v1/compact</c>.</summary>
internal sealed class TxnRoutes(ServerContext context)
{
    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;

    public async Task PostTxnAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        var session = RequestHeaders.Session(http);
        using var document = await JsonInput.ReadAsync(http).ConfigureAwait(false);
        var txn = TxnJson.Read(document.RootElement) with { Session = session };
        var result = await ProposeAsync(http, txn).ConfigureAwait(false);
        if (result.Detail is not TxnResult done)
        {
            throw new InvalidOperationException("A transaction answered with something else.");
        }

        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteNumber("revision"u8, result.Revision);
            json.WriteBoolean("succeeded"u8, done.Succeeded);
            json.WriteStartArray("results"u8);
            var branch = done.Succeeded ? txn.Then : txn.Else;
            for (var i = 0; i < branch.Count; i++)
            {
                TxnJson.WriteResult(json, branch[i], done.Results[i]);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        await SendAsync(http, body, result.Revision).ConfigureAwait(false);
    }

    public async Task PostCompactAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        var session = RequestHeaders.Session(http);
        using var document = await JsonInput.ReadAsync(http).ConfigureAwait(false);
        JsonInput.CheckObject(document.RootElement, "Body", "revision");
        var revision = JsonInput.NumberOf(
            JsonInput.Required(document.RootElement, "revision", "Body"), "revision", 1, long.MaxValue);
        var result = await ProposeAsync(http, new Compact(revision) { Session = session }).ConfigureAwait(false);

        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteNumber("revision"u8, result.Revision);
            json.WriteNumber("compactedRevision"u8, revision);
            json.WriteEndObject();
        }

        await SendAsync(http, body, result.Revision).ConfigureAwait(false);
    }

    private static async Task SendAsync(HttpContext http, ResponseBuffer body, long revision)
    {
        http.Response.Headers[KeyRoutes.RevisionHeader] = revision.ToString(CultureInfo.InvariantCulture);
        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }

    private async Task<CommandResult> ProposeAsync(HttpContext http, Command command)
    {
        if (CommandValidation.Check(command) is { } broken)
        {
            throw new ProblemException(Problem.BadBody, $"Body: {broken}.");
        }

        var result = await _kvorum.ProposeAsync(command, _timeout, http.RequestAborted).ConfigureAwait(false);
        ProblemWriter.Check(result.Status, result.Revision);
        return result;
    }
}
