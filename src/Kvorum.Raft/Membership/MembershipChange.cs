namespace Kvorum.Raft;

/// <summary>What may be changed about the membership. Stable numbers: they are on the wire.</summary>
public enum MembershipChangeKind : byte
{
    /// <summary>A new node joins as a learner.</summary>
    Add = 1,

    /// <summary>A learner becomes a voter.</summary>
    Promote = 2,

    /// <summary>A node leaves for good.</summary>
    Remove = 3,

    /// <summary>
    /// A node takes a voter's place when it is promoted: a new one, which joins as a learner, or one that is there.
    /// </summary>
    Replace = 4,

    /// <summary>A member's name or addresses change.</summary>
    Update = 5,
}

/// <summary>A wish to change the membership.</summary>
/// <param name="Node">Whom it concerns.</param>
/// <param name="New">Add, Replace, Update: the member with its addresses; else null.</param>
/// <param name="StaysLearner">Add: it is not promoted by itself.</param>
public sealed record MembershipChange(
    MembershipChangeKind Kind, NodeId Node, MemberRecord? New, bool StaysLearner = false)
{
    /// <summary>A learner so many entries behind the leader may be promoted by hand.</summary>
    public const ulong SyncLagMax = 1024;

    /// <summary>What the change comes to, or why it is refused: the leader and a dry run ask the same.</summary>
    /// <param name="now">The membership in force.</param>
    /// <param name="peers">
    /// How the leader sees its peers; empty where that is not known, then only the membership is judged.
    /// </param>
    /// <param name="leader">The leader itself.</param>
    /// <param name="last">The leader's last log index.</param>
    public MembershipPlan Plan(Membership now, IReadOnlyList<PeerStatus> peers, NodeId leader, LogIndex last)
    {
        ArgumentNullException.ThrowIfNull(now);
        ArgumentNullException.ThrowIfNull(peers);
        if (now.IsJoint && !RaftMutants.OverlappingChanges)
        {
            return MembershipPlan.Busy("another change of the membership is under way.");
        }

        var plan = Kind switch
        {
            MembershipChangeKind.Add => PlanAdd(now),
            MembershipChangeKind.Promote => PlanPromote(now, peers, last),
            MembershipChangeKind.Remove => PlanRemove(now),
            MembershipChangeKind.Replace => PlanReplace(now),
            MembershipChangeKind.Update => PlanUpdate(now),
            _ => MembershipPlan.Refused($"unknown kind of change {(byte)Kind}."),
        };
        return plan.Refusal is null && peers.Count > 0 ? Guard(plan, now, peers, leader) : plan;
    }

    private MembershipPlan PlanAdd(Membership now)
    {
        if (New is null || New.Node != Node)
        {
            return MembershipPlan.Refused("a node to be added needs its addresses.");
        }

        if (ProblemOf(New, now, self: null) is { } problem)
        {
            return MembershipPlan.Refused(problem);
        }

        var next = now.WithLearner(
            New with { Incarnation = 0, JoinsByItself = !StaysLearner, Replaces = null });
        return new MembershipPlan(null, false, next, StaysLearner ? next : next.WithPromoted(Node, 0).LeaveJoint());
    }

    private MembershipPlan PlanReplace(Membership now)
    {
        if (New is null || New.Node == Node)
        {
            return MembershipPlan.Refused("a node that replaces another needs an id and addresses of its own.");
        }

        if (!now.IsVoter(Node))
        {
            return MembershipPlan.Refused(now.Contains(Node)
                ? $"node {Named(now, Node)} is a learner: remove it and add the other one."
                : $"node {Node} is not a member.");
        }

        if (now.Members.FirstOrDefault(member => member.Replaces == Node) is { } other)
        {
            return MembershipPlan.Refused(
                $"node {Named(now, Node)} is being replaced by {Named(now, other.Node)} already.");
        }

        if (now.IsLearner(New.Node) && now.Find(New.Node) is { } learner)
        {
            return PlanNewGoal(now, learner, New);
        }

        if (ProblemOf(New, now, self: null) is { } problem)
        {
            return MembershipPlan.Refused(problem);
        }

        var next = now.WithLearner(New with { Incarnation = 0, JoinsByItself = true, Replaces = Node });
        return new MembershipPlan(null, false, next, next.WithPromoted(New.Node, 0).LeaveJoint());
    }

    /// <summary>A learner that is there already takes a voter's place; of its record only the goal changes.</summary>
    private MembershipPlan PlanNewGoal(Membership now, MemberRecord learner, MemberRecord wanted)
    {
        if (learner.Replaces is { } other)
        {
            return MembershipPlan.Refused(
                $"node {Named(now, learner.Node)} is to take the place of {Named(now, other)}, not of "
                + $"{Named(now, Node)}: remove it first, or choose another one.");
        }

        if (learner.PeerUrl.Length > 0 && wanted.PeerUrl.Length > 0 && learner.PeerUrl != wanted.PeerUrl)
        {
            return MembershipPlan.Refused(
                $"node {Named(now, learner.Node)} is a member already, with the peer URL {learner.PeerUrl}, not "
                + $"{wanted.PeerUrl}.");
        }

        var next = now.WithRecord(learner with { JoinsByItself = true, Replaces = Node });
        return new MembershipPlan(null, false, next, next.WithPromoted(learner.Node, 0).LeaveJoint());
    }

    private MembershipPlan PlanPromote(Membership now, IReadOnlyList<PeerStatus> peers, LogIndex last)
    {
        if (!now.IsLearner(Node))
        {
            return MembershipPlan.Refused(now.Contains(Node)
                ? $"node {Named(now, Node)} votes already."
                : $"node {Node} is not a member.");
        }

        var incarnation = 0UL;
        foreach (var peer in peers)
        {
            if (peer.Node != Node)
            {
                continue;
            }

            incarnation = peer.Incarnation;
            if (!peer.IsActive || peer.Match == LogIndex.Zero)
            {
                return MembershipPlan.Refused($"node {Named(now, Node)} does not answer.");
            }

            if (last.CountSince(peer.Match) > SyncLagMax)
            {
                return MembershipPlan.Refused(
                    $"node {Named(now, Node)} is {last.CountSince(peer.Match)} entries behind, "
                    + $"at most {SyncLagMax} are allowed.");
            }

            if (!peer.MayVote)
            {
                return MembershipPlan.Refused($"node {Named(now, Node)} lost its memory and did not come back yet.");
            }
        }

        var next = now.WithPromoted(Node, incarnation);
        return new MembershipPlan(null, false, next, next.LeaveJoint());
    }

    private MembershipPlan PlanRemove(Membership now)
    {
        if (!now.Contains(Node))
        {
            return MembershipPlan.Refused(now.WasRemoved(Node)
                ? $"node {Node} was removed before."
                : $"node {Node} is not a member.");
        }

        if (now.IsLearner(Node))
        {
            var without = now.WithoutLearner(Node);
            return new MembershipPlan(null, false, without, without);
        }

        if (now.Voters.Length == 1)
        {
            return MembershipPlan.Refused($"node {Named(now, Node)} is the last voter: without it nothing is left.");
        }

        var next = now.WithoutVoter(Node);
        return new MembershipPlan(null, false, next, next.LeaveJoint());
    }

    private MembershipPlan PlanUpdate(Membership now)
    {
        if (New is null || now.Find(Node) is not { } known)
        {
            return MembershipPlan.Refused(New is null ? "an update needs addresses." : $"node {Node} is not a member.");
        }

        if (ProblemOf(New with { Node = Node }, now, self: Node) is { } problem)
        {
            return MembershipPlan.Refused(problem);
        }

        var next = now.WithRecord(known with { Name = New.Name, PeerUrl = New.PeerUrl, ClientUrls = New.ClientUrls });
        return new MembershipPlan(null, false, next, next);
    }

    /// <summary>What speaks against a node that would be a member; null for nothing.</summary>
    private static string? ProblemOf(MemberRecord member, Membership now, NodeId? self)
    {
        if (member.Node.Value == 0)
        {
            return "a node id is never 0.";
        }

        if (now.WasRemoved(member.Node))
        {
            return $"node {member.Node} was removed from this cluster: use a new name.";
        }

        if (self is null && now.Contains(member.Node))
        {
            return $"node {Named(now, member.Node)} is a member already.";
        }

        if (self is null && now.Members.Count >= Membership.NodesMax)
        {
            return $"the cluster has {now.Members.Count} nodes, at most {Membership.NodesMax} are allowed.";
        }

        if (member.ClientUrls.Count > MemberRecord.ClientUrlsMax || member.TextBytes > MemberRecord.TextBytesMax)
        {
            return $"name and addresses have {member.TextBytes} bytes and {member.ClientUrls.Count} client URLs, "
                + $"at most {MemberRecord.TextBytesMax} and {MemberRecord.ClientUrlsMax} are allowed.";
        }

        foreach (var other in now.Members)
        {
            if (other.Node != self && member.Name.Length > 0 && other.Name == member.Name)
            {
                return $"the name {member.Name} belongs to node {other.Node}.";
            }

            if (other.Node != self && member.PeerUrl.Length > 0 && other.PeerUrl == member.PeerUrl)
            {
                return $"the peer URL {member.PeerUrl} belongs to node {Named(now, other.Node)}.";
            }
        }

        return null;
    }

    /// <summary>Refuses what would leave the voters without a majority that answers now.</summary>
    private static MembershipPlan Guard(
        MembershipPlan plan, Membership now, IReadOnlyList<PeerStatus> peers, NodeId leader)
    {
        var next = plan.Next!; // A plan that is not refused has one.
        if (!next.IsJoint)
        {
            return plan;
        }

        var answering = 0;
        foreach (var voter in next.Voters)
        {
            var answers = voter == leader || peers.Any(peer => peer.Node == voter && peer.IsActive && peer.MayVote);
            answering += answers ? 1 : 0;
        }

        var needed = Majority.Size(next.Voters.Length);
        return answering >= needed
            ? plan
            : MembershipPlan.Refused(
                $"of the {next.Voters.Length} voters afterwards only {answering} answer now, {needed} are needed "
                + $"(voters now: {string.Join(", ", now.Voters.ToArray().Select(node => Named(now, node)))}).");
    }

    private static string Named(Membership now, NodeId node) =>
        now.Find(node) is { Name.Length: > 0 } member ? $"{member.Name} ({node})" : node.ToString();
}

/// <summary>What a change of the membership comes to.</summary>
/// <param name="Refusal">Null when allowed, else why not, for a person.</param>
/// <param name="IsBusy">Refused only for the moment: the same wish may be granted a little later.</param>
/// <param name="Next">The membership of the first entry: joint when voters change; null when refused.</param>
/// <param name="After">
/// The membership when all is done, a promotion that follows by itself included; null when refused.
/// </param>
public sealed record MembershipPlan(string? Refusal, bool IsBusy, Membership? Next, Membership? After)
{
    internal static MembershipPlan Refused(string why) => new(why, false, null, null);

    internal static MembershipPlan Busy(string why) => new(why, true, null, null);
}
