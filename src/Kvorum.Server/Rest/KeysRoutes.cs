using System.Text.Json;
using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Lists of strings: <c>/keys/{key}</c>, with the answers that interface fixes word by word.</summary>
internal sealed class KeysRoutes(ServerContext context)
{
    private const string NotValid = "The request is not valid";
    private const string ValueNotValid = "The request value is not valid";
    private const string TypeNotCorrect = "The request type is not correct";

    private readonly IKvorum _kvorum = context.Kvorum;
    private readonly TimeSpan _timeout = context.Options.RequestTimeout;

    public async Task GetAsync(HttpContext http, RequestTarget target)
    {
        var options = QueryOptions.Parse(target.Query, QueryFields.Consistency);
        var key = KeyText.FromPath(target.Path[RestRoute.KeysPrefix.Length..]);
        var query = new RangeQuery(key, default);
        var found = await _kvorum.ReadAsync(query, options.Consistency, _timeout, http.RequestAborted)
            .ConfigureAwait(false);
        if (found.Rows.Count == 0)
        {
            AnswerEmpty(http, StatusCodes.Status404NotFound);
            return;
        }

        var value = found.Rows[0].Value;
        if (!StringList.TryParse(value, out int _))
        {
            AnswerEmpty(http, StatusCodes.Status400BadRequest);
            return;
        }

        http.Response.ContentType = "application/json";
        http.Response.ContentLength = value.Length;
        await http.Response.BodyWriter.WriteAsync(value, http.RequestAborted).ConfigureAwait(false);
    }

    public async Task PostAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        var key = KeyText.FromPath(target.Path[RestRoute.KeysPrefix.Length..]);
        var session = RequestHeaders.Session(http);
        var body = JsonInput.IsJson(http.Request.ContentType)
            ? await RequestBody.ReadAsync(http).ConfigureAwait(false)
            : default;
        var command = Parse(key, body, out var error);
        if (command is null)
        {
            await AnswerErrorAsync(http, error).ConfigureAwait(false);
            return;
        }

        var done = await _kvorum.ProposeAsync(command with { Session = session }, _timeout, http.RequestAborted)
            .ConfigureAwait(false);
        if (done.Status is CommandStatus.NotAList)
        {
            await AnswerErrorAsync(http, NotValid).ConfigureAwait(false);
            return;
        }

        ProblemWriter.Check(done.Status, done.Revision);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    /// <returns>Null with the error's text when the body is not exactly one of the three requests.</returns>
    private static Command? Parse(byte[] key, ReadOnlyMemory<byte> body, out string error)
    {
        error = NotValid;
        try
        {
            using var document = JsonInput.Parse(body);
            var root = document.RootElement;
            if (root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty("type", out var type))
            {
                return null;
            }

            var hasValue = root.TryGetProperty("value", out var value);
            if (root.GetPropertyCount() != (hasValue ? 2 : 1))
            {
                return null;
            }

            var isText = type.ValueKind is JsonValueKind.String && KeyText.Utf8BytesOf(type) is not null;
            var isPut = isText && type.ValueEquals("PUT"u8);
            var isAppend = isText && type.ValueEquals("APPEND"u8);
            var isDelete = isText && type.ValueEquals("DELETE"u8);
            if (!isPut && !isAppend && !isDelete)
            {
                error = TypeNotCorrect;
                return null;
            }

            if (isDelete == hasValue)
            {
                return null;
            }

            error = ValueNotValid;
            return isDelete ? new DeleteRange(key, default) : isPut ? PutOf(key, value) : AppendOf(key, value);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static Put? PutOf(byte[] key, JsonElement value)
    {
        if (value.ValueKind is not JsonValueKind.Array)
        {
            return null;
        }

        var items = new List<string>(value.GetArrayLength());
        foreach (var item in value.EnumerateArray())
        {
            if (item.ValueKind is not JsonValueKind.String || KeyText.Utf8BytesOf(item) is null)
            {
                return null;
            }

            items.Add(item.GetString() ?? string.Empty);
        }

        var list = StringList.Encode(items);
        return list.Length <= KvLimits.ValueBytesMax ? new Put(key, list) : throw RequestBody.TooLarge();
    }

    private static Append? AppendOf(byte[] key, JsonElement value) =>
        value.ValueKind is JsonValueKind.String && KeyText.Utf8BytesOf(value) is { } item
            ? new Append(key, item)
            : null;

    private static void AnswerEmpty(HttpContext http, int status)
    {
        http.Response.StatusCode = status;
        http.Response.ContentLength = 0;
    }

    private static async Task AnswerErrorAsync(HttpContext http, string text)
    {
        using var body = new ResponseBuffer();
        body.Advance(System.Text.Encoding.ASCII.GetBytes(text, body.GetSpan(text.Length)));
        await body.SendAsync(http, StatusCodes.Status400BadRequest, "text/plain").ConfigureAwait(false);
    }
}
