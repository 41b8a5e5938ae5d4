using System.Collections;
using System.CommandLine;
using Kvorum.Cli.Serve;

namespace Kvorum.Cli.Commands;

/// <summary>'kvorum serve': one node. Every setting also comes from the environment and a file.</summary>
internal static class ServeCommand
{
    /// <summary>Hidden: 'up' keeps the other end of stdin open for as long as it lives.</summary>
    public const string ExitWhenStdinCloses = "--exit-when-stdin-closes";

    public static Command Create()
    {
        var command = new Command(
            "serve",
            "Run one node. --data-dir is also KVORUM_DATA_DIR, or \"data-dir\" in the settings file, and so on for each.");

        var options = ServeSettingsTable.All.Select(ToOption).ToArray();
        foreach (var option in options)
        {
            command.Add(option);
        }

        var configFile = new Option<string?>($"--{ServeSettingsTable.ConfigFile}")
        {
            Description = "A JSON object of settings.",
            HelpName = "FILE",
        };
        command.Add(configFile);

        var exitWhenStdinCloses = new Option<bool>(ExitWhenStdinCloses) { Hidden = true };
        command.Add(exitWhenStdinCloses);

        command.SetAction((parsed, _) =>
        {
            var flags = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var option in options.Append(configFile))
            {
                if (parsed.GetResult(option) is { Implicit: false })
                {
                    // A switch without a value is true.
                    flags[option.Name.TrimStart('-')] = parsed.GetValue(option) ?? "true";
                }
            }

            var warnings = new List<string>();
            var settings = ServeSettingsReader.Read(flags, EnvironmentVariables(), warnings);
            return ServeRun.RunAsync(settings, warnings, parsed.GetValue(exitWhenStdinCloses));
        });
        return command;
    }

    private static Option<string?> ToOption(Setting setting) => new(setting.Flag)
    {
        Description = $"{setting.Summary} [default: {setting.DefaultText}]",
        HelpName = setting.ValueName,
        Arity = setting.IsSwitch ? ArgumentArity.ZeroOrOne : ArgumentArity.ExactlyOne,
    };

    private static Dictionary<string, string> EnvironmentVariables()
    {
        var variables = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            variables[(string)variable.Key] = (string?)variable.Value ?? "";
        }

        return variables;
    }
}
