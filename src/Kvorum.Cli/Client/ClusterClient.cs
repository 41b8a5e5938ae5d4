using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Kvorum.Client;

namespace Kvorum.Cli.Client;

/// <summary>One request of a command, the same on every endpoint.</summary>
/// <param name="PathAndQuery">Percent-encoded.</param>
/// <param name="IsWrite">Gets an Idempotency-Key, so that a retry on another endpoint cannot apply it twice.</param>
internal sealed record Call(HttpMethod Method, string PathAndQuery, bool IsWrite)
{
    public byte[]? Body { get; init; }

    public string? ContentType { get; init; }
}

/// <summary>What a node answered: any status that is not worth another try.</summary>
internal sealed record Answer(Uri Endpoint, int Status, byte[] Body)
{
    /// <summary>An earlier try of the same call may have been applied without its answer coming through.</summary>
    public bool IsRepeated { get; init; }

    public bool IsSuccess => Status is >= 200 and <= 299;
}

/// <summary>Sends a call to the first endpoint that can serve it.</summary>
internal sealed class ClusterClient : IDisposable
{
    /// <summary>An answer larger than this is refused: values are at most 1.5 MiB.</summary>
    private const int AnswerBytesMax = 8 * 1024 * 1024;

    private readonly IReadOnlyList<Uri> _endpoints;
    private readonly TimeSpan _timeout;
    private readonly HttpClient _http;

    public ClusterClient(IReadOnlyList<Uri> endpoints, TimeSpan timeout)
    {
        _endpoints = endpoints;
        _timeout = timeout;
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })
        {
            Timeout = Timeout.InfiniteTimeSpan, // Each attempt has its own.
            MaxResponseContentBufferSize = AnswerBytesMax,
        };
    }

    /// <summary>A key as one segment of a path: a slash inside it is part of the key.</summary>
    public static string Segment(string key) => Uri.EscapeDataString(key);

    /// <summary>
    /// Tries endpoint after endpoint, round after round, until one gives an answer or the time is over.
    /// </summary>
    /// <exception cref="CommandFailedException">
    /// Unavailable when surely nothing was changed, OutcomeUnknown when a write was sent and its fate was not told.
    /// </exception>
    public async Task<Answer> SendAsync(Call call, CancellationToken cancel)
    {
        var clock = Stopwatch.StartNew();
        var idempotencyKey = Guid.NewGuid().ToString("N");
        var lastProblems = new string[_endpoints.Count];
        var failover = new Failover(_endpoints.Count, _timeout);
        while (true)
        {
            var step = failover.Next(clock.Elapsed);
            switch (step.Action)
            {
                case FailoverAction.Ask:
                    var endpoint = _endpoints[step.Endpoint];
                    var attempt = await TryAsync(endpoint, call, idempotencyKey, step.Limit, cancel)
                        .ConfigureAwait(false);
                    if (attempt.Answer is not null)
                    {
                        return attempt.Answer with { IsRepeated = failover.MayBeApplied };
                    }

                    lastProblems[step.Endpoint] = $"  {endpoint.GetLeftPart(UriPartial.Authority)}: {attempt.Problem}";
                    failover.Ended(
                        attempt.MayBeApplied ? AttemptOutcome.Unknown : AttemptOutcome.NoEffect, call.IsWrite);
                    break;
                case FailoverAction.Pause:
                    await Task.Delay(step.Limit, cancel).ConfigureAwait(false);
                    break;
                default:
                    throw GaveUp(step.Action is FailoverAction.OutcomeUnknown, lastProblems);
            }
        }
    }

    /// <summary>Asks one endpoint once.</summary>
    public async Task<Attempt> TryAsync(
        Uri endpoint, Call call, string idempotencyKey, TimeSpan timeout, CancellationToken cancel)
    {
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        limited.CancelAfter(timeout);
        try
        {
            using var request = Request(endpoint, call, idempotencyKey);
            using var response = await _http.SendAsync(request, limited.Token).ConfigureAwait(false);
            var body = await response.Content.ReadAsByteArrayAsync(limited.Token).ConfigureAwait(false);
            return Judge(new Answer(endpoint, (int)response.StatusCode, body));
        }
        catch (HttpRequestException e)
        {
            var wasSent = e.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError);
            return new Attempt(null, e.InnerException?.Message ?? e.Message, wasSent);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return new Attempt(null, $"no answer within {timeout.TotalSeconds:0.0} s", MayBeApplied: true);
        }
    }

    public void Dispose() => _http.Dispose();

    /// <summary>The words of an error answer: problem details (RFC 9457), or whatever text came.</summary>
    public static string TextOf(Answer answer)
    {
        const int PlainTextMax = 400;
        var text = ReadProblem(answer.Body).Text
            ?? (answer.Body.Length <= PlainTextMax ? Encoding.UTF8.GetString(answer.Body).Trim() : "");
        return text.Length > 0 ? text : $"HTTP status {answer.Status}";
    }

    private static Attempt Judge(Answer answer)
    {
        // Too busy, or no leader now: another node or moment may do better. Everything else is final.
        if (answer.Status is not (429 or 500 or 502 or 503 or 504 or 507))
        {
            return new Attempt(answer, "", MayBeApplied: false);
        }

        var (_, outcome) = ReadProblem(answer.Body);
        return new Attempt(null, TextOf(answer), outcome is not ("not-proposed" or "no-effect"));
    }

    private static (string? Text, string? Outcome) ReadProblem(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? (StringAt(document.RootElement, "detail") ?? StringAt(document.RootElement, "title"),
                    StringAt(document.RootElement, "outcome"))
                : (null, null);
        }
        catch (JsonException)
        {
            return (null, null);
        }
    }

    private static string? StringAt(JsonElement problem, string name) =>
        problem.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static HttpRequestMessage Request(Uri endpoint, Call call, string idempotencyKey)
    {
        // Keys such as ".." must reach the node as they are: the URL is not to be tidied up.
        var verbatim = new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true };
        var url = new Uri(endpoint.GetLeftPart(UriPartial.Authority) + call.PathAndQuery, verbatim);
        var request = new HttpRequestMessage(call.Method, url);
        if (call.Body is not null)
        {
            request.Content = new ByteArrayContent(call.Body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(call.ContentType ?? "application/octet-stream");
        }

        if (call.IsWrite)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        return request;
    }

    private static CommandFailedException GaveUp(bool mayBeApplied, IEnumerable<string> problems)
    {
        var list = string.Join(Environment.NewLine, problems);
        return mayBeApplied
            ? new CommandFailedException(
                ExitCode.OutcomeUnknown,
                $"The outcome is unknown: the write was sent and may or may not be applied.{Environment.NewLine}{list}")
            : new CommandFailedException(
                ExitCode.Unavailable, $"Unavailable: no endpoint could serve the request.{Environment.NewLine}{list}");
    }
}

/// <summary>What came of asking one endpoint once.</summary>
/// <param name="Answer">Null when another endpoint, or the same one later, may do better.</param>
/// <param name="Problem">Why there is no answer.</param>
/// <param name="MayBeApplied">A write may have been applied although no answer says so.</param>
internal sealed record Attempt(Answer? Answer, string Problem, bool MayBeApplied);
