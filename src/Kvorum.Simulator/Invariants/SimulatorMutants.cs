namespace Kvorum.Simulator;

/// <summary>
/// Seeded bugs of this project, one of which a build made with -p:Mutants=true can switch on, to prove that a checker
/// that is blind is noticed. In an ordinary build each is the constant false, and the compiler leaves nothing of it.
/// </summary>
/// <remarks>The numbers are those of docs/simulator.md, "Mutants". They stay, whatever is added.</remarks>
#if MUTANTS
internal static class SimulatorMutants
{
    /// <summary>60: looks a node's state hash up under an index that no other node has.</summary>
    internal static bool HashCheckWrongIndex => Raft.RaftMutants.Active == 60;
}
#else
internal static class SimulatorMutants
{
    internal const bool HashCheckWrongIndex = false;
}
#endif
