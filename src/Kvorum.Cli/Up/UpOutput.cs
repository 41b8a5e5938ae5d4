using System.Globalization;
using System.Text;
using System.Text.Json;
using Kvorum.Cli.Client;
using Spectre.Console;

namespace Kvorum.Cli.Up;

/// <summary>What 'up' says. The result goes to stdout, everything about the way there to stderr.</summary>
internal sealed class UpOutput(bool isJson)
{
    private readonly IAnsiConsole _output = Terminal.Output();
    private readonly IAnsiConsole _progress = Terminal.Error();

    public void Starting(int count, string dataDir, bool isOld)
    {
        var what = isOld ? "Continuing" : "Starting a new cluster of";
        _progress.WriteLine($"{what} {count} {(count == 1 ? "node" : "nodes")} in {dataDir} …");
    }

    public void LeaderElected(TimeSpan elapsed) =>
        _progress.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Leader elected after {elapsed.TotalSeconds:0.0} s."));

    public void Running(
        IReadOnlyList<LocalNode> nodes, NodeReport[] reports, string dataDir, ClusterFile cluster)
    {
        if (isJson)
        {
            Console.WriteLine(Json(nodes, reports, dataDir, cluster));
            return;
        }

        PrintTable(nodes, reports);
        PrintLines("Start a node again by hand (after kill -9, say):", nodes.Select(node => node.CommandLine));
        PrintLines("Try:", Examples(nodes));
        PrintLines("Add a node while it runs ('kvorum member remove NAME' takes one away):", [JoinLine(nodes)]);
        _output.WriteLine();
        _output.WriteLine($"Logs: {string.Join(' ', nodes.Select(node => node.LogPath))}");
        _output.WriteLine("Ctrl-C stops all nodes; the data stays.");
    }

    public void NodeEnded(LocalNode node)
    {
        _progress.Write(new Text(
            $"Node {node.Name} (pid {node.Pid}) ended: {node.HowItEnded}. Its log: {node.LogPath}",
            new Style(Color.Yellow)));
        _progress.WriteLine();
        if (node.LogTail.Any(line => line.Contains("was removed from cluster", StringComparison.Ordinal)))
        {
            Console.Error.WriteLine($"It was removed from the cluster; its data in {node.DataDir} is of no more use.");
            return;
        }

        // Written plainly, so that no console width breaks the line apart.
        Console.Error.WriteLine($"Start it again with:{Environment.NewLine}  {node.CommandLine}");
    }

    public void AllEnded() => _progress.WriteLine("All nodes have ended.");

    public void Stopping(IEnumerable<LocalNode> nodes)
    {
        if (nodes.Any(node => !node.Exited.IsCompleted))
        {
            _progress.WriteLine("Stopping …");
        }
    }

    public void Killing(IEnumerable<LocalNode> nodes) =>
        _progress.WriteLine($"Killing what did not stop in time: {string.Join(", ", nodes.Select(node => node.Name))}");

    private static string[] Examples(IReadOnlyList<LocalNode> nodes)
    {
        var first = LocalNode.UrlText(nodes[0].ClientUrl);
        var second = LocalNode.UrlText(nodes[^1].ClientUrl);
        return
        [
            $"curl -X POST {first}/keys/pets -H 'Content-Type: application/json' "
                + """-d '{"type":"PUT","value":["cat","dog"]}'""",
            $"curl {second}/keys/pets",
            $"curl -X PUT {first}/v1/kv/greeting --data-binary hello",
        ];
    }

    /// <summary>The line that starts one node more, on the next ports and in the same directory.</summary>
    private static string JoinLine(IReadOnlyList<LocalNode> nodes)
    {
        var last = nodes[^1];
        return last.JoinLine($"n{nodes.Count + 1}", LocalNode.UrlText(nodes[0].ClientUrl));
    }

    private static string RoleOf(NodeReport report) =>
        report.Problem is null ? report.State.ToLowerInvariant() : "starting";

    private void PrintTable(IReadOnlyList<LocalNode> nodes, NodeReport[] reports)
    {
        var table = Terminal.Table("NAME", "PID", "ROLE", "CLIENT URL", "PEER URL", "DATA DIR");
        for (var i = 0; i < nodes.Count; i++)
        {
            var node = nodes[i];
            table.AddRow(
                new Text(node.Name),
                new Text(node.Pid.ToString(CultureInfo.InvariantCulture)),
                new Text(RoleOf(reports[i]), new Style(reports[i].IsLeader ? Color.Green : Color.Default)),
                new Text(LocalNode.UrlText(node.ClientUrl)),
                new Text(LocalNode.UrlText(node.PeerUrl)),
                new Text(node.DataDir));
        }

        _output.WriteLine();
        _output.Write(table);
    }

    private void PrintLines(string title, IEnumerable<string> lines)
    {
        _output.WriteLine();
        _output.WriteLine(title);
        foreach (var line in lines)
        {
            // Plain, so that no console width breaks a line meant to be copied.
            Console.WriteLine($"  {line}");
        }
    }

    private static string Json(
        IReadOnlyList<LocalNode> nodes, NodeReport[] reports, string dataDir, ClusterFile cluster)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            json.WriteString("data_dir", Path.GetFullPath(dataDir));
            json.WriteString("token", cluster.Token);
            json.WriteStartArray("nodes");
            for (var i = 0; i < nodes.Count; i++)
            {
                WriteNode(json, nodes[i], reports[i]);
            }

            json.WriteEndArray();
            WriteList(json, "examples", Examples(nodes));
            json.WriteString("join_line", JoinLine(nodes));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    private static void WriteNode(Utf8JsonWriter json, LocalNode node, NodeReport report)
    {
        json.WriteStartObject();
        json.WriteString("name", node.Name);
        json.WriteNumber("pid", node.Pid);
        json.WriteString("role", RoleOf(report));
        json.WriteString("client_url", LocalNode.UrlText(node.ClientUrl));
        json.WriteString("peer_url", LocalNode.UrlText(node.PeerUrl));
        json.WriteString("data_dir", Path.GetFullPath(node.DataDir));
        json.WriteString("log", Path.GetFullPath(node.LogPath));
        WriteList(json, "serve", node.Command);
        json.WriteString("serve_line", node.CommandLine);
        json.WriteEndObject();
    }

    private static void WriteList(Utf8JsonWriter json, string name, IEnumerable<string> items)
    {
        json.WriteStartArray(name);
        foreach (var item in items)
        {
            json.WriteStringValue(item);
        }

        json.WriteEndArray();
    }
}
