using System.Numerics;

namespace Kvorum.Raft;

/// <summary>
/// Leader election: thesis §3.4, pre-vote §9.6, check-quorum §6.2, refusal while a leader is heard §4.2.3.
/// </summary>
public sealed partial class RaftNode
{
    /// <summary>After this many hurried pre-votes that came to nothing, the ordinary timeout takes over.</summary>
    internal const int HurriedAttemptsMax = 10;

    private int _electionElapsed;
    private int _electionTimeout;

    /// <summary>
    /// Who granted and who refused in this campaign: a bit per peer, so that a repeated answer counts once.
    /// </summary>
    private uint _granted;
    private uint _refused;
    private bool _ownVoteCounts;
    private WriteId _ownVoteWrite;

    /// <summary>
    /// The leader whose connection broke and whom this replica hurries to replace; null when it does not hurry.
    /// </summary>
    private NodeId? _hurriedFrom;
    private int _hurriedTicks;
    private int _hurriedAttempts;

    private bool CanCampaign =>
        _mayVote && IsElectable && !_membership.IsLearnerNext(_options.Node) && !IsRemoved && _installing is null;

    /// <summary>
    /// A voter whose removal is not committed may be the only one whose log can win, so it still campaigns, without
    /// counting itself (thesis §4.2.2).
    /// </summary>
    private bool IsElectable =>
        _membership.IsVoter(_options.Node) || (_memberships.IsChanging && _memberships.IsVoterInAny(_options.Node));

    private bool IsLoneVoter =>
        _membership is { IsJoint: false, Voters.Length: 1 } && _membership.IsVoter(_options.Node);

    private void OnTick()
    {
        _now++;
        if (_lead is { } lead)
        {
            TickLeader(lead);
            return;
        }

        _electionElapsed++;
        GiveUpOldReads();
        if (_role == Role.Candidate && !_ownVoteCounts)
        {
            return; // A disk slower than the timeout must not start campaign after campaign, none of which it can win.
        }

        if (_hurriedTicks > 0 && --_hurriedTicks == 0 && CanCampaign)
        {
            PreCampaign("connection lost");
        }
        else if (_electionElapsed >= _electionTimeout)
        {
            _hurriedFrom = null;
            _hurriedTicks = 0;
            if (CanCampaign)
            {
                PreCampaign("timeout");
            }
            else
            {
                ResetElectionTimer();
                SetLeader(null);
            }
        }
    }

    private void TickLeader(LeaderState lead)
    {
        if (!HearsQuorum(lead) && !RaftMutants.PreVoteRaisesTerm)
        {
            _effects.AddEvent(new QuorumLost(_term));
            BecomeFollower(_term, leader: null);
            return;
        }

        if (lead.Transferee is not null && _now - lead.TransferBegunAt >= (ulong)_options.ElectionTicks)
        {
            lead.Transferee = null;
        }

        TickPeers(lead);
    }

    private void ResetElectionTimer()
    {
        _electionElapsed = 0;

        // A lone voter has nobody to collide with.
        _electionTimeout = IsLoneVoter
            ? 1
            : _chance.Between(_options.ElectionTicks, (2 * _options.ElectionTicks) - 1);
    }

    /// <summary>
    /// A replica that just started asks early whether a leader is needed: where there is one, its followers refuse the
    /// pre-vote and nothing is disturbed (thesis §9.6); where a whole cluster starts, nobody has to wait out a timeout.
    /// </summary>
    private void StartElectionTimer()
    {
        ResetElectionTimer();
        if (!IsLoneVoter)
        {
            var earliest = Math.Min(2 * _options.HeartbeatTicks, _options.ElectionTicks);
            _electionTimeout = _chance.Between(earliest, _options.ElectionTicks);
        }
    }

    /// <summary>Asks whether a campaign could be won, without disturbing anybody's term (thesis §9.6).</summary>
    private void PreCampaign(string reason)
    {
        SetRole(Role.PreCandidate, leader: null);
        BeginCount();
        _effects.AddEvent(new CampaignStarted(_term.Next, IsPreVote: true, reason));
        HurryAgainIn(_options.HurriedElectionTicksMax);
        _ownVoteCounts = true;
        RequestVotes(_term.Next, isPreVote: true, isTransfer: false);
        Count();
    }

    /// <summary>Enters a new term and asks for votes (paper §5.2). The own vote counts once it is on disk.</summary>
    private void Campaign(string reason, bool isTransfer)
    {
        _term = _term.Next;
        _votedFor = _options.Node;
        SetRole(Role.Candidate, leader: null);
        SaveHardState();
        BeginCount();
        _ownVoteWrite = _effects.Write;
        _effects.AddEvent(new CampaignStarted(_term, IsPreVote: false, reason));
        HurryAgainIn(2 * _options.HurriedElectionTicksMax);

        // The requests wait for the disk: they speak of a log end, and a candidate that lost part of that log in a
        // crash could campaign in the same term again and count votes that were given to the longer log.
        RequestVotes(_term, isPreVote: false, isTransfer);
    }

    private void BeginCount()
    {
        _granted = 0;
        _refused = 0;
        _ownVoteCounts = false;
        ResetElectionTimer();
    }

    /// <summary>A hurried campaign that gets no answer is repeated soon, a bounded number of times.</summary>
    private void HurryAgainIn(int ticks)
    {
        if (_hurriedFrom is null)
        {
            return;
        }

        _hurriedTicks = 0;
        if (++_hurriedAttempts < HurriedAttemptsMax)
        {
            _hurriedTicks = ticks + _chance.Between(1, _options.HurriedElectionTicksMax);
        }
    }

    private void RequestVotes(Term term, bool isPreVote, bool isTransfer)
    {
        var self = _memberships.Find(_options.Node);
        foreach (var peer in _peers)
        {
            if (!peer.Counts && !RaftMutants.LearnerCounts)
            {
                continue;
            }

            var request = new RequestVote(
                _options.Group, _options.Node, peer.Node, term, _log.Last, isPreVote,
                isPreVote ? _hurriedFrom : null, isTransfer,
                self?.Incarnation ?? 0, self);
            if (isPreVote)
            {
                _effects.AddSend(request);
            }
            else
            {
                _effects.AddSendAfterSync(request);
            }
        }
    }

    private void OnRequestVote(RequestVote request)
    {
        if (request.From == _leader && request.Term >= _term)
        {
            SetLeader(null); // A leader does not campaign: it lost its role, perhaps by a restart.
        }

        if (RaftMutants.PreVoteRaisesTerm && request.IsPreVote && request.Term > _term)
        {
            BecomeFollower(request.Term, leader: null);
        }

        if (!request.IsTransfer && HearsLeader(request))
        {
            // Thesis §4.2.3: without this a replica that cannot hear the leader would depose it again and again.
            Refuse(request);
            return;
        }

        Meet(request);
        if (request.IsPreVote)
        {
            OnPreVote(request);
        }
        else
        {
            OnVote(request);
        }
    }

    private bool HearsLeader(RequestVote request)
    {
        if (_leader is not { } leader || _role != Role.Follower)
        {
            return _role == Role.Leader;
        }

        // Both connections to the leader broke, the candidate's and ours: only the pre-vote names the leader, and the
        // vote that follows is refused by everybody who did not lose it too.
        var isLost = FindPeer(leader) is { IsLinkLost: true } && (!request.IsPreVote || request.LostLeader == leader);
        return !isLost && _electionElapsed < _options.ElectionTicks;
    }

    private void OnPreVote(RequestVote request)
    {
        var isOpen = request.Term > _term || (request.Term == _term && (_votedFor is null || _votedFor == request.From));
        if (!isOpen || !CanVoteFor(request) || WinsTieAgainst(request))
        {
            Refuse(request);
            return;
        }

        if (_hurriedTicks > 0)
        {
            // Somebody else is about to win: do not get in the way.
            _hurriedTicks = (2 * _options.HurriedElectionTicksMax) + _chance.Between(1, _options.HurriedElectionTicksMax);
        }

        _effects.AddSend(new VoteReply(_options.Group, _options.Node, request.From, request.Term, IsPreVote: true, Granted: true));
    }

    /// <summary>
    /// Two replicas that miss the leader in the same moment would grant each other's pre-vote and then split the vote.
    /// So of two pre-candidates the one with the better log, then the larger id, does not stand back; only for a
    /// heartbeat's time after it asked, or a replica that is not heard could keep another one from ever winning.
    /// </summary>
    private bool WinsTieAgainst(RequestVote request) =>
        _role == Role.PreCandidate
        && request.LostLeader == _hurriedFrom
        && (_hurriedFrom is not null || _electionElapsed <= _options.HeartbeatTicks)
        && (request.LastEntry == _log.Last
            ? _options.Node.CompareTo(request.From) > 0
            : _log.Last.IsAtLeastAsUpToDateAs(request.LastEntry));

    private void OnVote(RequestVote request)
    {
        if (request.Term > _term)
        {
            BecomeFollower(request.Term, leader: null);
        }

        var isFree = _votedFor == request.From || (_votedFor is null && _leader is null);
        if (request.Term < _term || !isFree || !CanVoteFor(request))
        {
            Refuse(request);
            return;
        }

        if (_votedFor is null)
        {
            _votedFor = request.From;
            SaveHardState();
        }

        ResetElectionTimer(); // Paper §5.2: granting a vote gives the candidate time.
        _effects.AddSendAfterSync(new VoteReply(_options.Group, _options.Node, request.From, _term, IsPreVote: false, Granted: true));
    }

    /// <summary>
    /// Whether it is a member, or this node a voter, is not asked: the candidate's membership may be the newer one
    /// (thesis §4.1), and it asks only who counts in it.
    /// </summary>
    private bool CanVoteFor(RequestVote request) =>
        _mayVote && IsTrusted(request)
        && (RaftMutants.VoteWithoutLogCheck || request.LastEntry.IsAtLeastAsUpToDateAs(_log.Last));

    /// <summary>
    /// A candidate whose directory was replaced may miss what it had acknowledged, so its log proves nothing, unless its
    /// own membership names its present directory: then it was demoted and promoted since, and knows it.
    /// </summary>
    private bool IsTrusted(RequestVote request)
    {
        var standing = FindStanding(request.From);
        var isReadmitted = request.Incarnation != 0
            && standing is { IsVoid: false } known && known.Incarnation == request.Incarnation;
        return isReadmitted || (FindPeer(request.From) is { } peer ? peer.MayVote : standing is not { MayVote: false });
    }

    /// <summary>
    /// A refusal carries the own term. A real one promises by it, so it waits for the disk like a vote.
    /// </summary>
    private void Refuse(RequestVote request)
    {
#if MUTANTS
        _electionElapsed = RaftMutants.TimerResetOnDenial ? 0 : _electionElapsed;
#endif
        var refusal = new VoteReply(_options.Group, _options.Node, request.From, _term, request.IsPreVote, Granted: false);
        if (request.IsPreVote)
        {
            _effects.AddSend(refusal);
        }
        else
        {
            _effects.AddSendAfterSync(refusal);
        }
    }

    private void OnVoteReply(VoteReply reply)
    {
        var isMine = reply.IsPreVote
            ? _role == Role.PreCandidate && (!reply.Granted || reply.Term == _term.Next)
            : _role == Role.Candidate;
        if (!isMine)
        {
            return; // A late answer to a campaign that is over.
        }

        var bit = RaftMutants.DuplicateVotesCount
            ? 1U << BitOperations.PopCount(_granted | _refused)
            : 1U << Array.FindIndex(_peers, peer => peer.Node == reply.From);
        if (((_granted | _refused) & bit) != 0)
        {
            return; // Votes are a set: the first answer stands.
        }

        _granted |= reply.Granted ? bit : 0;
        _refused |= reply.Granted ? 0 : bit;
        Count();
    }

    private void CountOwnVote(WriteId persisted)
    {
        if (_role == Role.Candidate && !_ownVoteCounts && persisted >= _ownVoteWrite)
        {
            _ownVoteCounts = true;
            Count();
        }
    }

    private void Count()
    {
        var incoming = new VoteCount(_membership.Voters.Length, 0, 0);
        var outgoing = new VoteCount(_membership.OutgoingVoters.Length, 0, 0);
        var me = _options.Node;
        Note(_membership.IsIncoming(me), _membership.IsOutgoing(me), _ownVoteCounts, isRefused: false);
        for (var i = 0; i < _peers.Length; i++)
        {
            var peer = _peers[i];
            if (peer.Counts || RaftMutants.LearnerCounts)
            {
                Note(
                    peer.IsIncoming || RaftMutants.LearnerCounts, peer.IsOutgoing,
                    ((_granted >> i) & 1) != 0, ((_refused >> i) & 1) != 0);
            }
        }

#if MUTANTS
        if (RaftMutants.JointAsUnion || RaftMutants.LearnerCounts)
        {
            var others = _peers.Count(peer => peer.IsVoter || RaftMutants.LearnerCounts);
            incoming.Voters = others + (_membership.IsVoter(_options.Node) ? 1 : 0);
        }
#endif
        switch (JointQuorum.Result(incoming, outgoing))
        {
            // Without the own vote on disk even a majority of others is not enough: this replica could forget the term
            // it leads.
            case VoteResult.Won when _ownVoteCounts && _role == Role.PreCandidate:
                Campaign(_hurriedFrom is null ? "timeout" : "connection lost", isTransfer: false);
                break;
            case VoteResult.Won when _ownVoteCounts:
                BecomeLeader();
                break;
            case VoteResult.Lost:
                SetRole(Role.Follower, leader: null);
                if (_hurriedTicks > 0)
                {
                    _hurriedTicks = _chance.Between(1, _options.HurriedElectionTicksMax);
                }

                break;
        }

        void Note(bool isIncoming, bool isOutgoing, bool isGranted, bool isRefused)
        {
            var granted = isGranted ? 1 : 0;
            var refused = isRefused ? 1 : 0;
            if (isIncoming || (isOutgoing && RaftMutants.JointAsUnion))
            {
                incoming.Granted += granted;
                incoming.Refused += refused;
            }

            if (isOutgoing && !RaftMutants.JointAsUnion)
            {
                outgoing.Granted += granted;
                outgoing.Refused += refused;
            }
        }
    }

    private void BecomeLeader()
    {
        StopHurrying();
        var termStart = _log.Last.Index.Next;
        var progress = new PeerProgress[_peers.Length];
        for (var i = 0; i < progress.Length; i++)
        {
            progress[i] = new PeerProgress(_peers[i], termStart, _now, _options);
        }

        _lastLedTerm = _term;
        _lead = new LeaderState(progress, termStart) { Settled = Settled, UnsettledBytes = BytesAfter(Settled) };
        SetRole(Role.Leader, _options.Node);

        // Only an entry of the own term commits what earlier terms left behind (paper §5.4.2, §8).
        AppendOwn(EntryKind.NoOp, ReadOnlyMemory<byte>.Empty);
    }

    private void BecomeFollower(Term term, NodeId? leader)
    {
        Invariant.Holds(term >= _term, "A term never goes back (paper §5.1).");

        if (_lead is { } lead)
        {
            _lead = null;
            _farewells.Clear();
            UpdateReachable();
            RefuseReads(lead);
            ResetElectionTimer();
        }

        if (term > _term)
        {
            _term = term;
            _votedFor = null;
            SaveHardState();
        }

        SetRole(Role.Follower, leader);
    }

    /// <summary>A message of this term's leader: it lives (paper §5.2).</summary>
    private void HeardLeader(NodeId leader)
    {
        Invariant.Holds(_role != Role.Leader, "A term has at most one leader (paper §5.2).");
        Invariant.Holds(_leader is null || _leader == leader, "A term has at most one leader (paper §5.2).");
        if (_role != Role.Follower || _leader is null)
        {
            BecomeFollower(_term, leader);
            ResetElectionTimer();
        }

#if MUTANTS
        _electionElapsed = RaftMutants.TimerResetOnDenial ? _electionElapsed : 0;
#else
        _electionElapsed = 0;
#endif
        StopHurrying();
    }

    private void SetRole(Role role, NodeId? leader)
    {
        var isNews = role != _role;
        _role = role;
        SetLeader(leader);
        if (isNews)
        {
            _effects.AddEvent(new RoleChanged(role, _term, leader));
        }
    }

    private void SetLeader(NodeId? leader)
    {
        if (_leader == leader)
        {
            return;
        }

        _leader = leader;
        RefuseFollowerReads();
        _effects.AddEvent(new LeaderChanged(leader, _term));
    }

    private void StopHurrying()
    {
        _hurriedFrom = null;
        _hurriedTicks = 0;
        _hurriedAttempts = 0;
    }

    private void OnConnectionLost(ConnectionLost lost)
    {
        if (FindPeer(lost.Peer) is not { } peer)
        {
            return;
        }

        peer.IsLinkLost = true;
        if (_lead is { } lead)
        {
            PausePeer(lead, peer);
        }
        else if (_role == Role.Follower && _leader == lost.Peer)
        {
            RefuseFollowerReads(); // What was asked there is probably lost.
            if (_hurriedFrom is null)
            {
                _hurriedFrom = lost.Peer;
                _hurriedAttempts = 0;
                _hurriedTicks = _chance.Between(1, _options.HurriedElectionTicksMax);
            }
        }
    }

    private void OnConnectionMade(ConnectionMade made)
    {
        if (FindPeer(made.Peer) is not { } peer)
        {
            return;
        }

        peer.IsLinkLost = false;
        if (_hurriedFrom == made.Peer)
        {
            StopHurrying();
        }

        if (_lead is { } lead)
        {
            ResumePeer(lead, peer);
        }
    }

    private bool HearsQuorum(LeaderState lead) =>
        ReachedByVoters(lead, own: 1, peer => IsActive(peer) ? 1UL : 0) > 0;

    private bool IsActive(PeerProgress peer) => _now - peer.HeardAt < (ulong)_options.ElectionTicks;

    private void OnTimeoutNow(TimeoutNow timeout)
    {
        if (_role == Role.Follower && _leader == timeout.From && CanCampaign)
        {
            // No pre-vote: the leader itself wants its term to end (thesis §3.10).
            Campaign("transfer", isTransfer: true);
        }
    }
}
