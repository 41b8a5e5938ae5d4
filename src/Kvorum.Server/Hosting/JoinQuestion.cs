using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>
/// Asks members of a running cluster, over their client URLs, to take this node in: one after the other, round after
/// round, until one does or says why not.
/// </summary>
internal sealed class JoinQuestion(ServerOptions options, ILogger logger, TimeProvider time)
{
    private readonly RepeatedReason _failures = new(time);

    /// <summary>What to write down: this node's id, the cluster's, and its members.</summary>
    /// <exception cref="IOException">It was refused, or nobody answered in time.</exception>
    public async Task<MemberNote> AskAsync(CancellationToken cancel)
    {
        var own = options.InitialCluster.Single(member => member.Name == options.Name).PeerUrl;
        var body = BodyOf(own);
        using var http = NewClient();
        var asked = time.GetTimestamp();
        while (true)
        {
            var problem = "";
            foreach (var url in options.JoinUrls)
            {
                (var note, problem) = await TryAsync(http, url, body, cancel).ConfigureAwait(false);
                if (note is not null)
                {
                    logger.Joined(note.Name, note.ClusterId.ToString("x16", null), url);
                    return note;
                }

                if (_failures.IsWorthLogging(problem))
                {
                    logger.JoinFailed(url, problem);
                }
            }

            if (time.GetElapsedTime(asked) > ServerLimits.JoinTimeout)
            {
                throw new IOException(
                    $"--join: no member took this node in within {ServerLimits.JoinTimeout.TotalSeconds} s: {problem}");
            }

            await Task.Delay(ServerLimits.JoinPause, time, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Reads what a member told of its cluster, and of this node in it.</summary>
    /// <exception cref="FormatException">The answer is none of a Kvorum node.</exception>
    public static MemberNote Read(string answer, string name, Uri own)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            var root = document.RootElement;
            var members = root.GetProperty("members").EnumerateArray()
                .Select(member => new ServerMember(
                    member.GetProperty("name").GetString() ?? "",
                    IdOf(member),
                    member.GetProperty("peerUrl").GetString() is { } url ? new Uri(url) : null))
                .ToList();

            // One that was added by its address alone has no name until it starts: it goes by its id.
            var unnamed = members.FindIndex(member =>
                member.PeerUrl == own && member.Name == member.Node.ToString("x16", CultureInfo.InvariantCulture));
            if (unnamed >= 0 && members.All(member => member.Name != name))
            {
                members[unnamed] = members[unnamed] with { Name = name };
            }

            var node = members.FirstOrDefault(member => member.Name == name)?.Node
                ?? (root.TryGetProperty("id", out _) ? IdOf(root) : 0);
            if (node != 0 && members.All(member => member.Node != node))
            {
                members.Add(new ServerMember(name, node, own));
            }

            return new MemberNote(name, node, Number(root, "clusterId"), Token: null, members);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException
            or UriFormatException)
        {
            throw new FormatException("the answer is none of a Kvorum node", error);
        }
    }

    public static HttpClient NewClient() =>
        new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })
        {
            Timeout = ServerLimits.JoinAttemptTimeout,
            MaxResponseContentBufferSize = ServerLimits.JoinAnswerBytesMax,
        };

    /// <summary>The words of a refusal, or its status.</summary>
    public static string DetailOf(string answer, int status)
    {
        try
        {
            using var document = JsonDocument.Parse(answer);
            return document.RootElement.TryGetProperty("detail", out var detail) && detail.GetString() is { } text
                ? text
                : $"HTTP status {status}";
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException)
        {
            return $"HTTP status {status}";
        }
    }

    private static ulong IdOf(JsonElement element) => Number(element, "id");

    private static ulong Number(JsonElement element, string name) =>
        ulong.Parse(
            element.GetProperty(name).GetString() ?? "", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private async Task<(MemberNote? Note, string Problem)> TryAsync(
        HttpClient http, Uri url, byte[] body, CancellationToken cancel)
    {
        try
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var response = await http.PostAsync(new Uri(url, "/v1/members"), content, cancel)
                .ConfigureAwait(false);
            var answer = await response.Content.ReadAsStringAsync(cancel).ConfigureAwait(false);
            var status = (int)response.StatusCode;
            if (response.IsSuccessStatusCode)
            {
                var own = options.InitialCluster.Single(member => member.Name == options.Name).PeerUrl;
                return (Read(answer, options.Name, own), "");
            }

            var detail = DetailOf(answer, status);
            var isRefused = answer.Contains("change-refused", StringComparison.Ordinal); // Not now; perhaps soon.
            return isRefused || status is 429 or 500 or 503
                ? (null, detail)
                : throw new IOException($"--join: {url} refuses node {options.Name}: {detail}");
        }
        catch (Exception error) when (error is HttpRequestException or FormatException)
        {
            return (null, error.Message);
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return (null, $"no answer within {ServerLimits.JoinAttemptTimeout.TotalSeconds} s");
        }
    }

    private byte[] BodyOf(Uri own)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("name", options.Name);
            json.WriteString("peerUrl", own.AbsoluteUri.TrimEnd('/'));
            json.WriteStartArray("clientUrls");
            foreach (var url in options.AdvertiseClientUrls)
            {
                json.WriteStringValue(url.AbsoluteUri.TrimEnd('/'));
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }
}
