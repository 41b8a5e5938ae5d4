namespace Kvorum.Simulator;

/// <summary>How a judge did.</summary>
/// <param name="Histories">Small histories it was compared on with brute force.</param>
/// <param name="Possible">Of these, how many can be explained.</param>
/// <param name="Planted">Larger histories with one planted anomaly.</param>
/// <param name="Mistake">The first wrong answer; null for none.</param>
public sealed record JudgeTrial(
    string Judge, long Histories, long Possible, long Planted, string? Mistake);

/// <summary>
/// Who judges the judges: each beside trying every order, on small histories made from seeds, half of them with
/// something changed; and on larger ones with one planted anomaly, which it must name.
/// </summary>
public static class JudgeTrials
{
    /// <summary>Larger histories with a planted anomaly, over all judges, at least.</summary>
    public const int PlantedMin = 1_000;

    /// <summary>Operations before a planted anomaly.</summary>
    public const int BeginningCount = 60;

    private static readonly (IJudge Judge, Differential Differential)[] _judges =
    [
        (new TotalOrderJudge(), Differential.TotalOrder),
        (new LinearizabilityJudge(), Differential.Linearizability),
        (new AppendJudge(), Differential.Append),
        (new ListAppendJudge(), Differential.ListAppend),
    ];

    /// <summary>Behind how many beginnings each anomaly is planted.</summary>
    private static int Beginnings => (PlantedMin + PlantedAnomaly.All.Count - 1) / PlantedAnomaly.All.Count;

    /// <summary>One trial per judge, as they are asked for.</summary>
    /// <param name="seed">The first of the small histories.</param>
    /// <param name="histories">Small histories per judge.</param>
    /// <param name="cancel">Ends the trial under way; what it shows then is of the histories done.</param>
    public static IEnumerable<JudgeTrial> Run(ulong seed, long histories, CancellationToken cancel)
    {
        foreach (var (judge, differential) in _judges)
        {
            var tally = new Tally();
            var mistake = differential.FindDisagreement(judge, tally, histories, seed, cancel);
            var planted = 0L;
            var name = judge.Judge([]).Judge;
            foreach (var anomaly in PlantedAnomaly.All.Where(anomaly => anomaly.Judge == name))
            {
                for (var i = 0; i < Beginnings && mistake is null && !cancel.IsCancellationRequested; i++)
                {
                    mistake = anomaly.FindMistake(judge, seed + (ulong)i, BeginningCount);
                    planted++;
                }
            }

            yield return new JudgeTrial(name, tally.Possible + tally.Impossible, tally.Possible, planted, mistake);
        }
    }
}
