using System.Text;
using System.Text.Unicode;
using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>
/// One key in one word: <c>GET /{key}</c> and <c>POST /{key}</c> with a form field <c>value</c>. The leader answers,
/// the others redirect to it. Values are the same bytes as under <c>/v1/kv/</c>.
/// </summary>
internal sealed class ShortFormRoutes(ServerContext context)
{
    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;

    public Task GetAsync(HttpContext http, RequestTarget target) => GuardAsync(http, target, ReadAsync);

    public Task PostAsync(HttpContext http, RequestTarget target) => GuardAsync(http, target, WriteAsync);

    private async Task ReadAsync(HttpContext http, string key)
    {
        var query = new RangeQuery(Encoding.UTF8.GetBytes(key), default);
        var found = await _kvorum.ReadAsync(query, Consistency.Linearizable, _timeout, http.RequestAborted)
            .ConfigureAwait(false);
        await AnswerAsync(http, key, found.Rows.Count > 0 ? found.Rows[0].Value : null).ConfigureAwait(false);
    }

    private async Task WriteAsync(HttpContext http, string key)
    {
        var session = RequestHeaders.Session(http);
        var form = await FormValue.ReadAsync(http).ConfigureAwait(false) ?? [];
        if (!Utf8.IsValid(form))
        {
            throw new ProblemException(
                Problem.BadBody,
                "Form field 'value': expected UTF-8; other bytes go to /v1/kv/{key}.");
        }

        var value = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(form).Trim());
        if (value.Length == 0)
        {
            throw EmptyKeyOrValue();
        }

        var put = new Put(Encoding.UTF8.GetBytes(key), value) { Session = session };
        var done = await _kvorum.ProposeAsync(put, _timeout, http.RequestAborted).ConfigureAwait(false);
        ProblemWriter.Check(done.Status, done.Revision);
        await AnswerAsync(http, key, value).ConfigureAwait(false);
    }

    /// <summary>
    /// Sends the request to the leader, or runs it here, and gives every failure the shape of this interface.
    /// </summary>
    private async Task GuardAsync(HttpContext http, RequestTarget target, Func<HttpContext, string, Task> run)
    {
        try
        {
            var key = KeyOf(target);
            if (RestRoute.IsReserved(key))
            {
                throw new ProblemException(
                    Problem.RouteNotFound,
                    $"Path: '{key}' is reserved; the key is at /v1/kv/{key}.");
            }

            var status = _kvorum.Status;
            if (status.Role is not NodeRole.Leader)
            {
                await RedirectAsync(http, target, status).ConfigureAwait(false);
                return;
            }

            await run(http, key).ConfigureAwait(false);
        }
        catch (ProblemException e) when (e.Problem == Problem.EmptyKey)
        {
            await AnswerErrorAsync(http, StatusCodes.Status503ServiceUnavailable, e.Message).ConfigureAwait(false);
        }
        catch (ProblemException e) when (e.Problem != Problem.RouteNotFound && e.Problem != Problem.TooLarge)
        {
            await AnswerErrorAsync(http, e.Problem.Status, e.Message).ConfigureAwait(false);
        }
        catch (NoLeaderException)
        {
            await AnswerNoLeaderAsync(http).ConfigureAwait(false);
        }
        catch (KvorumException e)
        {
            var problem = ProblemWriter.Of(e);
            await AnswerErrorAsync(http, problem.Status, "system error: " + ProblemWriter.DetailOf(e), problem.Outcome)
                .ConfigureAwait(false);
        }
    }

    private static string KeyOf(RequestTarget target)
    {
        var bytes = KeyText.FromPath(target.Path[1..]);
        if (!Utf8.IsValid(bytes))
        {
            throw new ProblemException(Problem.BadTarget, "Key: expected UTF-8; other bytes go to /v1/kv/{key}.");
        }

        var key = Encoding.UTF8.GetString(bytes).Trim();
        return key.Length > 0 ? key : throw EmptyKeyOrValue();
    }

    private static ProblemException EmptyKeyOrValue() => new(Problem.EmptyKey, "empty key or value");

    /// <summary>Never to itself: a node that has just lost its leadership knows no leader.</summary>
    private async Task RedirectAsync(HttpContext http, RequestTarget target, NodeStatus status)
    {
        var url = status.Leader is { } leader && leader != status.Node ? context.ClientUrlOf(leader) : null;
        if (url is null || IsOwn(url))
        {
            await AnswerNoLeaderAsync(http).ConfigureAwait(false);
            return;
        }

        // 307 keeps the method and the body; 302 is what clients of this interface expect of a read.
        var response = http.Response;
        response.StatusCode = HttpMethods.IsPost(http.Request.Method)
            ? StatusCodes.Status307TemporaryRedirect
            : StatusCodes.Status302Found;
        response.Headers.Location = string.Concat(url, target.PathAndQuery);
        response.ContentLength = 0;
    }

    private bool IsOwn(string url)
    {
        foreach (var own in context.Options.AdvertiseClientUrls)
        {
            if (string.Equals(own.AbsoluteUri.TrimEnd('/'), url.TrimEnd('/'), StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static async Task AnswerAsync(HttpContext http, string key, byte[]? value)
    {
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteBoolean("ok"u8, true);
            json.WriteString("key"u8, key);
            if (value is null)
            {
                json.WriteNull("value"u8);
            }
            else if (Utf8.IsValid(value))
            {
                json.WriteString("value"u8, value);
            }
            else
            {
                // Written by another interface: no text. The extra member says so.
                json.WriteBase64String("value"u8, value);
                json.WriteString("encoding"u8, "base64"u8);
            }

            json.WriteEndObject();
        }

        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }

    private static Task AnswerNoLeaderAsync(HttpContext http) =>
        AnswerErrorAsync(http, StatusCodes.Status503ServiceUnavailable, "no leader");

    private static async Task AnswerErrorAsync(HttpContext http, int status, string error, Outcome? outcome = null)
    {
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            json.WriteStartObject();
            json.WriteBoolean("ok"u8, false);
            json.WriteString("error"u8, error);
            if (outcome is { } known)
            {
                json.WriteString("outcome"u8, Problem.NameOf(known));
            }

            json.WriteEndObject();
        }

        if (status == StatusCodes.Status503ServiceUnavailable)
        {
            http.Response.Headers.RetryAfter = "1";
        }

        await body.SendAsync(http, status, "application/json").ConfigureAwait(false);
    }
}
