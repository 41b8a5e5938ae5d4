using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvorum.Cli.Client;

namespace Kvorum.Cli.Members;

/// <summary>Changes of members in words and as JSON.</summary>
internal static class ChangeText
{
    /// <summary>"voters n1, n2, n3 (quorum 2, 1 may fail)".</summary>
    public static string Plan(JsonElement answer)
    {
        var voters = answer.GetProperty("votersAfter").EnumerateArray().Select(name => name.GetString());
        return Voters(
            voters.OfType<string>(),
            answer.GetProperty("quorumAfter").GetInt32(),
            answer.GetProperty("failuresToleratedAfter").GetInt32());
    }

    /// <summary>Whether the node was a voter when the change was asked for.</summary>
    public static bool VotedBefore(byte[] answer, string node)
    {
        using var document = JsonDocument.Parse(answer);
        return document.RootElement.TryGetProperty("votersBefore", out var voters)
            && voters.EnumerateArray().Any(name => name.GetString() == node);
    }

    public static string Voters(MembersReport report) => Voters(report.Voters, report.Quorum, report.FailuresTolerated);

    /// <summary>"3,112".</summary>
    public static string Number(ulong number) => number.ToString("N0", CultureInfo.InvariantCulture);

    /// <summary>The answer to a change with the membership as it is after waiting.</summary>
    public static string Json(byte[] change, byte[]? membersAfter)
    {
        var document = JsonNode.Parse(change)!.AsObject(); // A node's answer is an object.
        if (membersAfter is not null)
        {
            foreach (var (name, value) in JsonNode.Parse(membersAfter)!.AsObject()) // And so is this one.
            {
                document[name] = value?.DeepClone();
            }
        }

        return Pretty(document);
    }

    public static string Pretty(JsonNode document)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            document.WriteTo(json);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static string Voters(IEnumerable<string> names, int quorum, int tolerated) =>
        $"voters {string.Join(", ", names)} (quorum {quorum}, {(tolerated == 0 ? "none" : $"{tolerated}")} may fail)";
}
