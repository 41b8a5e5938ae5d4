namespace Kvorum.Simulator;

/// <summary>A plan with a story: a bug of another system re-enacted, or a shrunk failure of our own.</summary>
/// <param name="Title">One line; empty when none was given.</param>
/// <param name="Finds">Mutants that this plan shows to be bugs; the shipped code runs it without a violation.</param>
/// <param name="Story">The comment lines of the file, without their '#'.</param>
public sealed record Scenario(string Title, IReadOnlyList<int> Finds, IReadOnlyList<string> Story, SimPlan Plan);
