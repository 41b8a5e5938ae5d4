namespace Kvorum.Simulator.Tests;

/// <summary>Which mutant is on is the process's affair: these tests run alone.</summary>
[CollectionDefinition(nameof(OneMutant), DisableParallelization = true)]
public class OneMutant;

/// <summary>What went wrong elsewhere goes right here, and is seen when it goes wrong.</summary>
[Collection(nameof(OneMutant))]
public class MuseumTests
{
    public static TheoryData<string> Names => [.. Museum.Names];

    [Fact]
    public void Bugs_of_other_systems_are_on_show() => Assert.True(Museum.Names.Count >= 24);

    [Theory]
    [MemberData(nameof(Names))]
    public void The_shipped_code_passes(string name)
    {
        MutantCatalog.SwitchOn(0);
        Assert.Null(Simulation.Run(Museum.Load(name).Plan).Violation);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_scenario_tells_what_happened_and_which_mutant_it_finds(string name)
    {
        var scenario = Museum.Load(name);
        Assert.NotEmpty(scenario.Title);
        Assert.NotEmpty(scenario.Story);
        Assert.All(scenario.Finds, number => Assert.Contains(MutantCatalog.All, mutant => mutant.Number == number));
        Assert.NotEmpty(scenario.Finds);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_seeded_bug_is_found(string name)
    {
        Assert.SkipUnless(MutantCatalog.IsBuiltIn, "Only a build made with -p:Mutants=true has the seeded bugs.");
        var scenario = Museum.Load(name);
        foreach (var mutant in scenario.Finds)
        {
            MutantCatalog.SwitchOn(mutant);
            try
            {
                Assert.NotNull(Simulation.Run(scenario.Plan).Violation);
            }
            finally
            {
                MutantCatalog.SwitchOn(0);
            }
        }
    }
}
