using System.CommandLine;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Bench;

/// <summary>The options of 'kvorum bench'.</summary>
internal sealed class BenchOptions
{
    private readonly Option<string> _mode = Text("--mode", "MODE", "write, read (linearizable) or mixed.", "write");

    private readonly Option<string> _inFlight = Text(
        "--in-flight", "LIST", "How many calls wait at the same time; one measurement per number.", "1,64,1000");

    private readonly Option<string> _seconds = Text("--seconds", "N", "Length of each measurement.", "5");

    private readonly Option<string> _keys = Text("--keys", "N", "How many different keys there are.", "100000");

    private readonly Option<string> _valueBytes = Text(
        "--value-bytes", "N", "Size of each value; keys have 16 bytes.", "256");

    private readonly Option<string> _via = Text(
        "--via", "WHICH", "leader, or any: callers are spread over all nodes. Over HTTP they always are.", "leader");

    private readonly Option<string> _output = Text("--output", "FORMAT", "table, or json: one document.", "table");

    private readonly Option<string> _directory = Text(
        "--data-dir", "DIR", "Where the logs go, in a folder that is removed at the end.", ".");

    private readonly Option<string?> _endpoints = new("--endpoints")
    {
        Description = "Load this running cluster over HTTP instead: client URLs, separated by commas.",
        HelpName = "URLS",
    };

    private readonly Option<string?> _startUp = new("--start-up")
    {
        Description = "Instead of a load: fill N keys (1000000 if left out), weigh them, restart one node, time it.",
        HelpName = "N",
        Arity = ArgumentArity.ZeroOrOne,
    };

    public BenchOptions()
    {
        _mode.AcceptOnlyFromAmong("write", "read", "mixed");
        _via.AcceptOnlyFromAmong("leader", "any");
        _output.AcceptOnlyFromAmong("table", "json");
    }

    public void AddTo(Command command)
    {
        foreach (var option in (Option[])
            [_mode, _inFlight, _seconds, _keys, _valueBytes, _via, _output, _directory, _endpoints, _startUp])
        {
            command.Add(option);
        }
    }

    public BenchSettings Settings(ParseResult parsed) => new(
        Enum.Parse<LoadMode>(parsed.GetRequiredValue(_mode), ignoreCase: true),
        [.. parsed.GetRequiredValue(_inFlight).Split(',')
            .Select(text => Number("--in-flight", text.Trim(), BenchSettings.InFlightMax))],
        TimeSpan.FromSeconds(Number("--seconds", parsed.GetRequiredValue(_seconds), BenchSettings.SecondsMax)),
        Number("--keys", parsed.GetRequiredValue(_keys), BenchSettings.KeysMax),
        Number("--value-bytes", parsed.GetRequiredValue(_valueBytes), BenchSettings.ValueBytesMax),
        ViaAny: parsed.GetRequiredValue(_via) == "any");

    public bool IsJson(ParseResult parsed) => parsed.GetRequiredValue(_output) == "json";

    public string Directory(ParseResult parsed) => parsed.GetRequiredValue(_directory);

    /// <summary>Null when no running cluster was named.</summary>
    public IReadOnlyList<Uri>? Endpoints(ParseResult parsed)
    {
        if (parsed.GetValue(_endpoints) is not { } text)
        {
            return null;
        }

        try
        {
            return SettingText.Urls(text);
        }
        catch (FormatException e)
        {
            throw new UsageException($"--endpoints: expected {e.Message}, found '{text}'");
        }
    }

    /// <summary>Null when --start-up was not given.</summary>
    public int? StartUpKeys(ParseResult parsed, int withoutNumber) => parsed.GetResult(_startUp) is null
        ? null
        : parsed.GetValue(_startUp) is { } text ? Number("--start-up", text, BenchSettings.KeysMax) : withoutNumber;

    private static int Number(string flag, string text, int max)
    {
        try
        {
            return (int)SettingText.Count(text, 1, max);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{flag}: expected {e.Message}, found '{text}'");
        }
    }

    private static Option<string> Text(string name, string helpName, string description, string value) => new(name)
    {
        Description = description,
        HelpName = helpName,
        DefaultValueFactory = _ => value,
    };
}
