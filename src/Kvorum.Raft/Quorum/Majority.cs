namespace Kvorum.Raft;

/// <summary>What a vote came to.</summary>
internal enum VoteResult : byte
{
    /// <summary>Neither side has a majority yet.</summary>
    Pending = 0,

    /// <summary>A majority granted.</summary>
    Won = 1,

    /// <summary>So many refused that a majority can no longer be reached.</summary>
    Lost = 2,
}

/// <summary>Arithmetic of one set of voters: pure functions, tested by exhaustion.</summary>
internal static class Majority
{
    /// <summary>How many of <paramref name="voters"/> are a majority.</summary>
    public static int Size(int voters) => (voters / 2) + 1;

    /// <summary>
    /// The largest value that a majority of the voters has reached; 0 without voters. Sorts its input.
    /// </summary>
    /// <param name="reached">One value per voter: a match index (paper §5.3) or a read round (thesis §6.4).</param>
    public static ulong Reached(Span<ulong> reached)
    {
        if (reached.IsEmpty)
        {
            return 0;
        }

        // Insertion sort: a group has at most 16 nodes, and they are nearly sorted from call to call.
        for (var i = 1; i < reached.Length; i++)
        {
            var value = reached[i];
            var place = i;
            for (; place > 0 && reached[place - 1] > value; place--)
            {
                reached[place] = reached[place - 1];
            }

            reached[place] = value;
        }

        return reached[reached.Length - Size(reached.Length)];
    }

    /// <summary>
    /// The outcome when <paramref name="granted"/> and <paramref name="refused"/> of <paramref name="voters"/>
    /// answered.
    /// </summary>
    public static VoteResult Result(int voters, int granted, int refused)
    {
        Invariant.Holds(granted + refused <= voters, "A voter answers a campaign once (paper §5.2).");

        if (granted >= Size(voters))
        {
            return VoteResult.Won;
        }

        return voters - refused < Size(voters) ? VoteResult.Lost : VoteResult.Pending;
    }
}
