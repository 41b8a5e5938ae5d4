namespace Kvorum.Raft;

/// <summary>
/// Who votes and who only learns. Sorted by id, without duplicates; at most <see cref="NodesMax"/> nodes in all.
/// </summary>
public sealed class Membership : IEquatable<Membership>
{
    /// <summary>The most nodes one group may have, voters and learners together.</summary>
    public const int NodesMax = 16;

    private readonly NodeId[] _voters;
    private readonly NodeId[] _learners;

    public Membership(IEnumerable<NodeId> voters, IEnumerable<NodeId> learners)
    {
        _voters = [.. voters.Order()];
        _learners = [.. learners.Order()];
        Invariant.Holds(_voters.Length + _learners.Length <= NodesMax, "A group has at most 16 nodes.");
        for (var i = 1; i < _voters.Length; i++)
        {
            Invariant.Holds(_voters[i - 1] != _voters[i], "A voter is listed once.");
        }

        foreach (var learner in _learners)
        {
            Invariant.Holds(!IsVoter(learner), "A node votes or learns, never both.");
        }
    }

    public ReadOnlySpan<NodeId> Voters => _voters;

    public ReadOnlySpan<NodeId> Learners => _learners;

    public bool IsVoter(NodeId node) => Array.BinarySearch(_voters, node) >= 0;

    public bool Contains(NodeId node) => IsVoter(node) || Array.BinarySearch(_learners, node) >= 0;

    public bool Equals(Membership? other) =>
        other is not null && Voters.SequenceEqual(other.Voters) && Learners.SequenceEqual(other.Learners);

    public override bool Equals(object? obj) => Equals(obj as Membership);

    public override int GetHashCode() => _voters.Length * 31 + _learners.Length;
}
