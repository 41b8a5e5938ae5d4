using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>Gathers a scenario line by line. What it throws says only what was expected.</summary>
internal sealed class ScenarioReader
{
    private const string FaultForm = "'fault NUMBER KIND at SECONDS [for SECONDS] [nodes N N …] [amount N]'";
    private const string OperationForm = "'operation NUMBER client N at SECONDS [local] [session]: STEP; STEP …'";
    private const string StepForm =
        "a step: 'read K', 'write K V', 'delete K', 'append K V', 'expect K V' or 'expect-absent K'";

    private readonly List<string> _story = [];
    private readonly List<int> _finds = [];
    private readonly List<Fault> _faults = [];
    private readonly List<PlannedOperation> _operations = [];
    private string _title = "";
    private ulong _seed;
    private SimSettings _settings = new();

    public Scenario Scenario => new(_title, _finds, _story, new SimPlan(_seed, _settings, _faults, _operations));

    public void Line(string line)
    {
        if (line.Length == 0)
        {
            return;
        }

        if (line[0] == '#')
        {
            _story.Add(line[1..].Trim());
            return;
        }

        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (words[0])
        {
            case "title": _title = line["title".Length..].Trim(); break;
            case "finds":
                _finds.AddRange(words.Skip(1).Select(word => (int)Number(word, "the numbers of mutants")));
                break;
            case "seed" when words.Length == 2: _seed = Seed(words[1]); break;
            case "set" when words.Length == 3: Set(words[1], words[2]); break;
            case "fault": _faults.Add(ReadFault(words)); break;
            case "operation": _operations.Add(ReadOperation(line)); break;
            default: throw new FormatException("'title', 'finds', 'seed', 'set NAME VALUE', 'fault' or 'operation'");
        }
    }

    private void Set(string name, string value)
    {
        var setting = SettingsTable.Find(name)
            ?? throw new FormatException(
                "the name of a setting: " + string.Join(", ", SettingsTable.All.Select(known => known.Name)));
        var expected = $"a whole number from {setting.Min} to {setting.Max}";
        var number = Number(value, expected);
        _settings = number >= setting.Min && number <= setting.Max
            ? setting.With(_settings, number)
            : throw new FormatException(expected);
    }

    private static Fault ReadFault(string[] words)
    {
        if (words.Length < 5 || words[3] != "at" || !Enum.TryParse<FaultKind>(words[2], out var kind))
        {
            throw new FormatException(FaultForm);
        }

        var fault = new Fault((int)Number(words[1], FaultForm), kind, Time(words[4], FaultForm), 0, [], 0);
        var place = 5;
        while (place < words.Length)
        {
            var name = words[place++];
            var values = new List<string>();
            while (place < words.Length && (char.IsAsciiDigit(words[place][0]) || words[place][0] == '-'))
            {
                values.Add(words[place++]);
            }

            fault = name switch
            {
                "for" when values.Count == 1 => fault with { Duration = Time(values[0], FaultForm) },
                "nodes" when values.Count > 0 =>
                    fault with { Nodes = [.. values.Select(value => (int)Number(value, FaultForm))] },
                "amount" when values.Count == 1 => fault with { Amount = Number(values[0], FaultForm) },
                _ => throw new FormatException(FaultForm),
            };
        }

        return fault;
    }

    private static PlannedOperation ReadOperation(string line)
    {
        var colon = line.IndexOf(':', StringComparison.Ordinal);
        var words = (colon < 0 ? line : line[..colon]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (colon < 0 || words.Length < 6 || words[2] != "client" || words[4] != "at"
            || words.Skip(6).Any(word => word is not ("local" or "session")))
        {
            throw new FormatException(OperationForm);
        }

        var client = Number(words[3], OperationForm) is >= 1 and <= int.MaxValue and var place
            ? (int)place
            : throw new FormatException(OperationForm);
        var steps = line[(colon + 1)..].Split(';', StringSplitOptions.TrimEntries).Select(ReadStep).ToArray();
        return new PlannedOperation(
            (int)Number(words[1], OperationForm), client, Time(words[5], OperationForm),
            steps, words.Skip(6).Contains("local"), words.Skip(6).Contains("session"));
    }

    private static Step ReadStep(string text)
    {
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words switch
        {
            ["read", var key] => new Step(StepKind.Read, key, null, null),
            ["write", var key, var value] => new Step(StepKind.Write, key, value, null),
            ["delete", var key] => new Step(StepKind.Delete, key, null, null),
            ["append", var key, var value] => new Step(StepKind.Append, key, value, null),
            ["expect", var key, var value] => new Step(StepKind.CompareValue, key, value, null),
            ["expect-absent", var key] => new Step(StepKind.CompareValue, key, null, null),
            _ => throw new FormatException(StepForm),
        };
    }

    private static ulong Seed(string word) =>
        ulong.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out var seed)
            ? seed
            : throw new FormatException("a seed of at most 64 bits");

    private static long Number(string word, string expected) =>
        long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            ? number
            : throw new FormatException(expected);

    private static long Time(string word, string expected)
    {
        const NumberStyles Style = NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign;
        return decimal.TryParse(word, Style, CultureInfo.InvariantCulture, out var seconds)
            && seconds is > -1_000_000 and < 1_000_000
            ? (long)(seconds * 1_000_000)
            : throw new FormatException(expected);
    }
}
