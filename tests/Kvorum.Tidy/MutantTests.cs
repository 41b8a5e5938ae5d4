using Kvorum.Tidy.Assemblies;

namespace Kvorum.Tidy;

/// <summary>Seeded bugs exist only in a build that asks for them.</summary>
public sealed class MutantTests
{
    public static TheoryData<string> Assemblies => [.. ProjectRule.All.Select(rule => rule.Assembly)];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void An_ordinary_build_has_nothing_of_the_mutants_but_constants_that_are_false(string assembly) =>
        Findings.MustBeEmpty(
            BuiltAssembly.LiveMutants(assembly),
            $"{assembly}.dll was built with -p:Mutants=true, or a mutant is left in:");

    [Fact]
    public void Every_mutant_has_one_number_in_the_whole_house()
    {
        var numbers = Repository.Files("*Mutants.cs")
            .SelectMany(file => Repository.Read(file).Split('\n'))
            .Where(line => line.Contains("Active ==", StringComparison.Ordinal))
            .Select(line => line[(line.IndexOf("==", StringComparison.Ordinal) + 2)..].Trim(' ', ';'))
            .GroupBy(number => number, StringComparer.Ordinal)
            .Where(group => group.Count() > 1)
            .Select(group => group.Key);

        Findings.MustBeEmpty([.. numbers], "These mutants stand twice:");
    }
}
