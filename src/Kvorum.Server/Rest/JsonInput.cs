using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Strict reading of JSON bodies: every deviation is named with what was expected.</summary>
internal static class JsonInput
{
    private static readonly JsonDocumentOptions Options = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

    /// <exception cref="ProblemException">
    /// The body is too large, not announced as JSON, malformed, or no object.
    /// </exception>
    public static async ValueTask<JsonDocument> ReadAsync(HttpContext http)
    {
        if (!IsJson(http.Request.ContentType))
        {
            throw new ProblemException(
                Problem.UnsupportedMediaType,
                $"Header 'Content-Type': expected application/json, found {Problem.Quote(http.Request.ContentType)}.");
        }

        var body = await RequestBody.ReadAsync(http).ConfigureAwait(false);
        try
        {
            var document = Parse(body);
            if (document.RootElement.ValueKind is JsonValueKind.Object)
            {
                return document;
            }

            document.Dispose();
            throw Wrong("Body", "a JSON object");
        }
        catch (JsonException e)
        {
            throw new ProblemException(Problem.BadBody, $"Body: expected JSON, found {e.Message}");
        }
    }

    /// <exception cref="JsonException">
    /// The text is no JSON, names a property twice, or holds text that is none.
    /// </exception>
    public static JsonDocument Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return JsonDocument.Parse(body, Options);
        }
        catch (InvalidOperationException e)
        {
            // What the framework throws when it compares property names and one is half a surrogate pair.
            throw new JsonException("half a surrogate pair", e);
        }
    }

    /// <summary>Whether a content type is that of JSON; its parameters do not matter.</summary>
    public static bool IsJson(string? contentType)
    {
        var type = contentType.AsSpan();
        var semicolon = type.IndexOf(';');
        type = (semicolon < 0 ? type : type[..semicolon]).Trim();
        return type.Equals("application/json", StringComparison.OrdinalIgnoreCase);
    }

    /// <exception cref="ProblemException">
    /// <paramref name="element"/> is no object, or has a property that is not named here.
    /// </exception>
    public static void CheckObject(JsonElement element, string where, params ReadOnlySpan<string> names)
    {
        if (element.ValueKind is not JsonValueKind.Object)
        {
            throw Wrong(where, "a JSON object");
        }

        foreach (var property in element.EnumerateObject())
        {
            var name = NameOf(property);
            if (!names.Contains(name))
            {
                throw new ProblemException(
                    Problem.BadBody, $"{where}: expected {string.Join(", ", names)}, found {Problem.Quote(name)}.");
            }
        }
    }

    /// <summary>A string as its UTF-8 bytes, or <c>{"base64": "…"}</c> as what it holds.</summary>
    public static byte[] BytesOf(JsonElement element, string where)
    {
        const string Expected = "a string or {\"base64\": \"…\"}";
        switch (element.ValueKind)
        {
            case JsonValueKind.String:
                return KeyText.Utf8BytesOf(element) ?? throw Wrong(where, "text without half surrogate pairs");
            case JsonValueKind.Object:
                CheckObject(element, where, "base64");
                return element.TryGetProperty("base64", out var base64) && base64.ValueKind is JsonValueKind.String
                    && base64.TryGetBytesFromBase64(out var bytes)
                    ? bytes
                    : throw Wrong(where, Expected);
            default:
                throw Wrong(where, Expected);
        }
    }

    public static byte[] KeyOf(JsonElement element, string where)
    {
        var key = BytesOf(Required(element, "key", where), where + ".key");
        KeyText.Check(key);
        return key;
    }

    public static JsonElement Required(JsonElement element, string name, string where) =>
        element.TryGetProperty(name, out var property) ? property : throw Wrong(where, $"a property '{name}'");

    public static long NumberOf(JsonElement element, string where, long min, long max) =>
        element.ValueKind is JsonValueKind.Number && element.TryGetInt64(out var number)
            && number >= min && number <= max
            ? number
            : throw Wrong(where, $"a whole number from {min} to {max}");

    public static ProblemException Wrong(string where, string expected) =>
        new(Problem.BadBody, $"{where}: expected {expected}.");

    private static string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return "\uFFFD"; // Half a surrogate pair: equal to no name that is known.
        }
    }
}
