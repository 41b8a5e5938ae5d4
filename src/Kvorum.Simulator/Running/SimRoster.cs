using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// Who is a member, as the cluster itself decided: the newest committed membership, and what is in some log above it.
/// </summary>
internal sealed class SimRoster(SimSettings settings) : WorldObserver
{
    private readonly (LogIndex Index, Membership Membership)[] _seen =
        new (LogIndex, Membership)[SimSettings.PlacesMax + 1];

    /// <summary>The newest membership anybody knows to be committed.</summary>
    public Membership Committed { get; private set; } =
        new(Enumerable.Range(1, settings.Voters).Select(voter => new NodeId((ulong)voter)), []);

    public LogIndex CommittedIndex { get; private set; }

    /// <summary>No change is under way, and none is in a log that may still come to be committed.</summary>
    public bool IsSettled => !Committed.IsJoint && Undecided().Count == 0;

    public bool IsMember(SimNode node) => Committed.Contains(new NodeId((ulong)node.Place));

    public bool IsVoter(SimNode node) => Committed.IsVoter(new NodeId((ulong)node.Place));

    /// <summary>A voter, or a learner that becomes one by itself.</summary>
    public bool Counts(SimNode node) =>
        IsVoter(node) || Committed.Find(new NodeId((ulong)node.Place)) is { JoinsByItself: true };

    public bool WasRemoved(SimNode node) => Committed.WasRemoved(new NodeId((ulong)node.Place));

    /// <summary>Memberships of members' logs that are newer than the committed one.</summary>
    public IReadOnlyList<Membership> Undecided()
    {
        var found = new List<Membership>();
        foreach (var member in Committed.Members)
        {
            var (index, membership) = _seen[(int)member.Node.Value];
            if (membership is not null && index > CommittedIndex)
            {
                found.Add(membership);
            }
        }

        return found;
    }

    public override void Started(int node, RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
        _seen[node] = default;
        foreach (var entry in recovered.Entries)
        {
            if (entry.Kind is EntryKind.Membership && entry.Index > recovered.Applied)
            {
                _seen[node] = (entry.Index, raft.Membership);
            }
        }
    }

    public override void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
        for (var i = 0; i < effects.Events.Count; i++)
        {
            if (effects.Events[i] is MembershipChanged changed)
            {
                _seen[node] = (changed.Index, changed.Membership);
            }
            else if (effects.Events[i] is MembershipCommitted committed && committed.Index > CommittedIndex)
            {
                CommittedIndex = committed.Index;
                Committed = committed.Membership;
            }
        }
    }
}
