using System.Buffers;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Kvorum.Server.Rest;

/// <summary>Reads a request's body up to the limit.</summary>
internal static class RequestBody
{
    /// <summary>Memory set aside on the word of a Content-Length alone.</summary>
    private const int TrustedBytes = 64 * 1024;

    /// <exception cref="ProblemException">The body passes <see cref="RestLimits.BodyBytesMax"/>.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(HttpContext http)
    {
        var request = http.Request;
        var announced = request.ContentLength;
        if (announced == 0)
        {
            return default;
        }

        if (announced is null or > RestLimits.BodyBytesMax)
        {
            LiftHostLimit(http);
        }

        if (announced > RestLimits.BodyBytesMax)
        {
            throw TooLarge();
        }

        var body = Array.Empty<byte>();
        var length = 0;
        var reader = request.BodyReader;
        while (true)
        {
            var read = await reader.ReadAsync(http.RequestAborted).ConfigureAwait(false);
            var buffer = read.Buffer;
            if (length + buffer.Length > RestLimits.BodyBytesMax)
            {
                reader.AdvanceTo(buffer.End);
                throw TooLarge();
            }

            body = Fit(body, length, (int)buffer.Length, announced);
            buffer.CopyTo(body.AsSpan(length));
            length += (int)buffer.Length;
            reader.AdvanceTo(buffer.End);
            if (read.IsCompleted || length == announced)
            {
                return body.AsMemory(0, length);
            }
        }
    }

    /// <summary>
    /// Reads and drops the rest of a refused body, within limits: a caller that is still sending when the connection
    /// closes would see a broken pipe instead of the answer.
    /// </summary>
    public static async Task DiscardAsync(HttpContext http)
    {
        var isWaitingForContinue = http.Request.Headers.Expect.Count > 0;
        if (isWaitingForContinue || http.Request.ContentLength > RestLimits.DiscardBytesMax
            || !HttpProtocol.IsHttp11(http.Request.Protocol))
        {
            return;
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted);
        limit.CancelAfter(RestLimits.DiscardTimeMax);
        try
        {
            var discarded = 0L;
            while (discarded <= RestLimits.DiscardBytesMax)
            {
                var read = await http.Request.BodyReader.ReadAsync(limit.Token).ConfigureAwait(false);
                discarded += read.Buffer.Length;
                http.Request.BodyReader.AdvanceTo(read.Buffer.End);
                if (read.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The caller stopped, or was too slow: it had its chance to hear the answer.
        }
    }

    public static ProblemException TooLarge() =>
        new(Problem.TooLarge, $"Body: expected at most {RestLimits.BodyBytesMax} bytes, found more.");

    /// <summary>
    /// Our own limit is checked while reading and answers in our own words; the host's would cut in first.
    /// </summary>
    private static void LiftHostLimit(HttpContext http)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
        {
            limit.MaxRequestBodySize = null;
        }
    }

    private static byte[] Fit(byte[] body, int length, int more, long? announced)
    {
        var needed = length + more;
        if (needed <= body.Length)
        {
            return body;
        }

        var capacity = Math.Max(needed, Math.Max(2 * body.Length, (int)Math.Min(announced ?? 0, TrustedBytes)));
        var larger = GC.AllocateUninitializedArray<byte>(Math.Min(capacity, RestLimits.BodyBytesMax));
        body.AsSpan(0, length).CopyTo(larger);
        return larger;
    }
}
