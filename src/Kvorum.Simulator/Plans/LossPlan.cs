namespace Kvorum.Simulator;

/// <summary>
/// What a run beyond tolerance destroys: once, and more than the cluster can stand. Drawn from a stream of its own, so
/// that a seed's other draws are what they were.
/// </summary>
internal static class LossPlan
{
    /// <summary>One seed in so many.</summary>
    private const int Share = 16;

    public static bool IsBeyondTolerance(ulong seed) => Source(seed).Below(Share) == 0;

    /// <summary>
    /// Faults that a run beyond tolerance spares: what they destroy besides could not be told from the loss itself.
    /// </summary>
    public static bool Spares(FaultKind kind) => kind
        is (>= FaultKind.BitRot and <= FaultKind.StaleWrite)
        or FaultKind.AddMember or FaultKind.RemoveMember or FaultKind.ReplaceMember;

    public static bool IsLoss(FaultKind kind) => kind is FaultKind.WipedMajority or FaultKind.RottenCopies;

    public static Fault Draw(ulong seed, SimSettings settings)
    {
        var chance = Source(seed);
        chance.Below(Share);
        var voters = settings.Voters;
        var places = Enumerable.Range(1, voters).ToList();
        chance.Shuffle(places);

        // Who wipes every directory has founded a new cluster: nobody is left to say otherwise.
        var kind = voters > 1 ? chance.Pick([FaultKind.WipedMajority, FaultKind.RottenCopies]) : FaultKind.RottenCopies;
        var most = kind is FaultKind.WipedMajority ? voters - 1 : voters;
        var count = (int)chance.Between(Math.Min(most, voters / 2 + 1), most);
        var at = chance.Between(settings.SafetyPhase / 4, settings.SafetyPhase * 9 / 10);
        var spread = chance.Pick([0L, 0, 20_000, 2_000_000]);
        return new Fault((int)kind << 16, kind, at, spread, [.. places.Take(count)], chance.Pick([1L, 1, 4, 16]));
    }

    private static ChanceSource Source(ulong seed) => new(new KeyedChance(seed), ChanceStream.Loss, 0);
}
