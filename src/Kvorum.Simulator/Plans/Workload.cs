namespace Kvorum.Simulator;

/// <summary>Draws what the clients ask: even keys are registers, odd ones lists.</summary>
internal static class Workload
{
    /// <summary>Requests of a key before another takes its place: a judge's work grows faster than that.</summary>
    private const int OperationsPerKey = 40;

    /// <summary>When the first client begins to rest, where sessions expire: by then it has used its own.</summary>
    private const long RestBegins = 3_000_000;

    public static IReadOnlyList<PlannedOperation> Draw(ulong seed, SimSettings settings)
    {
        var operations = new List<PlannedOperation>();
        var random = new KeyedChance(seed);
        var end = settings.SafetyPhase + settings.LivenessPhase / 2;
        var gap = 1_000_000 / Math.Max(1, settings.OperationsPerSecond);
        for (long at = 100_000; at < end; at += gap)
        {
            var number = operations.Count;
            var chance = new ChanceSource(random, ChanceStream.Workload, 0x1000000UL + (ulong)number);
            var client = 1 + chance.Below(settings.Clients);
            client = client == 1 && Rests(settings, at, end) ? 2 : client;
            operations.Add(Draw(number, client, at + chance.Below(gap), settings, chance));
        }

        return operations;
    }

    /// <summary>Long enough that its session expires, also by a clock that is slow.</summary>
    private static bool Rests(SimSettings settings, long at, long end)
    {
        var restEnds = RestBegins + settings.SessionIdle + (settings.SessionIdle / 2);
        return settings.Clients > 1 && restEnds < end && at >= RestBegins && at < restEnds;
    }

    private static PlannedOperation Draw(int number, int client, long at, SimSettings settings, ChanceSource chance)
    {
        var hasSession = chance.Below(5) != 0;
        var turn = number / (OperationsPerKey * Math.Max(2, settings.Keys));
        var kind = chance.Below(100);
        if (kind < 35)
        {
            var isLocal = chance.Below(10) == 0;
            var read = new Step(StepKind.Read, AnyKey(settings, chance, turn), null, null);
            return new PlannedOperation(number, client, at, [read], isLocal, false);
        }

        IReadOnlyList<Step> steps = kind switch
        {
            < 50 => [new Step(StepKind.Write, Register(settings, chance, turn), $"v{number}", null)],
            < 70 => [new Step(StepKind.Append, List(settings, chance, turn), $"a{number}", null)],
            < 75 => [new Step(StepKind.Delete, Register(settings, chance, turn), null, null)],
            < 85 => CompareAndSwap(number, settings, chance, turn),
            _ => Several(number, settings, chance, turn),
        };

        // A delete carries nothing to know it by in the log but its stamp.
        return new PlannedOperation(number, client, at, steps, false, hasSession || steps[0].Kind is StepKind.Delete);
    }

    private static IReadOnlyList<Step> CompareAndSwap(int number, SimSettings settings, ChanceSource chance, int turn)
    {
        var key = Register(settings, chance, turn);
        var expected = chance.Below(3) == 0 ? null : $"v{Math.Max(0, number - 1 - chance.Below(10))}";
        return
        [
            new Step(StepKind.CompareValue, key, expected, null),
            new Step(StepKind.Write, key, $"v{number}", null),
        ];
    }

    /// <summary>Reads and appends of several lists at once; no key is written twice.</summary>
    private static List<Step> Several(int number, SimSettings settings, ChanceSource chance, int turn)
    {
        var steps = new List<Step>();
        var count = 2 + chance.Below(3);
        var lists = Math.Max(1, settings.Keys / 2);
        for (var i = 0; i < count; i++)
        {
            var key = $"k{2 * chance.Below(lists) + 1}.{turn}";
            var isAppend = chance.Below(2) == 0 && !steps.Any(step => step.Kind is StepKind.Append && step.Key == key);
            steps.Add(isAppend
                ? new Step(StepKind.Append, key, $"a{number}.{i}", null)
                : new Step(StepKind.Read, key, null, null));
        }

        return steps;
    }

    private static string AnyKey(SimSettings settings, ChanceSource chance, int turn) =>
        $"k{chance.Below(Math.Max(2, settings.Keys))}.{turn}";

    private static string Register(SimSettings settings, ChanceSource chance, int turn) =>
        $"k{2 * chance.Below(Math.Max(1, settings.Keys / 2))}.{turn}";

    private static string List(SimSettings settings, ChanceSource chance, int turn) =>
        $"k{2 * chance.Below(Math.Max(1, settings.Keys / 2)) + 1}.{turn}";
}
