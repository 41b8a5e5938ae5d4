using System.Security.Cryptography;
using System.Text.Json;

namespace Kvorum.Cli.Up;

/// <summary>What 'up' must find again in its directory (cluster.json): the same nodes, ports and token.</summary>
/// <param name="Token">
/// Drawn once per directory, so that nodes of two directories never take each other for peers.
/// </param>
internal sealed record ClusterFile(int Nodes, int Port, string Token)
{
    public const string Name = "cluster.json";

    private const int NodesDefault = 3;
    private const int PortDefault = 2379;
    private const int TokenBytes = 8;
    private const int FormatVersion = 1;

    /// <summary>Reads the file; on the first start, what it will hold once <see cref="SaveIfNew"/> is called.</summary>
    /// <exception cref="UsageException">The directory holds a cluster of another shape than asked for.</exception>
    public static ClusterFile OpenOrDraw(UpSettings settings)
    {
        var path = Path.Combine(settings.DataDir, Name);
        if (!File.Exists(path))
        {
            var token = $"up-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes))}";
            return new ClusterFile(settings.Nodes ?? NodesDefault, settings.Port ?? PortDefault, token);
        }

        var found = Load(path);
        Demand("--nodes", settings.Nodes, found.Nodes, path);
        Demand("--port", settings.Port, found.Port, path);
        return found;
    }

    private static void Demand(string flag, int? asked, int found, string path)
    {
        if (asked is not null && asked != found)
        {
            throw new UsageException(
                $"{flag}: expected {found} (the cluster in '{path}' was made so), found '{asked}'. "
                + $"Leave {flag} out to continue that cluster, or take another --data-dir.");
        }
    }

    private static ClusterFile Load(string path)
    {
        try
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            var root = document.RootElement;
            var format = root.GetProperty("format").GetInt32();
            return format == FormatVersion
                ? new ClusterFile(
                    root.GetProperty("nodes").GetInt32(),
                    root.GetProperty("port").GetInt32(),
                    root.GetProperty("token").GetString() ?? throw new FormatException("token is null"))
                : throw new FormatException($"expected format {FormatVersion}, found {format}");
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new CommandFailedException(
                ExitCode.Failed, $"kvorum up: cannot read '{path}': {e.Message}. Restore it, or take another --data-dir.");
        }
    }

    /// <summary>Makes the shape final; called when nothing stands in the way of a start any more.</summary>
    public void SaveIfNew(string directory)
    {
        var path = Path.Combine(directory, Name);
        if (File.Exists(path))
        {
            return;
        }

        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteNumber("format", FormatVersion);
            json.WriteNumber("nodes", Nodes);
            json.WriteNumber("port", Port);
            json.WriteString("token", Token);
            json.WriteEndObject();
        }

        // Whole or not at all; the nodes' own directories carry the identity that must survive power loss.
        File.WriteAllBytes($"{path}.new", buffer.ToArray());
        File.Move($"{path}.new", path);
    }
}
