using System.Text.Json;
using Kvorum.Node;

namespace Kvorum.Server.Rest;

/// <summary>A node that shall become a member, as a request names it.</summary>
internal sealed record MemberWish(string Name, string PeerUrl, IReadOnlyList<string> ClientUrls, bool StaysLearner)
{
    public MemberAddress ToAddress(ulong node) => new(node, Name, PeerUrl, ClientUrls);
}

/// <summary>Members in requests and answers.</summary>
internal static class MembersJson
{
    private const string UrlExpected = "a URL like http://127.0.0.1:2380, without path, query or user";

    public static string IdText(ulong node) => node.ToString("x16", null);

    public static int QuorumOf(int voters) => (voters / 2) + 1;

    public static int ToleratedOf(int voters) => Math.Max(0, (voters - 1) / 2);

    /// <exception cref="ProblemException">A property is missing, unknown or wrong.</exception>
    public static MemberWish ReadWish(JsonElement root, bool mayStayLearner)
    {
        ReadOnlySpan<string> known = ["name", "peerUrl", "clientUrls", "learner"];
        JsonInput.CheckObject(root, "Body", mayStayLearner ? known : known[..^1]);
        var name = TextOf(JsonInput.Required(root, "name", "Body"), "name");
        if (name.Length is 0 or > RestLimits.MemberNameMax
            || !name.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is '-' or '_' or '.'))
        {
            throw JsonInput.Wrong("name", $"1 to {RestLimits.MemberNameMax} letters, digits, '-', '_' or '.'");
        }

        var peerUrl = UrlOf(JsonInput.Required(root, "peerUrl", "Body"), "peerUrl");
        var clientUrls = new List<string>();
        if (root.TryGetProperty("clientUrls", out var urls))
        {
            if (urls.ValueKind is not JsonValueKind.Array || urls.GetArrayLength() > RestLimits.MemberUrlsMax)
            {
                throw JsonInput.Wrong("clientUrls", $"a list of at most {RestLimits.MemberUrlsMax} URLs");
            }

            clientUrls.AddRange(urls.EnumerateArray().Select(url => UrlOf(url, "clientUrls")));
        }

        var staysLearner = root.TryGetProperty("learner", out var learner) && FlagOf(learner, "learner");
        return new MemberWish(name, peerUrl, clientUrls, staysLearner);
    }

    /// <summary>Cluster, leader, quorum and every member; into an object that is open.</summary>
    public static void WriteCluster(Utf8JsonWriter json, ServerContext context, NodeStatus status)
    {
        var voters = status.Members.Count(member => member.IsVoter);
        json.WriteString("clusterId"u8, IdText(status.ClusterId));
        json.WriteString("node"u8, status.Name);
        json.WriteString("leader"u8, status.Leader is { } leader ? context.NameOf(leader) : null);
        json.WriteNumber("term"u8, status.Term);
        json.WriteNumber("quorum"u8, QuorumOf(voters));
        json.WriteNumber("failuresTolerated"u8, ToleratedOf(voters));
        json.WriteStartArray("members"u8);
        foreach (var member in status.Members.OrderBy(member => context.NameOf(member.Node), StringComparer.Ordinal))
        {
            WriteMember(json, context, status, member);
        }

        json.WriteEndArray();
    }

    public static void WritePlan(Utf8JsonWriter json, MembershipView view, MemberChangePlan plan, MemberAddress? added)
    {
        WriteNames(json, "votersBefore", view, plan.VotersBefore, added);
        WriteNames(json, "votersAfter", view, plan.VotersAfter, added);
        json.WriteNumber("quorumAfter"u8, plan.QuorumAfter);
        json.WriteNumber("failuresToleratedAfter"u8, plan.FailuresToleratedAfter);
    }

    /// <summary>One word for what a member is.</summary>
    public static string KindOf(MemberStatus member) => member switch
    {
        { IsLeaving: true } => "leaving",
        { IsVoter: true } => "voter",
        { IsJoining: true } => "joining",
        _ => "learner",
    };

    private static void WriteMember(Utf8JsonWriter json, ServerContext context, NodeStatus status, MemberStatus member)
    {
        var address = context.AddressOf(member);
        json.WriteStartObject();
        json.WriteString("name"u8, address.Name);
        json.WriteString("id"u8, IdText(member.Node));
        json.WriteString("kind"u8, KindOf(member));
        json.WriteBoolean("isLeader"u8, member.Node == status.Leader);
        json.WriteString("peerUrl"u8, address.PeerUrl.Length > 0 ? address.PeerUrl : null);
        json.WriteStartArray("clientUrls"u8);
        foreach (var url in address.ClientUrls)
        {
            json.WriteStringValue(url);
        }

        json.WriteEndArray();
        json.WriteBoolean("isConnected"u8, member.IsConnected);
        json.WriteBoolean("mayVote"u8, member.MayVote);
        if (member.Replaces is { } replaced)
        {
            json.WriteString("replaces"u8, context.NameOf(replaced));
        }

        if (status.Role is NodeRole.Leader)
        {
            json.WriteNumber("matchIndex"u8, member.Match);
            json.WriteNumber("entriesBehind"u8, status.LastLogIndex - Math.Min(member.Match, status.LastLogIndex));
        }

        json.WriteEndObject();
    }

    private static void WriteNames(
        Utf8JsonWriter json, string name, MembershipView view, IReadOnlyList<ulong> nodes, MemberAddress? added)
    {
        json.WriteStartArray(name);
        foreach (var text in nodes.Select(node => view.NameOf(node, added)).Order(StringComparer.Ordinal))
        {
            json.WriteStringValue(text);
        }

        json.WriteEndArray();
    }

    private static bool FlagOf(JsonElement element, string where) => element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw JsonInput.Wrong(where, "true or false"),
    };

    private static string TextOf(JsonElement element, string where) =>
        System.Text.Encoding.UTF8.GetString(
            element.ValueKind is JsonValueKind.String
                ? JsonInput.BytesOf(element, where)
                : throw JsonInput.Wrong(where, "a string"));

    /// <summary>A URL in one spelling: without the slash at its end, so that equal ones are equal as text.</summary>
    private static string UrlOf(JsonElement element, string where)
    {
        var text = TextOf(element, where);
        return text.Length <= RestLimits.MemberUrlCharactersMax
            && Uri.TryCreate(text, UriKind.Absolute, out var url)
            && url.Scheme == Uri.UriSchemeHttp
            && url is { AbsolutePath: "/", Query.Length: 0, Fragment.Length: 0, UserInfo.Length: 0, Port: > 0 }
                ? url.AbsoluteUri.TrimEnd('/')
                : throw JsonInput.Wrong(where, UrlExpected);
    }
}
