using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Scenarios by name or file.</summary>
internal static class SimScenarios
{
    public static SimPlan Read(string nameOrFile)
    {
        if (!File.Exists(nameOrFile))
        {
            throw new UsageException($"--scenario: expected a file or a known name, found '{nameOrFile}'");
        }

        try
        {
            return ScenarioText.Parse(File.ReadAllText(nameOrFile)).Plan;
        }
        catch (FormatException e)
        {
            throw new UsageException($"{nameOrFile}, {e.Message}");
        }
    }
}
