namespace Kvorum.Simulator;

/// <summary>
/// Bugs of other systems, re-enacted as scenarios that everybody can read and replay. The shipped code passes each;
/// in a build made with -p:Mutants=true the seeded bug it names does not.
/// </summary>
public static class Museum
{
    private const string Prefix = "scenario.";

    /// <summary>Names of all scenarios, sorted.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        .. typeof(Museum).Assembly.GetManifestResourceNames()
            .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal))
            .Select(name => name[Prefix.Length..])
            .Order(StringComparer.Ordinal),
    ];

    /// <summary>Reads one.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public static Scenario Load(string name)
    {
        using var stream = typeof(Museum).Assembly.GetManifestResourceStream(Prefix + name)
            ?? throw new ArgumentException($"There is no scenario '{name}'.", nameof(name));
        using var reader = new StreamReader(stream);
        return ScenarioText.Parse(reader.ReadToEnd());
    }
}
