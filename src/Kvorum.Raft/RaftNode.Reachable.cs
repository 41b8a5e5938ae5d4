namespace Kvorum.Raft;

/// <summary>
/// With whom this replica must be able to speak, and how it learns of nodes that its log does not know yet.
/// </summary>
public sealed partial class RaftNode
{
    /// <summary>A removed node is told so many times, a heartbeat apart.</summary>
    internal const int FarewellBeats = 20;

    private readonly List<Farewell> _farewells = [];

    /// <summary>Candidates that this log does not know, or not where they are now; never more than members.</summary>
    private readonly List<MemberRecord> _candidates = [];

    /// <summary>What a leader told last of members, and that this log does not know to be committed yet.</summary>
    private (LogIndex Index, Membership Membership)? _notice;

    /// <summary>
    /// Whom the host should be able to reach: members, those whose removal is not committed yet or who are being told
    /// of it, those that a leader named who is not known as a member yet, and candidates that are not either. The
    /// object is another one after each change.
    /// </summary>
    public IReadOnlyList<MemberRecord> Reachable { get; private set; } = [];

    /// <summary>
    /// The vote of a node that was away may be the one that is missing, and the candidate one that came meanwhile: then
    /// only the candidate itself can say where to answer. Who has the longer log knows it best.
    /// </summary>
    private void Meet(RequestVote request)
    {
        if (request.Candidate is not { } candidate || candidate.Node != request.From
            || !request.LastEntry.IsAtLeastAsUpToDateAs(_log.Last))
        {
            return;
        }

        _candidates.RemoveAll(known => known.Node == candidate.Node);
        if (candidate != _membership.Find(candidate.Node))
        {
            if (_candidates.Count == Membership.NodesMax)
            {
                _candidates.RemoveAt(0);
            }

            _candidates.Add(candidate);
        }

        UpdateReachable();
    }

    private void UpdateReachable()
    {
        _candidates.RemoveAll(candidate => _memberships.Committed.WasRemoved(candidate.Node));
        var nodes = _membership.Members
            .Select(member => _candidates.Find(candidate => candidate.Node == member.Node) ?? member)
            .ToList();
        foreach (var candidate in _candidates)
        {
            AddMissing(nodes, candidate);
        }

        foreach (var member in _memberships.Committed.Members)
        {
            AddMissing(nodes, member); // A leader that goes still waits for the answers that commit its removal.
        }

        foreach (var farewell in _farewells)
        {
            AddMissing(nodes, farewell.Record);
        }

        if (_notice is { } notice)
        {
            var isNewer = notice.Index > _memberships.LastIndex;
            foreach (var member in notice.Membership.Members)
            {
                var place = isNewer ? nodes.FindIndex(known => known.Node == member.Node) : -1;
                if (place >= 0)
                {
                    nodes[place] = member; // It may have moved while this node was away.
                }

                AddMissing(nodes, member);
            }
        }

        nodes.RemoveAll(member => member.Node == _options.Node);
        if (!nodes.SequenceEqual(Reachable))
        {
            Reachable = nodes;
        }
    }

    private static void AddMissing(List<MemberRecord> nodes, MemberRecord record)
    {
        if (!nodes.Exists(known => known.Node == record.Node))
        {
            nodes.Add(record);
        }
    }

    /// <summary>
    /// Somebody who does not answer may not know us, or not where to answer to: the notice has the addresses.
    /// </summary>
    private void GiveNotice(PeerProgress peer)
    {
        var isSilent = !peer.HasAnswered || !IsActive(peer);
        if (isSilent && (peer.NoticedAt == 0 || _now - peer.NoticedAt >= (ulong)_options.ElectionTicks / 2))
        {
            peer.NoticedAt = _now;
            SendNotice(peer.Node, _memberships.CommittedIndex, _memberships.Committed);
        }
    }

    private void TickFarewells()
    {
        if (_farewells.Count == 0)
        {
            return;
        }

        foreach (var farewell in _farewells)
        {
            farewell.Beats++;
            SendNotice(farewell.Record.Node, farewell.Index, farewell.Membership);
        }

        if (_farewells.RemoveAll(farewell => farewell.Beats >= FarewellBeats) > 0)
        {
            UpdateReachable();
        }
    }

    private void SendNotice(NodeId to, LogIndex index, Membership membership) =>
        _effects.AddSend(new MembershipNotice(_options.Group, _options.Node, to, _term, index, membership));

    private void OnMembershipNotice(MembershipNotice notice)
    {
        if (notice.Membership.WasRemoved(_options.Node) && !IsRemoved)
        {
            // An id is never used again, so an old notice says it as well as a new one.
            _wasTold = true;
            _effects.AddEvent(new RemovedFromCluster());
            if (_role is not (Role.Follower or Role.Leader))
            {
                BecomeFollower(_term, leader: null);
            }
        }

        if (notice.Index > _memberships.CommittedIndex && (_notice is not { } known || notice.Index > known.Index))
        {
            _notice = (notice.Index, notice.Membership);
            UpdateReachable();
        }
    }

    /// <summary>A node that is being told of its removal.</summary>
    private sealed class Farewell(MemberRecord record, LogIndex index, Membership membership)
    {
        public MemberRecord Record { get; } = record;

        public LogIndex Index { get; } = index;

        public Membership Membership { get; } = membership;

        public int Beats { get; set; }
    }
}
