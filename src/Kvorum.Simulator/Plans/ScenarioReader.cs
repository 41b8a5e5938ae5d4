using System.Globalization;

namespace Kvorum.Simulator;

/// <summary>Gathers a scenario line by line. What it throws says only what was expected.</summary>
internal sealed class ScenarioReader
{
    private const string FaultForm = "'fault NUMBER KIND at SECONDS [for SECONDS] nodes N N … [amount N]'";
    private const string OperationForm = "'operation NUMBER client N at SECONDS [local] [session]: STEP; STEP …'";
    private const string StepForm =
        "a step: 'read K', 'write K V', 'delete K', 'append K V', 'expect K V' or 'expect-absent K'";

    private readonly List<string> _story = [];
    private readonly List<int> _finds = [];
    private readonly List<Fault> _faults = [];
    private readonly List<PlannedOperation> _operations = [];
    private readonly HashSet<string> _names = [];
    private readonly HashSet<int> _faultNumbers = [];
    private readonly HashSet<int> _operationNumbers = [];
    private readonly HashSet<string> _values = [];
    private readonly Dictionary<string, StepKind> _kinds = [];
    private string _title = "";
    private ulong _seed;
    private SimSettings _settings = new();

    /// <summary>Nothing but comments so far.</summary>
    public bool IsEmpty => _names.Count + _faults.Count + _operations.Count == 0;

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
            case "title":
                Once("title");
                _title = line["title".Length..].Trim();
                break;
            case "finds":
                Once("finds");
                _finds.AddRange(words.Skip(1).Select(Mutant));
                break;
            case "seed" when words.Length == 2:
                Once("seed");
                _seed = Seed(words[1]);
                break;
            case "set" when words.Length == 3: Set(words[1], words[2]); break;
            case "fault": Add(ReadFault(words)); break;
            case "operation": Add(ReadOperation(line)); break;
            default: throw new FormatException("'title', 'finds', 'seed', 'set NAME VALUE', 'fault' or 'operation'");
        }
    }

    private void Set(string name, string value)
    {
        var setting = SettingsTable.Find(name)
            ?? throw new FormatException(
                "the name of a setting: " + string.Join(", ", SettingsTable.All.Select(known => known.Name)));
        Once($"set {name}");
        var number = Number(value, setting.Min, setting.Max, $"a whole number from {setting.Min} to {setting.Max}");
        if (name == SettingsTable.MutantName && number != 0)
        {
            if (!MutantCatalog.IsBuiltIn)
            {
                throw new FormatException("no mutant: this build has no seeded bugs, one of -p:Mutants=true has");
            }

            Mutant(value);
        }

        _settings = setting.With(_settings, number);
    }

    private void Once(string name)
    {
        if (!_names.Add(name))
        {
            throw new FormatException($"'{name}' once");
        }
    }

    private void Add(Fault fault)
    {
        if (!_faultNumbers.Add(fault.Number))
        {
            throw new FormatException("a number that no fault has yet");
        }

        _faults.Add(fault);
    }

    private void Add(PlannedOperation operation)
    {
        if (!_operationNumbers.Add(operation.Number))
        {
            throw new FormatException("a number that no operation has yet");
        }

        var values = operation.Steps.Where(step => step.Kind is StepKind.Write or StepKind.Append).ToArray();
        if (!values.All(step => _values.Add(step.Argument!)))
        {
            throw new FormatException("a value that is written nowhere else, or the judges cannot tell them apart");
        }

        CheckKeys(operation, values);
        if (operation.HasSession && ClientCommands.IsQuery(operation))
        {
            throw new FormatException("a session of an operation that does more than one read");
        }

        if (operation.IsLocal && !ClientCommands.IsQuery(operation))
        {
            throw new FormatException("a single 'read' of what is 'local'");
        }

        if (!operation.HasSession && values.Length == 0 && ClientCommands.IsWrite(operation))
        {
            throw new FormatException("'session': a delete carries nothing else to know it by in the log");
        }

        _operations.Add(operation);
    }

    private void CheckKeys(PlannedOperation operation, Step[] values)
    {
        var changed = operation.Steps.Where(step => step.Kind is StepKind.Delete).Concat(values);
        if (changed.GroupBy(step => step.Key).Any(steps => steps.Count() > 1))
        {
            throw new FormatException("a key changed once by an operation");
        }

        foreach (var step in values)
        {
            if (_kinds.TryGetValue(step.Key, out var kind) && kind != step.Kind)
            {
                throw new FormatException($"'{step.Key}' only written or only appended to: it is a list, or it is not");
            }

            _kinds[step.Key] = step.Kind;
        }
    }

    private static Fault ReadFault(string[] words)
    {
        if (words.Length < 5 || words[3] != "at" || !Enum.GetNames<FaultKind>().Contains(words[2]))
        {
            throw new FormatException(FaultForm);
        }

        var number = Count(words[1], FaultForm);
        var fault = new Fault(number, Enum.Parse<FaultKind>(words[2]), Time(words[4], FaultForm), 0, [], 0);
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
                    fault with { Nodes = [.. values.Select(Node)] },
                "amount" when values.Count == 1 =>
                    fault with { Amount = Number(values[0], -Setting.LongMax, Setting.LongMax, FaultForm) },
                _ => throw new FormatException(FaultForm),
            };
        }

        return fault.Nodes.Count > 0 ? fault : throw new FormatException(FaultForm);
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

        var client = (int)Number(words[3], 1, int.MaxValue, OperationForm);
        var steps = line[(colon + 1)..].Split(';', StringSplitOptions.TrimEntries).Select(ReadStep).ToArray();
        return new PlannedOperation(
            Count(words[1], OperationForm), client, Time(words[5], OperationForm),
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

    private static int Mutant(string word)
    {
        const string Expected = "the numbers of mutants";
        var number = Count(word, Expected);
        return MutantCatalog.All.Any(mutant => mutant.Number == number) ? number : throw new FormatException(Expected);
    }

    private static int Node(string word) =>
        (int)Number(word, 1, SimSettings.PlacesMax, $"nodes by their places, 1 to {SimSettings.PlacesMax}");

    private static int Count(string word, string expected) => (int)Number(word, 0, int.MaxValue, expected);

    private static long Number(string word, long min, long max, string expected) =>
        long.TryParse(word, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number)
            && number >= min && number <= max
            ? number
            : throw new FormatException(expected);

    private static long Time(string word, string expected) =>
        decimal.TryParse(word, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var seconds)
            && seconds < 1_000_000
            ? (long)(seconds * 1_000_000)
            : throw new FormatException(expected);
}
