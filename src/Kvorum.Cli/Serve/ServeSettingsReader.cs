using System.Text.Json;

namespace Kvorum.Cli.Serve;

/// <summary>Where the text of a setting came from; a later one wins.</summary>
/// <param name="Text">As given.</param>
/// <param name="Source">For messages, such as "from environment KVORUM_NAME".</param>
internal sealed record GivenSetting(string Text, string Source);

/// <summary>
/// Merges defaults &lt; file &lt; environment &lt; flags, and names every wrong value with its source.
/// </summary>
internal static class ServeSettingsReader
{
    /// <summary>A settings file larger than this is not one.</summary>
    public const long FileBytesMax = 1 << 20;

    /// <summary>Variables of the same family that other commands read.</summary>
    private static readonly string[] OtherVariables = ["KVORUM_ENDPOINTS", "KVORUM_CONFIG_FILE"];

    /// <param name="flags">Flag name without dashes → text.</param>
    /// <param name="environment">All variables of the process.</param>
    /// <param name="warnings">What looks like a mistake but is no reason to refuse.</param>
    /// <exception cref="UsageException">One line per wrong setting.</exception>
    public static ServeSettings Read(
        IReadOnlyDictionary<string, string> flags,
        IReadOnlyDictionary<string, string> environment,
        ICollection<string> warnings)
    {
        var errors = new List<string>();
        var given = new Dictionary<string, GivenSetting>(StringComparer.Ordinal);

        ReadFile(flags, environment, given, errors);
        ReadEnvironment(environment, given, warnings);
        foreach (var (name, text) in flags)
        {
            given[name] = new GivenSetting(text, "from the command line");
        }

        var settings = new ServeSettings();
        foreach (var setting in ServeSettingsTable.All)
        {
            settings = given.TryGetValue(setting.Name, out var value) ? Apply(settings, setting, value, errors) : settings;
        }

        if (errors.Count == 0)
        {
            settings = settings.Complete(errors);
        }

        return errors.Count == 0 ? settings : throw new UsageException(string.Join(Environment.NewLine, errors));
    }

    private static ServeSettings Apply(
        ServeSettings settings, Setting setting, GivenSetting value, List<string> errors)
    {
        try
        {
            return setting.Read(settings, value.Text);
        }
        catch (FormatException e)
        {
            errors.Add($"{setting.Flag}: expected {e.Message}, found '{value.Text}' ({value.Source})");
            return settings;
        }
    }

    private static void ReadEnvironment(
        IReadOnlyDictionary<string, string> environment,
        Dictionary<string, GivenSetting> given,
        ICollection<string> warnings)
    {
        foreach (var setting in ServeSettingsTable.All)
        {
            // An empty variable is how shells and compose files say "not set".
            if (environment.TryGetValue(setting.Variable, out var text) && text.Length > 0)
            {
                given[setting.Name] = new GivenSetting(text, $"from environment {setting.Variable}");
            }
        }

        var unknown = environment.Keys
            .Where(name => name.StartsWith("KVORUM_", StringComparison.Ordinal))
            .Except(ServeSettingsTable.All.Select(setting => setting.Variable))
            .Except(OtherVariables)
            .Order(StringComparer.Ordinal);
        foreach (var name in unknown)
        {
            warnings.Add($"environment {name} is no setting of serve and was ignored");
        }
    }

    private static void ReadFile(
        IReadOnlyDictionary<string, string> flags,
        IReadOnlyDictionary<string, string> environment,
        Dictionary<string, GivenSetting> given,
        List<string> errors)
    {
        if (!flags.TryGetValue(ServeSettingsTable.ConfigFile, out var path)
            && !(environment.TryGetValue("KVORUM_CONFIG_FILE", out path) && path.Length > 0))
        {
            return;
        }

        try
        {
            if (new FileInfo(path) is { Length: > FileBytesMax })
            {
                errors.Add($"--config-file: expected at most {FileBytesMax} bytes, found more in '{path}'");
                return;
            }

            using var document = JsonDocument.Parse(File.ReadAllBytes(path));
            ReadObject(path, document.RootElement, given, errors);
        }
        catch (JsonException e)
        {
            errors.Add($"--config-file: expected a JSON object, found in '{path}': {e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            errors.Add($"--config-file: cannot read '{path}': {e.Message}");
        }
    }

    private static void ReadObject(
        string path, JsonElement root, Dictionary<string, GivenSetting> given, List<string> errors)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            errors.Add($"--config-file: expected a JSON object, found in '{path}': {root.ValueKind}");
            return;
        }

        foreach (var property in root.EnumerateObject())
        {
            if (ServeSettingsTable.Find(property.Name) is null)
            {
                errors.Add(
                    $"--config-file: expected names of settings without dashes in front, "
                    + $"found '{property.Name}' in '{path}'; known are "
                    + string.Join(", ", ServeSettingsTable.All.Select(setting => setting.Name)));
            }
            else if (given.ContainsKey(property.Name))
            {
                errors.Add($"--config-file: expected each key once, found '{property.Name}' twice in '{path}'");
            }
            else if (TextOf(property.Value) is { } text)
            {
                given[property.Name] = new GivenSetting(text, $"from file '{path}'");
            }
            else
            {
                errors.Add(
                    $"--{property.Name}: expected a string, number, boolean or list of strings, "
                    + $"found {property.Value.GetRawText()} (from file '{path}')");
            }
        }
    }

    private static string? TextOf(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => value.GetString(),
        JsonValueKind.Number => value.GetRawText(),
        JsonValueKind.True => "true",
        JsonValueKind.False => "false",
        JsonValueKind.Array when value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String) =>
            string.Join(",", value.EnumerateArray().Select(item => item.GetString())),
        _ => null,
    };
}
