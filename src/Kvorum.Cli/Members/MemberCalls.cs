using System.Text.Json;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Members;

/// <summary>Questions about members, and wishes to change them.</summary>
internal sealed class MemberCalls(ClusterClient cluster, IReadOnlyList<Uri> endpoints, TimeSpan timeout)
{
    private const string ListPath = "/v1/members";

    private static readonly TimeSpan AskLeaderMax = TimeSpan.FromSeconds(2);

    public static string PathOf(string name, string action = "") =>
        $"{ListPath}/{ClusterClient.Segment(name)}{(action.Length > 0 ? $"/{action}" : "")}";

    /// <summary>The membership, confirmed by a quorum; body and all.</summary>
    public async Task<(MembersReport Report, byte[] Body)> ListAsync(CancellationToken cancel)
    {
        var answer = await cluster.SendAsync(new Call(HttpMethod.Get, ListPath, IsWrite: false), cancel)
            .ConfigureAwait(false);
        Demand(answer);
        return await FromLeaderAsync(answer, cancel).ConfigureAwait(false);
    }

    /// <summary>What the first endpoint that answers knows, without a quorum; null when none answers.</summary>
    public async Task<(MembersReport Report, byte[] Body)?> ListLocallyAsync(CancellationToken cancel)
    {
        foreach (var endpoint in endpoints)
        {
            if (await AskOneAsync(endpoint, timeout, cancel).ConfigureAwait(false) is { } answer)
            {
                return (MembersReport.Parse(answer.Body), answer.Body);
            }
        }

        return null;
    }

    /// <summary>Sends a change; the answer's body.</summary>
    /// <exception cref="CommandFailedException">It was refused, or its fate is not known.</exception>
    public async Task<byte[]> ChangeAsync(
        HttpMethod method, string path, bool isDryRun, byte[]? body, CancellationToken cancel)
    {
        var call = new Call(method, isDryRun ? $"{path}?dryRun=true" : path, IsWrite: true)
        {
            Body = body,
            ContentType = body is null ? null : "application/json",
        };
        var answer = await cluster.SendAsync(call, cancel).ConfigureAwait(false);
        if (answer is { Status: 404, IsRepeated: true } && method == HttpMethod.Delete)
        {
            // The first try removed it, and its answer was lost.
            return (await ListAsync(cancel).ConfigureAwait(false)).Body;
        }

        Demand(answer);
        return answer.Body;
    }

    public static byte[] WishBody(string name, Uri peerUrl, IReadOnlyList<Uri>? clientUrls, bool staysLearner)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("peerUrl", UrlText(peerUrl));
            if (clientUrls is not null)
            {
                json.WriteStartArray("clientUrls");
                foreach (var url in clientUrls)
                {
                    json.WriteStringValue(UrlText(url));
                }

                json.WriteEndArray();
            }

            if (staysLearner)
            {
                json.WriteBoolean("learner", true);
            }

            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    public static string UrlText(Uri url) => url.GetLeftPart(UriPartial.Authority);

    /// <summary>Ends the command unless it was done; a refusal tells the quorum it would have led to.</summary>
    public static void Demand(Answer answer)
    {
        if (!answer.IsSuccess)
        {
            throw new CommandFailedException(ExitCode.Failed, ClusterClient.TextOf(answer) + PlanOf(answer.Body));
        }
    }

    private static string PlanOf(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return root.TryGetProperty("votersAfter", out _)
                ? $"{Environment.NewLine}It would have led to: {ChangeText.Plan(root)}"
                : "";
        }
        catch (JsonException)
        {
            return "";
        }
    }

    /// <summary>Only the leader knows how far the others are; when it is silent, the first answer will do.</summary>
    private async Task<(MembersReport Report, byte[] Body)> FromLeaderAsync(
        Answer answer, CancellationToken cancel)
    {
        var report = MembersReport.Parse(answer.Body);
        var leader = report.Members.FirstOrDefault(member => member.IsLeader);
        if (leader is { EntriesBehind: null, ClientUrls: [var url, ..] }
            && Uri.TryCreate(url, UriKind.Absolute, out var address)
            && await AskOneAsync(address, AskLeaderMax, cancel).ConfigureAwait(false) is { } better
            && MembersReport.Parse(better.Body) is var fromLeader
            && fromLeader.Leader == fromLeader.Node)
        {
            return (fromLeader, better.Body);
        }

        return (report, answer.Body);
    }

    private async Task<Answer?> AskOneAsync(Uri endpoint, TimeSpan limit, CancellationToken cancel)
    {
        var call = new Call(HttpMethod.Get, $"{ListPath}?consistency=local", IsWrite: false);
        var attempt = await cluster.TryAsync(endpoint, call, "", limit, cancel).ConfigureAwait(false);
        return attempt.Answer is { IsSuccess: true } answer ? answer : null;
    }
}
