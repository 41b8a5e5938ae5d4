namespace Kvorum.Raft;

/// <summary>
/// Arithmetic of two sets of voters: what needs a majority needs one of each (thesis §4.3). Without outgoing voters it
/// is that of one set. Pure functions, tested by exhaustion.
/// </summary>
internal static class JointQuorum
{
    /// <summary>The largest value that a majority of each set has reached. Sorts its input.</summary>
    public static ulong Reached(Span<ulong> incoming, Span<ulong> outgoing)
    {
        var reached = Majority.Reached(incoming);
        return outgoing.IsEmpty ? reached : Math.Min(reached, Majority.Reached(outgoing));
    }

    /// <summary>Won with both sets, lost with one.</summary>
    public static VoteResult Result(VoteCount incoming, VoteCount outgoing)
    {
        var one = Majority.Result(incoming.Voters, incoming.Granted, incoming.Refused);
        if (outgoing.Voters == 0)
        {
            return one;
        }

        var other = Majority.Result(outgoing.Voters, outgoing.Granted, outgoing.Refused);
        return one == VoteResult.Lost || other == VoteResult.Lost ? VoteResult.Lost
            : one == VoteResult.Won && other == VoteResult.Won ? VoteResult.Won
            : VoteResult.Pending;
    }
}

/// <summary>Answers of one set of voters.</summary>
internal record struct VoteCount(int Voters, int Granted, int Refused);

/// <summary>Gathers a value per voter for both sets; a voter of both stands in both.</summary>
internal ref struct JointValues(Span<ulong> incoming, Span<ulong> outgoing)
{
    private readonly Span<ulong> _incoming = incoming;
    private readonly Span<ulong> _outgoing = outgoing;
    private int _incomingCount;
    private int _outgoingCount;

    public void Add(bool isIncoming, bool isOutgoing, ulong value)
    {
        if (isIncoming || (isOutgoing && RaftMutants.JointAsUnion))
        {
            _incoming[_incomingCount++] = value;
        }

        if (isOutgoing && !RaftMutants.JointAsUnion)
        {
            _outgoing[_outgoingCount++] = value;
        }
    }

    public readonly ulong Reached() =>
        JointQuorum.Reached(_incoming[.._incomingCount], _outgoing[.._outgoingCount]);
}
