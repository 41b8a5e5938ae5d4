using Kvorum.Kv;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>Answers failures as problem details (RFC 9457).</summary>
internal static class ProblemWriter
{
    public const string ContentType = "application/problem+json";

    /// <summary>Seconds after which a transient failure is worth another try.</summary>
    private const string RetryAfterSeconds = "1";

    /// <summary>The problem an expected failure of the node is.</summary>
    public static Problem Of(KvorumException failure) => failure switch
    {
        NoLeaderException => Problem.NoLeader,
        OverloadedException => Problem.Overloaded,
        DiskFullException => Problem.DiskFull,
        OutcomeUnknownException => Problem.OutcomeUnknown,
        ProposalDroppedException => Problem.ProposalDropped,
        ReadTimeoutException => Problem.ReadTimeout,
        NodeStoppedException => Problem.NodeStopped,
        MemberChangeRefusedException => Problem.ChangeRefused,
        _ => Problem.Internal,
    };

    /// <summary>
    /// What a caller may read about a failure of the node: never the reason of a stop, which names files.
    /// </summary>
    public static string DetailOf(KvorumException failure) =>
        failure is NodeStoppedException ? "The node has stopped; ask another one." : failure.Message;

    /// <summary>The problem a command's status is.</summary>
    /// <exception cref="ProblemException">Any status but <see cref="CommandStatus.Ok"/>.</exception>
    public static void Check(CommandStatus status, long revision, long compactedRevision = 0)
    {
        switch (status)
        {
            case CommandStatus.Ok:
                return;
            case CommandStatus.NotAList:
                throw new ProblemException(Problem.NotAList, "Append: expected a JSON array of strings under the key.");
            case CommandStatus.ValueTooLarge:
                throw new ProblemException(
                    Problem.TooLarge,
                    $"Append: expected a list of at most {KvLimits.ValueBytesMax} bytes, found more.");
            case CommandStatus.Compacted:
                throw new ProblemException(
                    Problem.Compacted,
                    compactedRevision > 0
                        ? $"Revision: expected {compactedRevision} or newer, found an older one; its history is gone."
                        : "Revision: expected one that is not yet compacted; its history is gone.");
            case CommandStatus.FutureRevision:
                throw new ProblemException(
                    Problem.FutureRevision,
                    $"Revision: expected at most {revision}, found a newer one.");
            case CommandStatus.DuplicateKey:
                throw new ProblemException(
                    Problem.BadBody,
                    "Transaction: expected each key to be written once, found one twice.");
            default:
                throw new ProblemException(
                    Problem.IdempotencyKeyReused,
                    $"Header '{RequestHeaders.IdempotencyKey}': expected a new key for a new request.");
        }
    }

    public static async Task WriteAsync(
        HttpContext http, Problem problem, string detail, ProblemException? cause = null)
    {
        var response = http.Response;
        if (response.HasStarted)
        {
            http.Abort(); // Half an answer must not look like a whole one.
            return;
        }

        response.Clear();
        RestApi.ForbidSniffing(response);
        if (problem.IsTransient)
        {
            response.Headers.RetryAfter = RetryAfterSeconds;
        }

        if (cause?.Allow is { } allow)
        {
            response.Headers.Allow = allow;
        }

        if (cause?.CurrentRevision is > 0 and var current)
        {
            response.Headers.ETag = RequestHeaders.TagOf(current);
        }

        using var body = new ResponseBuffer();
        WriteBody(body, http, problem, detail, cause);
        if (problem == Problem.TooLarge)
        {
            // The rest of the body is not worth keeping the connection for.
            response.Headers.Connection = HttpProtocol.IsHttp11(http.Request.Protocol) ? "close" : default;
        }

        await body.SendAsync(http, problem.Status, ContentType).ConfigureAwait(false);
        if (problem == Problem.TooLarge)
        {
            await response.CompleteAsync().ConfigureAwait(false);
            await RequestBody.DiscardAsync(http).ConfigureAwait(false);
        }
    }

    /// <summary>Sending the same request again cannot apply it twice.</summary>
    private static bool IsRetrySafe(HttpContext http, Problem problem) =>
        problem.Outcome is not Outcome.Unknown
        || HttpMethods.IsGet(http.Request.Method)
        || HttpMethods.IsHead(http.Request.Method)
        || http.Request.Headers.ContainsKey(RequestHeaders.IdempotencyKey);

    private static void WriteBody(
        ResponseBuffer body, HttpContext http, Problem problem, string detail, ProblemException? cause)
    {
        using var json = body.OpenJson();
        json.WriteStartObject();
        json.WriteString("type"u8, problem.Type);
        json.WriteString("title"u8, problem.Title);
        json.WriteNumber("status"u8, problem.Status);
        json.WriteString("detail"u8, detail);
        json.WriteString("retry"u8, IsRetrySafe(http, problem) ? "safe"u8 : "unsafe"u8);
        json.WriteString("outcome"u8, Problem.NameOf(problem.Outcome));
        if (cause?.CurrentRevision is { } current)
        {
            json.WriteNumber("currentRevision"u8, current);
        }

        cause?.More?.Invoke(json);

        json.WriteEndObject();
        json.Flush();
    }
}
