using System.CommandLine;
using Kvorum.Cli.Up;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum up': a cluster of real processes on this machine in one command.</summary>
internal static class UpCommand
{
    private const int NodesMax = 9;

    /// <summary>Each node takes two ports in steps of ten.</summary>
    private const int PortMax = 65_535 - ((NodesMax - 1) * 10) - 1;

    public static Command Create()
    {
        var nodes = Numbers.Option("--nodes", 1, NodesMax);
        nodes.Description = $"How many nodes, 1 to {NodesMax}. [default: as the directory has, or 3]";
        nodes.HelpName = "N";
        var dataDir = new Option<string>("--data-dir")
        {
            Description = "Where all nodes keep their data and logs; an existing cluster there continues.",
            HelpName = "DIR",
            DefaultValueFactory = _ => "kvorum-data",
        };
        var port = Numbers.Option("--port", 1, PortMax);
        port.Description = "Client port of the first node; node i has PORT+10*(i-1), its peer port is one above. "
            + "[default: as the directory has, or 2379]";
        port.HelpName = "PORT";
        var output = new Option<string>("--output")
        {
            Description = "table, or json: one document with the same content.",
            HelpName = "FORMAT",
            DefaultValueFactory = _ => "table",
        };
        output.AcceptOnlyFromAmong("table", "json");
        var command = new Command(
            "up", "Run a cluster on this machine until Ctrl-C, one 'serve' process per node.") { nodes, dataDir, port, output };
        command.SetAction((parsed, _) => UpRun.RunAsync(new UpSettings(
            parsed.GetRequiredValue(dataDir),
            (int?)parsed.GetValue(nodes),
            (int?)parsed.GetValue(port),
            IsJson: parsed.GetRequiredValue(output) == "json")));
        return command;
    }
}
