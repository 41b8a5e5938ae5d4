using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>Draws a smallest set of whole nodes that can decide, whichever membership comes to be in force.</summary>
internal static class LiveQuorum
{
    /// <param name="mayStillChange">
    /// A change is asked for that nobody began: which nodes it will need is not known, so all are in the set.
    /// </param>
    public static List<int> Draw(
        IReadOnlyList<SimNode> nodes, SimRoster roster, bool mayStillChange, ChanceSource chance)
    {
        List<Membership> memberships = [roster.Committed, .. roster.Undecided()];
        memberships.AddRange(memberships.SelectMany(Promoted).ToArray());
        var places = nodes.Where(node => node.IsInUse && !node.IsDamaged).Select(node => node.Place).ToList();
        chance.Shuffle(places);
        var quorum = new List<int>();
        foreach (var place in places)
        {
            if (mayStillChange || memberships.Any(membership => Lacks(membership, quorum, place)))
            {
                quorum.Add(place);
            }
        }

        quorum.Sort();
        return quorum;
    }

    /// <summary>What the leader may make of it by itself, at any moment: one learner after the other votes.</summary>
    private static IEnumerable<Membership> Promoted(Membership membership)
    {
        var next = membership;
        foreach (var learner in membership.Members.Where(member => member.JoinsByItself))
        {
            if (!membership.IsLearner(learner.Node))
            {
                continue;
            }

            var before = membership.IsJoint ? membership.LeaveJoint() : membership;
            yield return before.WithPromoted(learner.Node, 0);
            next = (next.IsJoint ? next.LeaveJoint() : next).WithPromoted(learner.Node, 0);
            yield return next;
        }
    }

    /// <summary>Whether a membership has no majority in the set yet and the node brings it nearer.</summary>
    private static bool Lacks(Membership membership, List<int> quorum, int place) =>
        Lacks(membership.Voters, quorum, place) || Lacks(membership.OutgoingVoters, quorum, place);

    private static bool Lacks(ReadOnlySpan<NodeId> voters, List<int> quorum, int place)
    {
        var count = 0;
        var isVoter = false;
        foreach (var voter in voters)
        {
            count += quorum.Contains((int)voter.Value) ? 1 : 0;
            isVoter |= voter.Value == (ulong)place;
        }

        return isVoter && count <= voters.Length / 2;
    }
}
