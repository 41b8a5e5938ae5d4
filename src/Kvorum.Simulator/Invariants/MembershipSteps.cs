using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R8: a leader appends a membership only when the one before it is committed and an entry of its own term is (the bug
/// of 2015 in single-server changes), and majorities of the two always share a voter.
/// </summary>
internal static class MembershipSteps
{
    public static string? Check(
        int node, Term term, LogIndex index, (LogIndex Index, Membership Membership) before, Membership after,
        LogIndex commit, Term commitTerm)
    {
        if (before.Index > commit)
        {
            return $"Node {node} appends a membership at index {index} in term {term}; the one at {before.Index} is "
                + $"not committed, its commit index is {commit}.";
        }

        if (commitTerm != term)
        {
            return $"Node {node} appends a membership at index {index} before an entry of its own term {term} is "
                + $"committed: the last committed one is of term {commitTerm}.";
        }

        return Overlap(before.Membership, after)
            ? null
            : $"Node {node} changes the membership at index {index} from [{before.Membership}] to [{after}]: "
                + "majorities of the two need not meet.";
    }

    /// <summary>Some set of voters that both need a majority of, or two sets that differ by one voter.</summary>
    private static bool Overlap(Membership before, Membership after) =>
        Differ(before.Voters, after.Voters) <= 1
        || (after.IsJoint && Differ(before.Voters, after.OutgoingVoters) <= 1)
        || (before.IsJoint && Differ(before.OutgoingVoters, after.Voters) <= 1)
        || (before.IsJoint && after.IsJoint && Differ(before.OutgoingVoters, after.OutgoingVoters) <= 1);

    private static int Differ(ReadOnlySpan<NodeId> left, ReadOnlySpan<NodeId> right)
    {
        var differ = 0;
        foreach (var node in left)
        {
            differ += right.Contains(node) ? 0 : 1;
        }

        foreach (var node in right)
        {
            differ += left.Contains(node) ? 0 : 1;
        }

        return differ;
    }
}
