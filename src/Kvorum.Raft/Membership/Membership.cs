namespace Kvorum.Raft;

/// <summary>
/// Who votes and who only learns. While voters change there are two sets of them, and every decision needs a majority
/// of both (joint consensus, thesis §4.3). Never changed after it was made; each list is sorted by id.
/// </summary>
public sealed partial class Membership : IEquatable<Membership>
{
    /// <summary>The most nodes one group may have, voters and learners together.</summary>
    public const int NodesMax = 16;

    /// <summary>The most removed ids remembered; beyond it the oldest is forgotten.</summary>
    public const int RemovedMax = 256;

    private readonly NodeId[] _voters;
    private readonly NodeId[] _outgoing;
    private readonly NodeId[] _learners;
    private readonly NodeId[] _learnersNext;
    private readonly MemberRecord[] _members;
    private readonly NodeId[] _removed;

    /// <summary>Voters and learners of which nothing but the id is known.</summary>
    public Membership(IEnumerable<NodeId> voters, IEnumerable<NodeId> learners)
        : this(voters, [], learners, [], [], [])
    {
    }

    internal Membership(
        IEnumerable<NodeId> voters, IEnumerable<NodeId> outgoing, IEnumerable<NodeId> learners,
        IEnumerable<NodeId> learnersNext, IEnumerable<MemberRecord> records, IEnumerable<NodeId> removed)
    {
        _voters = [.. voters.Order()];
        _outgoing = [.. outgoing.Order()];
        _learners = [.. learners.Order()];
        _learnersNext = [.. learnersNext.Order()];
        _removed = [.. removed];
        _members = Complete(records);
        var problem = Problem();
        Invariant.Holds(problem is null, problem ?? "");
    }

    /// <summary>Nobody: what a node knows that joins an existing cluster.</summary>
    public static Membership Empty { get; } = new([], []);

    /// <summary>The voters; in a joint membership those that will vote when it is left.</summary>
    public ReadOnlySpan<NodeId> Voters => _voters;

    /// <summary>Joint: the voters before the change, whose majority is needed as well; else empty.</summary>
    public ReadOnlySpan<NodeId> OutgoingVoters => _outgoing;

    public ReadOnlySpan<NodeId> Learners => _learners;

    /// <summary>
    /// Joint: outgoing voters that learn when it is left. They lost their memory and count for nothing already now.
    /// </summary>
    public ReadOnlySpan<NodeId> LearnersNext => _learnersNext;

    /// <summary>Everybody above, each once, by id.</summary>
    public IReadOnlyList<MemberRecord> Members => _members;

    /// <summary>Ids that must not be used again, in the order of their removal.</summary>
    public ReadOnlySpan<NodeId> Removed => _removed;

    /// <summary>Voters are changing: decisions need a majority of both sets.</summary>
    public bool IsJoint => _outgoing.Length > 0;

    /// <summary>The initial cluster: everybody votes.</summary>
    public static Membership Initial(IEnumerable<MemberRecord> voters)
    {
        MemberRecord[] records = [.. voters];
        return new Membership(records.Select(record => record.Node), [], [], [], records, []);
    }

    /// <summary>Whether the node votes now: in either set of a joint membership.</summary>
    public bool IsVoter(NodeId node) => IsIncoming(node) || IsOutgoing(node);

    public bool IsLearner(NodeId node) => Array.BinarySearch(_learners, node) >= 0;

    public bool Contains(NodeId node) => IsVoter(node) || IsLearner(node);

    public bool WasRemoved(NodeId node) => Array.IndexOf(_removed, node) >= 0;

    /// <summary>What is known of a member; null for others.</summary>
    public MemberRecord? Find(NodeId node)
    {
        foreach (var member in _members)
        {
            if (member.Node == node)
            {
                return member;
            }
        }

        return null;
    }

    public bool Equals(Membership? other) =>
        other is not null && Voters.SequenceEqual(other.Voters) && OutgoingVoters.SequenceEqual(other.OutgoingVoters)
        && Learners.SequenceEqual(other.Learners) && LearnersNext.SequenceEqual(other.LearnersNext)
        && Removed.SequenceEqual(other.Removed) && _members.AsSpan().SequenceEqual(other._members);

    public override bool Equals(object? obj) => Equals(obj as Membership);

    public override int GetHashCode() => _voters.Length * 31 + _learners.Length;

    /// <summary>E.g. "1 2 4 (from 1 2 3), learners 5, removed 9".</summary>
    public override string ToString()
    {
        var text = _voters.Length == 0 ? "nobody" : string.Join(' ', _voters);
        text += IsJoint ? $" (from {string.Join(' ', _outgoing)})" : "";
        text += _learnersNext.Length > 0 ? $", to learn {string.Join(' ', _learnersNext)}" : "";
        text += _learners.Length > 0 ? $", learners {string.Join(' ', _learners)}" : "";
        return text + (_removed.Length > 0 ? $", removed {string.Join(' ', _removed)}" : "");
    }

    internal bool IsIncoming(NodeId node) => Array.BinarySearch(_voters, node) >= 0;

    internal bool IsOutgoing(NodeId node) => Array.BinarySearch(_outgoing, node) >= 0;

    internal bool IsLearnerNext(NodeId node) => Array.BinarySearch(_learnersNext, node) >= 0;

    /// <summary>Null when these lists make a membership, else why not: what a file or a peer sends is asked.</summary>
    internal static string? ProblemOf(
        NodeId[] voters, NodeId[] outgoing, NodeId[] learners, NodeId[] learnersNext, NodeId[] removed)
    {
        if (removed.Length > RemovedMax || removed.Distinct().Count() != removed.Length)
        {
            return "At most 256 removed ids are remembered, each once.";
        }

        if (!Rises(voters) || !Rises(outgoing) || !Rises(learners) || !Rises(learnersNext))
        {
            return "A voter or learner is listed once.";
        }

        NodeId[] voting = [.. voters.Union(outgoing)];
        if (voting.Length + learners.Length > NodesMax)
        {
            return "A group has at most 16 nodes.";
        }

        if (learners.Intersect(voting).Any())
        {
            return "A node votes or learns, never both.";
        }

        if (learnersNext.Except(outgoing).Any() || learnersNext.Intersect(voters).Any())
        {
            return "Only an outgoing voter learns next.";
        }

        if (outgoing.Length > 0 && voters.Length == 0)
        {
            return "A group keeps a voter.";
        }

        var isUsedAgain = removed.Intersect(voting).Any() || removed.Intersect(learners).Any();
        return isUsedAgain ? "An id is never used again." : null;
    }

    private string? Problem() => ProblemOf(_voters, _outgoing, _learners, _learnersNext, _removed);

    private static bool Rises(NodeId[] nodes)
    {
        for (var i = 1; i < nodes.Length; i++)
        {
            if (nodes[i - 1].CompareTo(nodes[i]) >= 0)
            {
                return false;
            }
        }

        return true;
    }

    private MemberRecord[] Complete(IEnumerable<MemberRecord> records)
    {
        MemberRecord[] known = [.. records];
        return
        [
            .. _voters.Union(_outgoing).Union(_learners).Order()
                .Select(node => Array.Find(known, record => record.Node == node) ?? MemberRecord.Of(node)),
        ];
    }
}
