using System.CommandLine;

namespace Kvorum.Cli;

/// <summary>What --help prints below the options. Every example works as written on a cluster of 'kvorum up'.</summary>
internal static class Help
{
    public const string ExitCodes =
        """
        Exit codes:
          0  done                        4  unavailable: no endpoint could serve it, nothing changed
          1  failed or refused           5  outcome unknown: the write may or may not be applied
          2  wrong usage or setting     70  the node stopped by itself, or a bug
          3  no such key
        """;

    public static IReadOnlyList<string>? ExamplesOf(Command command) => command switch
    {
        RootCommand =>
        [
            "kvorum up                          three nodes on this machine, in ./kvorum-data",
            "kvorum put greeting hello          write a key",
            "kvorum get greeting                read it back",
        ],
        { Name: "up" } =>
        [
            "kvorum up",
            "kvorum up --nodes 5 --port 3379 --data-dir /tmp/five",
            "kvorum up --output json",
            "KVORUM_LOG_LEVEL=debug kvorum up   settings of serve reach all nodes by environment",
        ],
        { Name: "serve" } =>
        [
            "kvorum serve                       a cluster of one node in ./default.kvorum",
            "kvorum serve --name n1 --data-dir n1 \\",
            "  --listen-client-urls http://127.0.0.1:2379 --listen-peer-urls http://127.0.0.1:2380 \\",
            "  --initial-cluster n1=http://127.0.0.1:2380,n2=http://127.0.0.1:2390,n3=http://127.0.0.1:2400",
            "KVORUM_NAME=n1 kvorum serve --config-file n1.json",
            "kvorum serve --name n4 --listen-client-urls http://127.0.0.1:2409 \\",
            "  --listen-peer-urls http://127.0.0.1:2410 --join http://127.0.0.1:2379    join a running cluster",
        ],
        { Name: "put" } =>
        [
            "kvorum put greeting hello",
            "kvorum put picture - < picture.png",
            "kvorum put greeting hello --endpoints http://127.0.0.1:2379,http://127.0.0.1:2389",
        ],
        { Name: "get" } =>
        [
            "kvorum get greeting",
            "kvorum get greeting --local        what this node has, without asking the others",
            "kvorum get picture > picture.png",
        ],
        { Name: "append" } =>
        [
            "kvorum append pets dog             a missing key becomes a list of one",
            "echo -n parrot | kvorum append pets -",
        ],
        { Name: "del" } => ["kvorum del greeting"],
        { Name: "status" } =>
        [
            "kvorum status --endpoints http://127.0.0.1:2379,http://127.0.0.1:2389,http://127.0.0.1:2399",
            "kvorum status --output json",
        ],
        { Name: "bench" } =>
        [
            "kvorum bench",
            "kvorum bench --mode read --in-flight 1000 --seconds 10 --output json",
            "kvorum bench --start-up 1000000    memory per key, and the time a restarted node needs",
            "kvorum bench --endpoints http://127.0.0.1:2379,http://127.0.0.1:2389",
        ],
        _ => MoreExamplesOf(command),
    };

    private static IReadOnlyList<string>? MoreExamplesOf(Command command) => command switch
    {
        { Name: "member" } =>
        [
            "kvorum member list",
            "kvorum member add n4 --peer-url http://127.0.0.1:2410 --dry-run",
            "kvorum member remove n2",
        ],
        { Name: "list" } => ["kvorum member list", "kvorum member list --output json"],
        { Name: "add" } =>
        [
            "kvorum member add n4 --peer-url http://127.0.0.1:2410",
            "kvorum member add n4 --peer-url http://127.0.0.1:2410 --learner --wait false",
        ],
        { Name: "remove" } => ["kvorum member remove n2 --dry-run", "kvorum member remove n2"],
        { Name: "promote" } => ["kvorum member promote n4"],
        { Name: "replace" } => ["kvorum member replace n2 n4 --peer-url http://127.0.0.1:2410"],
        { Name: "leader" } => ["kvorum leader show", "kvorum leader move n2"],
        { Name: "show" } => ["kvorum leader show"],
        { Name: "move" } => ["kvorum leader move", "kvorum leader move n2"],
        { Name: "sim" } =>
        [
            "kvorum sim",
            "kvorum sim --seed 42 --trace trace.txt",
            "kvorum sim --minutes 60 --output json",
            "kvorum sim --scenario kvorum-sim-42.txt",
        ],
        { Name: "simulation" } => ["kvorum verify simulation --seeds 2000"],
        { Name: "determinism" } => ["kvorum verify determinism --seeds 100 --other ../Debug/net10.0/kvorum.dll"],
        { Name: "mutants" } =>
            ["dotnet run -c Release -p:Mutants=true --project src/Kvorum.Cli -- verify mutants --mutants 1-24"],
        _ => null,
    };
}
