namespace Kvorum.Simulator;

/// <summary>Draws the planned faults of a run.</summary>
internal static class FaultPlan
{
    private const long Minute = 60_000_000;

    public static IReadOnlyList<Fault> Draw(ulong seed, SimSettings settings)
    {
        var random = new KeyedChance(seed);
        var faults = new List<Fault>();
        foreach (var rate in settings.Faults)
        {
            var howMany = new ChanceSource(random, ChanceStream.Plan, (ulong)rate.Kind << 32);
            var perRun = rate.PerMinute * settings.SafetyPhase;
            var count = perRun / Minute + (howMany.Below((int)Minute) < perRun % Minute ? 1 : 0);
            for (var i = 0; i < count; i++)
            {
                var chance = new ChanceSource(random, ChanceStream.Plan, ((ulong)rate.Kind << 32) | (uint)(i + 1));
                faults.Add(Draw(((int)rate.Kind << 16) + i, rate, settings, chance));
            }
        }

        if (settings.IsBeyondTolerance)
        {
            faults.Add(LossPlan.Draw(seed, settings));
        }

        faults.Sort(static (left, right) => (left.At, left.Number).CompareTo((right.At, right.Number)));
        return faults;
    }

    private static Fault Draw(int number, FaultRate rate, SimSettings settings, ChanceSource chance)
    {
        var nodes = settings.Voters + settings.Learners;
        var places = Enumerable.Range(1, nodes).ToList();
        chance.Shuffle(places);
        var group = IsOfGroups(rate.Kind) && nodes > 1 ? 1 + chance.Below(nodes - 1) : 1;
        return new Fault(
            number, rate.Kind, chance.Between(0, settings.SafetyPhase), 1_000 + chance.Exponential(rate.DurationMean),
            [.. places.Take(group)], Amount(rate.Kind, settings, chance));
    }

    private static bool IsOfGroups(FaultKind kind) => kind < FaultKind.Crash;

    private static long Amount(FaultKind kind, SimSettings settings, ChanceSource chance) => kind switch
    {
        FaultKind.Flap => chance.Between(20_000, 500_000),
        FaultKind.SlowLink => chance.Pick([5_000L, 50_000, 500_000]),
        FaultKind.CrashAtDiskOperation => chance.Pick([1L, 2, 3, 5, 8, 20]),
        FaultKind.CrashAfterSend => chance.Pick([1L, 1, 2, 5, 20]),
        FaultKind.RestartLoop => chance.Pick([20_000L, 100_000, 500_000]),
        FaultKind.SlowDisk => chance.Pick([10_000L, 100_000, 1_000_000]),
        FaultKind.DiskFull => chance.Pick([0L, 512, 8_192, settings.WalSegmentBytes]),
        FaultKind.BitRot => chance.Pick([1L, 1, 4, 16]),
        FaultKind.TornTail => chance.Pick([1L, 40, 300, 4_096]),
        FaultKind.ClockDrift => chance.Pick([-500_000L, -50_000, 50_000, 1_000_000]),
        FaultKind.ClockJump => chance.Pick([20_000L, 500_000, 5_000_000, 3_600_000_000]),
        _ => chance.Below(1_000),
    };
}
