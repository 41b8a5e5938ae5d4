using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Kvorum.Server.Rest;

/// <summary>
/// The field <c>value</c> of a form, as the bytes the caller sent; the framework's own reader would replace what is
/// not UTF-8.
/// </summary>
internal static class FormValue
{
    private const string Field = "value";

    /// <summary>The most fields or parts of a form.</summary>
    private const int FieldsMax = 64;

    /// <summary>The longest boundary between parts, in characters (RFC 2046 §5.1.1).</summary>
    private const int BoundaryMax = 70;

    /// <returns>Null when there is no such field.</returns>
    /// <exception cref="ProblemException">The body is too large, or no form.</exception>
    public static async ValueTask<byte[]?> ReadAsync(HttpContext http)
    {
        var body = await RequestBody.ReadAsync(http).ConfigureAwait(false);
        if (body.IsEmpty)
        {
            return null;
        }

        var isTyped = MediaTypeHeaderValue.TryParse(http.Request.ContentType, out var type);
        if (isTyped && type!.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            return await ReadPartsAsync(body, type, http.RequestAborted).ConfigureAwait(false);
        }

        if (isTyped && type!.MediaType.Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase))
        {
            return ReadPairs(body.Span);
        }

        throw new ProblemException(
            Problem.UnsupportedMediaType,
            "Header 'Content-Type': expected application/x-www-form-urlencoded or multipart/form-data, found "
            + $"{Problem.Quote(http.Request.ContentType)}.");
    }

    private static byte[]? ReadPairs(ReadOnlySpan<byte> body)
    {
        for (var fields = 0; !body.IsEmpty; fields++)
        {
            if (fields == FieldsMax)
            {
                throw TooManyFields();
            }

            var end = body.IndexOf((byte)'&');
            var pair = end < 0 ? body : body[..end];
            body = end < 0 ? default : body[(end + 1)..];
            var equals = pair.IndexOf((byte)'=');
            var name = equals < 0 ? pair : pair[..equals];
            if (name.SequenceEqual("value"u8))
            {
                var encoded = equals < 0 ? default : pair[(equals + 1)..];
                return Percent.TryDecodeForm(encoded, out var value)
                    ? value
                    : throw new ProblemException(
                        Problem.BadBody,
                        "Form field 'value': expected two hexadecimal digits after each percent sign.");
            }
        }

        return null;
    }

    private static async ValueTask<byte[]?> ReadPartsAsync(
        ReadOnlyMemory<byte> body, MediaTypeHeaderValue type, CancellationToken cancel)
    {
        var boundary = HeaderUtilities.RemoveQuotes(type.Boundary).Value;
        if (string.IsNullOrEmpty(boundary))
        {
            throw new ProblemException(Problem.BadBody, "Header 'Content-Type': expected a boundary, found none.");
        }

        if (boundary.Length > BoundaryMax)
        {
            throw new ProblemException(
                Problem.BadBody,
                $"Header 'Content-Type': expected a boundary of at most {BoundaryMax} characters, found more.");
        }

        using var stream = new MemoryStream(body.ToArray(), writable: false);
        var reader = new MultipartReader(boundary, stream);
        try
        {
            for (var parts = 0; await reader.ReadNextSectionAsync(cancel).ConfigureAwait(false) is { } part; parts++)
            {
                if (parts == FieldsMax)
                {
                    throw TooManyFields();
                }

                if (part.GetContentDispositionHeader() is { } disposition
                    && HeaderUtilities.RemoveQuotes(disposition.Name) == Field)
                {
                    using var value = new MemoryStream();
                    await part.Body.CopyToAsync(value, cancel).ConfigureAwait(false);
                    return value.ToArray();
                }
            }
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            throw new ProblemException(
                Problem.BadBody,
                "Body: expected multipart/form-data, found something malformed.");
        }

        return null;
    }

    private static ProblemException TooManyFields() =>
        new(Problem.BadBody, $"Form: expected at most {FieldsMax} fields, found more.");
}
