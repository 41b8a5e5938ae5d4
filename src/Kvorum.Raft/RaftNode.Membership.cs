namespace Kvorum.Raft;

/// <summary>
/// Who is a member, how that changes, and who counts: thesis ch. 4; transfer of leadership §3.10.
/// </summary>
public sealed partial class RaftNode
{
    /// <summary>A learner is promoted by itself after it kept up for so many heartbeats in a row.</summary>
    internal const int PromotionRounds = 3;

    private readonly MembershipHistory _memberships;
    private readonly List<Standing> _standings = [];
    private readonly ForwardMemory _forwards = new();
    private Membership _membership;
    private bool _ownMayVote;
    private ulong _incarnation;
    private bool _hasLostTail;
    private ulong _lostIncarnation;
    private bool _wasTold;

    /// <summary>The last term this process led: only of that one it remembers what it answered.</summary>
    private Term? _lastLedTerm;

    /// <summary>The membership in force: the newest of the log, committed or not (thesis §4.1).</summary>
    public Membership Membership => _membership;

    /// <summary>The newest membership known to be committed.</summary>
    public Membership CommittedMembership => _memberships.Committed;

    /// <summary>A change of the membership is not committed yet, or voters are still changing.</summary>
    public bool IsChanging => _memberships.IsChanging || _membership.IsJoint;

    /// <summary>This node was removed from the cluster and knows it; it never campaigns again.</summary>
    public bool IsRemoved => _wasTold || _memberships.Committed.WasRemoved(_options.Node);

    /// <summary>Whether this node's vote counts: its directory is the one the membership speaks of.</summary>
    public bool MayVote => _mayVote;

    private void OnChangeMembers(ChangeMembers change)
    {
        if (_lead is { } lead)
        {
            var (result, entry, reason) = Change(lead, change.Change, change.IsDryRun);
            _effects.AddAdmin(new AdminOutcome(change.RequestId, result, entry, reason));
        }
        else if (_leader is { } leader && FindPeer(leader) is not { IsLinkLost: true })
        {
            _effects.AddSend(new ChangeRequest(
                _options.Group, _options.Node, leader, _term, change.RequestId, change.IsDryRun, change.Change));
        }
        else
        {
            _effects.AddAdmin(new AdminOutcome(change.RequestId, AdminResult.NoLeader, EntryId.Start, ""));
        }
    }

    private void OnTransferLeadership(TransferLeadership transfer)
    {
        if (_lead is { } lead)
        {
            var (result, reason) = StartTransfer(lead, transfer.To);
            _effects.AddAdmin(new AdminOutcome(transfer.RequestId, result, EntryId.Start, reason));
        }
        else if (transfer.RequestId != 0 && _leader is { } leader && FindPeer(leader) is not { IsLinkLost: true })
        {
            _effects.AddSend(new TransferRequest(
                _options.Group, _options.Node, leader, _term, transfer.RequestId, transfer.To));
        }
        else
        {
            _effects.AddAdmin(new AdminOutcome(transfer.RequestId, AdminResult.NoLeader, EntryId.Start, ""));
        }
    }

    private void OnChangeRequest(ChangeRequest request) => AnswerAdmin(request, request.RequestId, lead =>
        Change(lead, request.Change, request.IsDryRun));

    private void OnTransferRequest(TransferRequest request) => AnswerAdmin(request, request.RequestId, lead =>
    {
        var (result, reason) = StartTransfer(lead, request.Target);
        return (result, EntryId.Start, reason);
    });

    private void AnswerAdmin(
        Message request, ulong requestId, Func<LeaderState, (AdminResult Result, EntryId Entry, string Reason)> answer)
    {
        if (_forwards.Find(request.From, requestId, 0) is { } known)
        {
            _effects.AddSend(known);
        }
        else if (MayAnswer(request, requestId))
        {
            var (result, entry, reason) = _lead is { } lead && request.Term == _term
                ? answer(lead)
                : (AdminResult.NoLeader, EntryId.Start, "");
            var reply = new AdminReply(
                _options.Group, _options.Node, request.From, _term, requestId, result, entry, reason);
            _forwards.Remember(request.From, requestId, 0, reply);
            _effects.AddSend(reply);
        }
    }

    /// <summary>
    /// A request is sent to the leader of its term. Whoever led that term in an earlier process, or does not remember
    /// every answer of it, may have done already what is asked, so it says nothing: the asker hears of the lost leader
    /// by itself, and calls the outcome unknown.
    /// </summary>
    private bool MayAnswer(Message request, ulong requestId) =>
        request.Term == _lastLedTerm && !_forwards.MayBeForgotten(request.From, requestId);

    private void OnAdminReply(AdminReply reply) =>
        _effects.AddAdmin(new AdminOutcome(reply.RequestId, reply.Result, reply.Entry, reply.Reason));

    /// <summary>Appends the first entry of the change, or says why not.</summary>
    private (AdminResult Result, EntryId Entry, string Reason) Change(
        LeaderState lead, MembershipChange change, bool isDryRun)
    {
        if (!CanChange(lead) || lead.Transferee is not null)
        {
            var why = lead.Transferee is not null ? "leadership is being handed over."
                : _commit < lead.TermStart ? "the leader is new and has committed nothing yet."
                : "another change of the membership is under way.";
            return (AdminResult.Busy, EntryId.Start, why);
        }

        var plan = change.Plan(_membership, Peers, _options.Node, _log.Last.Index);
        if (plan.Next is null)
        {
            return (plan.IsBusy ? AdminResult.Busy : AdminResult.Refused, EntryId.Start, plan.Refusal ?? "");
        }

        if (!isDryRun)
        {
            AppendMembership(lead, plan.Next);
        }

        return (AdminResult.Accepted, isDryRun ? EntryId.Start : _log.Last, "");
    }

    /// <summary>
    /// One change at a time, and only when something of the own term is committed: otherwise two leaders could change
    /// the same membership to two whose majorities do not meet (thesis §4.1, and the correction of 2015).
    /// </summary>
    private bool CanChange(LeaderState lead) =>
        (!_memberships.IsChanging && _commit >= lead.TermStart) || RaftMutants.OverlappingChanges;

    /// <summary>What a leader changes by itself: it leaves a joint membership, demotes, promotes, and goes.</summary>
    private void TendMembership(LeaderState lead)
    {
        if (!CanChange(lead))
        {
            return;
        }

        if (_membership.IsJoint)
        {
            AppendMembership(lead, _membership.LeaveJoint());
        }
        else if (!_membership.IsVoter(_options.Node))
        {
            Resign(lead);
        }
        else if (lead.Transferee is null && NextByItself(lead) is { } next)
        {
            AppendMembership(lead, next);
        }
    }

    private Membership? NextByItself(LeaderState lead)
    {
        foreach (var peer in _peers)
        {
            if (peer.IsIncoming && peer.HasLostMemory && _membership.Voters.Length > 1)
            {
                return _membership.WithDemoted(peer.Node);
            }
        }

        foreach (var peer in lead.Peers)
        {
            if (peer.KeptRounds >= PromotionRounds && _membership.Find(peer.Node) is { JoinsByItself: true }
                && _membership.IsLearner(peer.Node) && CanBePromoted(peer.Node))
            {
                return _membership.WithPromoted(peer.Node, FindStanding(peer.Node)?.Incarnation ?? 0);
            }
        }

        return null;
    }

    /// <summary>Its present directory is known and did not lose anything since it began.</summary>
    private bool CanBePromoted(NodeId node) =>
        FindStanding(node) is not { } standing
        || (!standing.IsVoid && (standing.MayVote || standing.Incarnation != 0));

    /// <summary>
    /// A leader that is no member any more, and whose removal is committed, hands over and goes (thesis §4.2.2).
    /// </summary>
    private void Resign(LeaderState lead)
    {
        if (lead.Transferee is not null)
        {
            return;
        }

        if (lead.IsResigning || StartTransfer(lead, to: null).Result != AdminResult.Accepted)
        {
            BecomeFollower(_term, leader: null);
            return;
        }

        lead.IsResigning = true;
    }

    private void AppendMembership(LeaderState lead, Membership membership)
    {
        AppendOwn(EntryKind.Membership, MembershipCodec.Encode(membership));
        lead.UnsettledBytes += _log.At(_log.Last.Index).Payload.Length;
        lead.MayCommit = true;
    }

    /// <summary>Every entry that comes into the log goes by here; a membership is in force from now on.</summary>
    private void NoteAppended(in LogEntry entry)
    {
        if (entry.Kind == EntryKind.Membership)
        {
            _memberships.Append(entry.Index, Decode(entry));
            OnMembershipMoved();
        }
    }

    private static Membership Decode(in LogEntry entry)
    {
        var isWhole = MembershipCodec.TryDecode(entry.Payload, out var membership, out var error);
        Invariant.Holds(isWhole && membership is not null, $"A membership entry holds a membership: {error}");
        return membership;
    }

    private static MembershipHistory RecoverMemberships(RecoveredState recovered, RaftLog log)
    {
        var memberships = new MembershipHistory(recovered.Applied, recovered.Membership);
        for (var index = recovered.Applied.Next; index <= log.Last.Index; index = index.Next)
        {
            if (log.At(index) is { Kind: EntryKind.Membership } entry)
            {
                memberships.Append(index, Decode(entry));
            }
        }

        return memberships;
    }

    /// <summary>The commit index rose: perhaps over a membership.</summary>
    private void CommitMemberships()
    {
        var before = _memberships.Committed;
        if (!_memberships.Commit(_commit))
        {
            return;
        }

        var now = _memberships.Committed;
        if (_lead is not null)
        {
            foreach (var node in now.Removed)
            {
                if (!before.WasRemoved(node) && node != _options.Node && before.Find(node) is { } record)
                {
                    _farewells.Add(new Farewell(record, _memberships.CommittedIndex, now));
                }
            }
        }

        if (_notice is { } notice && notice.Index <= _memberships.CommittedIndex)
        {
            _notice = null;
        }

        _effects.AddEvent(new MembershipCommitted(_memberships.CommittedIndex, now));
        OnMembershipMoved();
        UpdateReachable();
    }

    private void OnMembershipMoved()
    {
        if (ReferenceEquals(_membership, _memberships.InForce))
        {
            return;
        }

        _membership = _memberships.InForce;
        _candidates.RemoveAll(candidate => _membership.Contains(candidate.Node));
        _effects.AddEvent(new MembershipChanged(_memberships.LastIndex, _membership));
        MakePeers();
        if (_lead is { } lead)
        {
            FollowPeers(lead);
        }
    }

    /// <summary>
    /// The leader's progress follows the peers: who stays keeps what is known of it. A new one is sent the last entry,
    /// the membership itself: its refusal tells where its log ends, even when nothing is written any more.
    /// </summary>
    private void FollowPeers(LeaderState lead)
    {
        var progress = new PeerProgress[_peers.Length];
        for (var i = 0; i < progress.Length; i++)
        {
            progress[i] = FindProgress(lead, _peers[i].Node)
                ?? new PeerProgress(_peers[i], _log.Last.Index, _now, _options);
            progress[i].Peer = _peers[i];
        }

        lead.Peers = progress;
        lead.MayCommit = true;
        if (lead.Transferee is { } target && !_membership.IsVoter(target))
        {
            lead.Transferee = null;
        }
    }

    private void MakePeers()
    {
        var old = _peers;
        var made = new List<Peer>(Membership.NodesMax);
        foreach (var member in _membership.Members)
        {
            if (member.Node != _options.Node)
            {
                made.Add(new Peer(member.Node, _membership)
                {
                    IsLinkLost = Array.Find(old, known => known.Node == member.Node) is { IsLinkLost: true },
                });
            }
        }

        _peers = [.. made];
        UpdateStandings();
        UpdateReachable();
    }

    /// <summary>
    /// A voter is a node with a certain directory. Where the membership names the incarnation, that one counts; a voter
    /// of the initial cluster counts while it is the one that was met first.
    /// </summary>
    private void UpdateStandings()
    {
        foreach (var peer in _peers)
        {
            var named = _membership.Find(peer.Node)?.Incarnation ?? 0;
            var standing = FindStanding(peer.Node);
            peer.MayVote = named == 0
                ? standing is not { MayVote: false }
                : standing is { IsVoid: false } known && known.Incarnation == named;
            peer.HasLostMemory = standing is { } judged && !peer.MayVote
                && (judged.IsVoid || !judged.MayVote || judged.Incarnation != 0);
        }

        // Also while its own removal is not committed: that may need its vote. One that joined is promoted by name, so
        // a voter without a name is an initial one whose directory is gone; but a learner may have been promoted by
        // an entry that it has not got yet.
        var mine = _memberships.Find(_options.Node)?.Incarnation ?? 0;
        var mayBeUnnamed = !_options.IsJoining || _membership.IsLearner(_options.Node);
        _mayVote = mine == 0 ? _ownMayVote && mayBeUnnamed : mine == _incarnation;

        // Until it was promoted with its new directory it keeps telling which one lost something: the first word may
        // have been lost, and of the new directory the leader does not know that anything is amiss.
        _hasLostTail &= mine == 0 || mine != _incarnation;
    }

    private Standing? FindStanding(NodeId node)
    {
        foreach (var standing in _standings)
        {
            if (standing.Peer == node)
            {
                return standing;
            }
        }

        return null;
    }

    private void OnStanding(Standing standing)
    {
        if (standing.Peer == _options.Node)
        {
            _ownMayVote = standing.MayVote;
            _incarnation = standing.Incarnation == 0 ? _incarnation : standing.Incarnation;
            UpdateStandings();
            if (!_mayVote && _role != Role.Follower)
            {
                BecomeFollower(_term, leader: null);
            }

            return;
        }

        var before = FindStanding(standing.Peer);
        _standings.RemoveAll(known => known.Peer == standing.Peer);
        _standings.Add(standing);
        UpdateStandings();
        if (_lead is not { } lead)
        {
            return;
        }

        lead.MayCommit = true;
        var isAnother = before is { } known && known.Incarnation != 0 && known.Incarnation != standing.Incarnation;
        var isFirstDoubt = !standing.MayVote && before is not { MayVote: false };
        if ((isAnother || isFirstDoubt || standing.IsVoid) && FindProgress(lead, standing.Peer) is { } progress)
        {
            // Its log is another one than the one that acknowledged: find anew where it agrees with ours.
            progress.Forget();
            if (_membership.IsLearner(standing.Peer))
            {
                // A voter is sent its demotion. A learner is sent the last entry, for nothing may be written any more.
                progress.BecomeProbe(LogIndex.Min(progress.Next, _log.Last.Index));
            }
        }
    }

    /// <summary>Counts the heartbeats in a row for which a learner had all that the one before asked for.</summary>
    private void CountRound(PeerProgress peer)
    {
        if (!_membership.IsLearner(peer.Node))
        {
            return;
        }

        var isKept = peer.Match >= peer.RoundTarget && peer.Match > LogIndex.Zero && IsActive(peer);
        peer.KeptRounds = isKept ? peer.KeptRounds + 1 : 0;
        peer.RoundTarget = _log.Last.Index;
    }

    private (AdminResult Result, string Reason) StartTransfer(LeaderState lead, NodeId? to)
    {
        if (lead.Transferee is { } under)
        {
            return (AdminResult.Busy, $"leadership is being handed to node {under}.");
        }

        if (to == _options.Node)
        {
            return (AdminResult.Refused, $"node {to} leads already.");
        }

        if (to is { } wanted && !_membership.IsIncoming(wanted))
        {
            return (AdminResult.Refused, $"node {wanted} is no voter.");
        }

        PeerProgress? best = null;
        foreach (var peer in lead.Peers)
        {
            if ((to is null || peer.Node == to) && peer.Peer is { IsIncoming: true, Counts: true, IsLinkLost: false }
                && IsActive(peer) && (best is null || peer.Match > best.Match))
            {
                best = peer;
            }
        }

        if (best is null)
        {
            return (AdminResult.Refused, to is null ? "no other voter answers." : $"node {to} does not answer.");
        }

        lead.Transferee = best.Node;
        lead.TransferBegunAt = _now;
        lead.IsTimeoutNowSent = false;
        return (AdminResult.Accepted, "");
    }

    /// <summary>The largest value a majority has reached, of both sets in a joint membership.</summary>
    private ulong ReachedByVoters(LeaderState lead, ulong own, Func<PeerProgress, ulong> valueOf)
    {
        Span<ulong> incoming = stackalloc ulong[Membership.NodesMax + 1];
        Span<ulong> outgoing = stackalloc ulong[Membership.NodesMax + 1];
        var values = new JointValues(incoming, outgoing);
        var isIncoming = _membership.IsIncoming(_options.Node) || RaftMutants.RemovedLeaderCounts;
        values.Add(isIncoming, _membership.IsOutgoing(_options.Node), _mayVote ? own : 0);
        foreach (var peer in lead.Peers)
        {
            var counts = peer.Peer.Counts || RaftMutants.LearnerCounts;
            values.Add(
                peer.Peer.IsIncoming || RaftMutants.LearnerCounts, peer.Peer.IsOutgoing, counts ? valueOf(peer) : 0);
        }

        return values.Reached();
    }
}
