using System.CommandLine;
using System.Globalization;
using System.Security.Cryptography;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Sim;

/// <summary>The options that 'kvorum sim' and 'kvorum verify' share.</summary>
internal sealed class SimOptions
{
    private const long SeedsMax = 1_000_000_000;
    private const int MinutesMax = 100_000;
    private const int WorkersMax = 64;

    private readonly Option<string?> _seed = Optional(
        "--seed", "N", "The first seed, in decimal or as 0x…; alone: only this one. Default: drawn, and printed.");

    private readonly Option<string?> _seeds = Optional(
        "--seeds", "N", "How many seeds, the first one and those after it.");

    private readonly Option<string?> _minutes = Optional("--minutes", "N", "End after this time, whatever is left.");

    private readonly Option<string?> _workers = Optional("--workers", "N", "Threads. Default: one per processor.");

    private readonly Option<string> _output = new("--output")
    {
        Description = "text, or json: one document.",
        HelpName = "FORMAT",
        DefaultValueFactory = _ => "text",
    };

    private readonly Option<string> _directory = new("--out")
    {
        Description = "Where the scenario and the page of a failing seed go.",
        HelpName = "DIR",
        DefaultValueFactory = _ => ".",
    };

    public SimOptions() => _output.AcceptOnlyFromAmong("text", "json");

    /// <summary>All of them: for commands that look into what failed.</summary>
    public void AddTo(Command command) => Add(command, [_seed, _seeds, _minutes, _workers, _output, _directory]);

    /// <summary>For a hunt, which leaves no files.</summary>
    public void AddHuntTo(Command command) => Add(command, [_seed, _seeds, _minutes, _workers, _output]);

    /// <summary>For a comparison, which runs all its seeds.</summary>
    public void AddSeedsTo(Command command) => Add(command, [_seed, _seeds, _workers, _output]);

    /// <summary>Only the first seed and the form of the output.</summary>
    public void AddSeedTo(Command command) => Add(command, [_seed, _output]);

    /// <summary>Only the first seed and the threads.</summary>
    public void AddSearchTo(Command command) => Add(command, [_seed, _workers]);

    public bool HasSeed(ParseResult parsed) => parsed.GetValue(_seed) is not null;

    public bool IsJson(ParseResult parsed) => parsed.GetRequiredValue(_output) == "json";

    public string Directory(ParseResult parsed) => Path.GetFullPath(parsed.GetRequiredValue(_directory));

    /// <summary>The seed given, or one drawn now.</summary>
    public ulong Seed(ParseResult parsed)
    {
        if (parsed.GetValue(_seed) is not { } text)
        {
            // Short enough to read out, large enough never to come again.
            return (ulong)RandomNumberGenerator.GetInt32(int.MaxValue) * 1_000;
        }

        var isHex = text.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        var style = isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.None;
        return ulong.TryParse(isHex ? text[2..] : text, style, null, out var seed)
            ? seed
            : throw new UsageException($"--seed: expected a number of 64 bits, decimal or 0x…, found '{text}'");
    }

    /// <summary>Null when not given.</summary>
    public long? Seeds(ParseResult parsed) => Number(parsed, _seeds, SeedsMax);

    public TimeSpan? Time(ParseResult parsed) =>
        Number(parsed, _minutes, MinutesMax) is { } minutes ? TimeSpan.FromMinutes(minutes) : null;

    public int Workers(ParseResult parsed) =>
        (int)(Number(parsed, _workers, WorkersMax) ?? Math.Min(WorkersMax, Environment.ProcessorCount));

    public static long? Number(ParseResult parsed, Option<string?> option, long max)
    {
        if (parsed.GetValue(option) is not { } text)
        {
            return null;
        }

        try
        {
            return SettingText.Count(text, 1, max);
        }
        catch (FormatException e)
        {
            throw new UsageException($"{option.Name}: expected {e.Message}, found '{text}'");
        }
    }

    public static Option<string?> Optional(string name, string helpName, string description) =>
        new(name) { Description = description, HelpName = helpName };

    private static void Add(Command command, Option[] options)
    {
        foreach (var option in options)
        {
            command.Add(option);
        }
    }
}
