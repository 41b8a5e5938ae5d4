namespace Kvorum.Raft;

/// <summary>From one membership to the next. Each step keeps what it does not name.</summary>
public sealed partial class Membership
{
    /// <summary>A new node learns.</summary>
    internal Membership WithLearner(MemberRecord record) =>
        new(_voters, _outgoing, [.. _learners, record.Node], _learnersNext, [.. _members, record], _removed);

    /// <summary>The same nodes; one record is another one.</summary>
    internal Membership WithRecord(MemberRecord record) => new(
        _voters, _outgoing, _learners, _learnersNext,
        _members.Select(member => member.Node == record.Node ? record : member), _removed);

    /// <summary>A learner goes at once: it counted for nothing.</summary>
    internal Membership WithoutLearner(NodeId node) =>
        new(_voters, _outgoing, _learners.Where(other => other != node), _learnersNext, _members, RemovedWith([node]));

    /// <summary>Joint: a voter goes. Learners that should have taken its place just join.</summary>
    internal Membership WithoutVoter(NodeId node) => new(
        _voters.Where(other => other != node), _voters, _learners, [],
        _members.Select(member => member.Replaces == node ? member with { Replaces = null } : member), _removed);

    /// <summary>Joint: a voter that lost its memory learns, and joins again by itself.</summary>
    internal Membership WithDemoted(NodeId node) => new(
        _voters.Where(other => other != node), _voters, _learners, [node],
        _members.Select(member => member.Node == node ? member with { JoinsByItself = true } : member), _removed);

    /// <summary>Joint: a learner votes, and whom it replaces does so no more.</summary>
    /// <param name="incarnation">The directory whose votes will count; 0 where there are none.</param>
    internal Membership WithPromoted(NodeId node, ulong incarnation)
    {
        var replaced = Find(node)?.Replaces;
        return new Membership(
            [.. _voters.Where(other => other != replaced), node],
            _voters,
            _learners.Where(other => other != node),
            [],
            _members.Select(member => member.Node == node
                ? member with { Incarnation = incarnation, JoinsByItself = false, Replaces = null }
                : member.Replaces == replaced ? member with { Replaces = null } : member),
            _removed);
    }

    /// <summary>The change is decided: only the new voters are left (thesis §4.3).</summary>
    internal Membership LeaveJoint()
    {
        NodeId[] learners = [.. _learners, .. _learnersNext];
        return new Membership(
            _voters, [], learners, [], _members, RemovedWith(_outgoing.Except(_voters).Except(learners)));
    }

    private NodeId[] RemovedWith(IEnumerable<NodeId> nodes)
    {
        NodeId[] all = [.. _removed, .. nodes];
        return all.Length > RemovedMax ? all[^RemovedMax..] : all;
    }
}
