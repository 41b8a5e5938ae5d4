using Kvorum.Simulator;

namespace Kvorum.Cli.Sim;

/// <summary>Scenarios: the museum's by name, others by file.</summary>
internal static class SimScenarios
{
    /// <summary>Prints the museum: a name and a title per line.</summary>
    public static void Print()
    {
        var width = Museum.Names.Max(name => name.Length);
        foreach (var name in Museum.Names)
        {
            Console.WriteLine($"{name.PadRight(width)}  {Museum.Load(name).Title}");
        }
    }

    /// <summary>Reads the plan of a scenario, its seeded bug switched on; a file goes before a name.</summary>
    public static SimPlan Read(string nameOrFile)
    {
        if (!File.Exists(nameOrFile))
        {
            return Museum.Names.Contains(nameOrFile)
                ? Museum.Load(nameOrFile).Plan
                : throw new UsageException(
                    $"--scenario: expected a file or a name of 'kvorum sim --list', found '{nameOrFile}'");
        }

        try
        {
            var plan = ScenarioText.Parse(File.ReadAllText(nameOrFile)).Plan;
            MutantCatalog.SwitchOn(plan.Settings.Mutant);
            return plan;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"--scenario: expected a readable file, found '{nameOrFile}': {e.Message}");
        }
        catch (FormatException e)
        {
            throw new UsageException($"{nameOrFile}, {e.Message}");
        }
    }
}
