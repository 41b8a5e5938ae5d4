namespace Kvorum.Simulator;

/// <summary>
/// V2: a whole majority with whatever is broken beside it settles on a leader, and then there are no more elections.
/// </summary>
internal sealed class QuietAfterSettling
{
    /// <summary>Elections allowed after settling: one may have been under way.</summary>
    private const int ElectionsMax = 2;

    private long _settledAt = long.MaxValue;
    private int _elections;

    /// <summary>The majority is whole from now on, or it is over.</summary>
    /// <param name="settledAt">When it must have settled; <see cref="long.MaxValue"/> when it need not.</param>
    public void Begin(long settledAt)
    {
        _settledAt = settledAt;
        _elections = 0;
    }

    public string? Elected(int node, ulong term, long now)
    {
        if (now < _settledAt || ++_elections <= ElectionsMax)
        {
            return null;
        }

        return $"Node {node} was elected in term {term}, the {_elections}th time that a majority that is whole "
            + $"changed its leader since {_settledAt} µs.";
    }
}
