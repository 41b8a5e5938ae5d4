namespace Kvorum.Tidy.Assemblies;

/// <summary>What a project of src may know (docs/architecture.md, "Who may reference whom").</summary>
/// <param name="Name">The project.</param>
/// <param name="Assembly">Its assembly.</param>
/// <param name="Projects">Projects it may reference.</param>
/// <param name="Packages">Packages it may reference, without those of the analyzers.</param>
/// <param name="Frameworks">Framework assemblies it may use; null: all of them.</param>
internal sealed record ProjectRule(
    string Name, string Assembly, string[] Projects, string[] Packages, string[]? Frameworks = null)
{
    /// <summary>Data structures, spans and arithmetic: nothing that reaches outside of the process.</summary>
    private static readonly string[] PureFrameworks =
    [
        "System.Runtime", "System.Collections", "System.Memory", "System.Linq",
        "System.Runtime.InteropServices", // MemoryMarshal and CollectionsMarshal
        "System.Runtime.Intrinsics", "System.Numerics.Vectors", // vectors of integers
        "System.Text.Encoding.Extensions", // UTF-8
        "System.Threading", // Volatile, for views read by other threads; the analyzer bans threads and locks
    ];

    public static IReadOnlyList<ProjectRule> All { get; } =
    [
        new("Kvorum.Raft", "Kvorum.Raft", [], [], PureFrameworks),
        new("Kvorum.Kv", "Kvorum.Kv", ["Kvorum.Raft"], [], PureFrameworks),
        new("Kvorum.Storage", "Kvorum.Storage", ["Kvorum.Raft"], []),
        new("Kvorum.Node", "Kvorum.Node",
            ["Kvorum.Raft", "Kvorum.Kv", "Kvorum.Storage"], ["Microsoft.Extensions.Logging.Abstractions"]),
        new("Kvorum.Client", "Kvorum.Client", [], []),
        new("Kvorum.Simulator", "Kvorum.Simulator",
            ["Kvorum.Raft", "Kvorum.Kv", "Kvorum.Storage", "Kvorum.Node", "Kvorum.Client"],
            ["Microsoft.Extensions.Logging.Abstractions"]),
        new("Kvorum.Protocol", "Kvorum.Protocol", [], ["Google.Protobuf", "Grpc.Tools"]),
        new("Kvorum.Server", "Kvorum.Server",
            ["Kvorum.Node", "Kvorum.Kv", "Kvorum.Protocol"], ["Microsoft.AspNetCore.OpenApi"]),
        new("Kvorum.Cli", "kvorum",
            ["Kvorum.Server", "Kvorum.Node", "Kvorum.Kv", "Kvorum.Client", "Kvorum.Simulator"],
            ["System.CommandLine", "Spectre.Console"]),
    ];

    /// <summary>
    /// What the state machine may use of consensus: places in the log, and the check for broken invariants.
    /// </summary>
    public static IReadOnlyList<string> RaftTypesOfKv { get; } =
        ["LogEntry", "EntryKind", "LogIndex", "EntryId", "Term", "GroupId", "Invariant", "InvariantException"];
}
