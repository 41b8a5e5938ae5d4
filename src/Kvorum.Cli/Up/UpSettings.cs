namespace Kvorum.Cli.Up;

/// <summary>What 'up' was asked for; null means "as the directory has it, or the default".</summary>
internal sealed record UpSettings(string DataDir, int? Nodes, int? Port, bool IsJson);
