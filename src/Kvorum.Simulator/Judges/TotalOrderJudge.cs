namespace Kvorum.Simulator;

/// <summary>
/// Believes the revisions that answers carry and checks that they make sense: each change has a revision of its own,
/// later operations have later revisions, and a replay in revision order gives every answer. That is strict
/// serializability of whole transactions, for the price of a sort.
/// </summary>
/// <remarks>
/// A revision that no answer claims must be explained by an operation with unknown outcome; which one is searched for.
/// Operations answered without a revision count as unknown when they write and are left out when they read. Compares
/// of an operation look at the state before it; seen values count for reads, seen lengths for appends.
/// </remarks>
/// <param name="emptyRevision">The revision of a store nobody has written to.</param>
/// <param name="attemptsMax">Placements of unknown operations tried before the judge gives up.</param>
public sealed class TotalOrderJudge(long emptyRevision = 1, int attemptsMax = 100_000) : IJudge
{
    internal const string Name = "total order";

    public Verdict Judge(IReadOnlyList<Operation> history)
    {
        var order = new TotalOrder(history, emptyRevision);
        return order.FindReusedRevision()
            ?? order.FindStale()
            ?? new TotalOrderEvidence(order).FindContradiction()
            ?? order.FindLostRevision()
            ?? new TotalOrderReplay(order, attemptsMax).Run();
    }
}
