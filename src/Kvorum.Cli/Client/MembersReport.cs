using System.Text.Json;

namespace Kvorum.Cli.Client;

/// <summary>A member as GET /v1/members tells it.</summary>
/// <param name="Kind">"voter", "joining", "learner" or "leaving".</param>
/// <param name="EntriesBehind">Null when not the leader answered.</param>
/// <param name="Replaces">A learner's: whose place it takes; null for nobody's.</param>
internal sealed record MemberReport(
    string Name, string Id, string Kind, bool IsLeader, string? PeerUrl, IReadOnlyList<string> ClientUrls,
    bool IsConnected, bool MayVote, ulong? EntriesBehind, string? Replaces);

/// <summary>The membership as one node tells it.</summary>
internal sealed record MembersReport(
    string ClusterId, string Node, string? Leader, int Quorum, int FailuresTolerated,
    IReadOnlyList<MemberReport> Members)
{
    public IEnumerable<string> Voters =>
        Members.Where(member => member.Kind is "voter" or "leaving").Select(member => member.Name);

    public MemberReport? Find(string name) => Members.FirstOrDefault(member => member.Name == name);

    /// <exception cref="CommandFailedException">The answer is none of a Kvorum node.</exception>
    public static MembersReport Parse(byte[] body)
    {
        try
        {
            using var document = JsonDocument.Parse(body);
            var root = document.RootElement;
            return new MembersReport(
                Text(root, "clusterId") ?? "",
                Text(root, "node") ?? "",
                Text(root, "leader"),
                root.GetProperty("quorum").GetInt32(),
                root.GetProperty("failuresTolerated").GetInt32(),
                [.. root.GetProperty("members").EnumerateArray().Select(Member)]);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException
            or FormatException)
        {
            throw new CommandFailedException(
                ExitCode.Failed, "The answer is no list of members: is the endpoint a Kvorum node of this version?");
        }
    }

    private static MemberReport Member(JsonElement member) => new(
        Text(member, "name") ?? "",
        Text(member, "id") ?? "",
        Text(member, "kind") ?? "",
        member.GetProperty("isLeader").GetBoolean(),
        Text(member, "peerUrl"),
        [.. member.GetProperty("clientUrls").EnumerateArray().Select(url => url.GetString() ?? "")],
        member.GetProperty("isConnected").GetBoolean(),
        member.GetProperty("mayVote").GetBoolean(),
        member.TryGetProperty("entriesBehind", out var behind) ? behind.GetUInt64() : null,
        member.TryGetProperty("replaces", out var replaced) ? replaced.GetString() : null);

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();
}
