using System.Globalization;
using System.Text.Json;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>
/// What a node's directory remembers of how it came into its cluster (docs/formats.md, "member.json"), so that it
/// starts again without being told, and whatever the flags say of an initial cluster.
/// </summary>
/// <param name="Token">Of the initial cluster; null for a node that joined later.</param>
/// <param name="Members">Whom to contact until the membership is known, this node included.</param>
internal sealed record MemberNote(
    string Name, ulong Node, ulong ClusterId, string? Token, IReadOnlyList<ServerMember> Members)
{
    public const string FileName = "member.json";

    private const int FormatVersion = 1;

    /// <summary>A node that was not among the voters of a new cluster, but asked to join an old one.</summary>
    public bool IsJoined => Token is null;

    /// <summary>The note of a directory; null when there is none yet.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static MemberNote? Load(string dataPath)
    {
        if (DirectoryNote.Read(dataPath, FileName) is not { } bytes)
        {
            return null;
        }

        try
        {
            using var document = JsonDocument.Parse(bytes);
            return Parse(document.RootElement);
        }
        catch (Exception error) when (error is JsonException or KeyNotFoundException or InvalidOperationException
            or FormatException)
        {
            throw new IOException(
                $"{Path.Combine(dataPath, FileName)}: expected who this node is, found something else "
                + $"({error.Message}). Restore the file, or remove the directory and add the node to the cluster again "
                + "as a new one.",
                error);
        }
    }

    public void Save(string dataPath)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("format", FormatVersion);
            json.WriteString("name", Name);
            json.WriteString("node", Hexadecimal(Node));
            json.WriteString("cluster", Hexadecimal(ClusterId));
            json.WriteString("token", Token);
            json.WriteStartArray("members");
            foreach (var member in Members)
            {
                json.WriteStartObject();
                json.WriteString("name", member.Name);
                json.WriteString("node", Hexadecimal(member.Node));
                json.WriteString("peerUrl", member.PeerUrl?.AbsoluteUri.TrimEnd('/'));
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        DirectoryNote.Save(dataPath, FileName, buffer.ToArray());
    }

    private static MemberNote Parse(JsonElement root)
    {
        var format = root.GetProperty("format").GetInt32();
        return format == FormatVersion
            ? new MemberNote(
                Text(root, "name") ?? throw new FormatException("no name"),
                Number(root, "node"),
                Number(root, "cluster"),
                Text(root, "token"),
                [.. root.GetProperty("members").EnumerateArray().Select(member => new ServerMember(
                    Text(member, "name") ?? "", Number(member, "node"), Url(Text(member, "peerUrl"))))])
            : throw new FormatException($"format {format} where {FormatVersion} was expected");
    }

    private static string Hexadecimal(ulong number) => number.ToString("x16", null);

    private static string? Text(JsonElement element, string name) => element.GetProperty(name).GetString();

    private static ulong Number(JsonElement element, string name) =>
        ulong.Parse(Text(element, name) ?? "", NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    private static Uri? Url(string? text) => text is null ? null : new Uri(text);
}
