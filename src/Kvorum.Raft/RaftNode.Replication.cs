namespace Kvorum.Raft;

/// <summary>Log replication: thesis §3.5 and §3.6; writing to the leader's disk in parallel §10.2.1.</summary>
public sealed partial class RaftNode
{
    /// <summary>
    /// The most entries handed out for applying and not yet reported as applied; the rest follows as they are.
    /// </summary>
    internal const int ApplyingEntriesMax = 16_384;

    /// <summary>Old entries for a lagging peer are read this many messages at a time.</summary>
    private const int FetchedMessages = 16;

    private void AppendOwn(EntryKind kind, ReadOnlyMemory<byte> payload)
    {
        var entry = new LogEntry(new EntryId(_term, _log.Last.Index.Next), kind, payload);
        _log.Append(entry);
        _effects.AddAppend(entry);
        NoteAppended(entry);
    }

    /// <summary>Everything a leader does once per step, however many things the step changed.</summary>
    private void FlushLeader(LeaderState lead)
    {
        if (lead.MayCommit)
        {
            lead.MayCommit = false;
            CommitByCounting(lead);
        }

        TendMembership(lead);
        if (_lead is null)
        {
            return; // It was removed, and nobody is there to hand over to.
        }

        CompleteReadRounds(lead);
        StartReadRounds(lead);
        foreach (var peer in lead.Peers)
        {
            SendEntries(peer);
            if (peer.CommitSent < peer.CommitWanted)
            {
                TellCommit(peer);
            }
        }

        FinishTransfer(lead);
    }

    private void TickPeers(LeaderState lead)
    {
        var isBeat = ++lead.TicksSinceHeartbeat >= _options.HeartbeatTicks;
        if (isBeat)
        {
            lead.TicksSinceHeartbeat = 0;
        }

        foreach (var peer in lead.Peers)
        {
            if (isBeat)
            {
                SendHeartbeat(peer);
                CountRound(peer);
                GiveNotice(peer);
            }
            else
            {
                TellCommit(peer); // Nobody waits for it there, so once per tick is soon enough.
            }

            RepeatSnapshotQuestion(peer);
        }

        if (isBeat)
        {
            TickFarewells();
        }
    }

    private void SendHeartbeat(PeerProgress peer)
    {
        // Never beyond what is known to match: the rest of the follower's log may be another leader's.
        var commit = LogIndex.Min(peer.Match, _commit);
        peer.CommitSent = LogIndex.Max(peer.CommitSent, commit);
        var term = commit >= _log.Start.Index ? _log.TermOf(commit) : Term.Zero;
        _effects.AddSend(new Heartbeat(
            _options.Group, _options.Node, peer.Node, _term, new EntryId(term, commit), _lastReadRound));
    }

    private void TellCommit(PeerProgress peer)
    {
        if (LogIndex.Min(peer.Match, _commit) > peer.CommitSent)
        {
            SendHeartbeat(peer);
        }
    }

    /// <summary>Sends what the peer's state and window allow.</summary>
    private void SendEntries(PeerProgress peer)
    {
        while (peer.Next <= _log.Last.Index && CanSend(peer))
        {
            if (peer.Next <= _log.Start.Index)
            {
                OfferSnapshot(peer);
                return;
            }

            if (peer.Next < _log.MemoryFirst)
            {
                Fetch(peer);
                return;
            }

            var entries = _log.Slice(peer.Next, _options.AppendEntriesMax, _options.AppendBytesMax, out var bytes);
            SendAppend(peer, entries, bytes);
        }
    }

    private static bool CanSend(PeerProgress peer) => peer.State switch
    {
        ProgressState.Probe => !peer.IsPaused && !peer.IsFetching,
        ProgressState.Replicate => !peer.Inflight.IsFull && !peer.IsFetching && !peer.IsPaused,
        _ => false,
    };

    private void SendAppend(PeerProgress peer, ReadOnlyMemory<LogEntry> entries, int bytes)
    {
        var previous = peer.Next.Previous;
        var last = previous.Plus((ulong)entries.Length);
        _effects.AddSend(new AppendEntries(
            _options.Group, _options.Node, peer.Node, _term, new EntryId(_log.TermOf(previous), previous), _commit, entries));
        if (peer.State == ProgressState.Replicate)
        {
            peer.CommitSent = LogIndex.Max(peer.CommitSent, LogIndex.Min(_commit, last));
        }

        peer.Sent(last, bytes, _now);
    }

    private void Fetch(PeerProgress peer)
    {
        var messages = peer.State == ProgressState.Probe ? 1 : FetchedMessages;
        peer.IsFetching = true;
        _effects.AddFetch(new FetchEntries(peer.Node, peer.Next, messages * _options.AppendBytesMax));
    }

    private void OnFetched(Fetched fetched)
    {
        if (_lead is not { } lead || FindProgress(lead, fetched.Peer) is not { } peer)
        {
            return;
        }

        peer.IsFetching = false;
        if (fetched.Entries.IsEmpty)
        {
            // Cut in the meantime: a snapshot covers it. Otherwise ask again after the peer's next sign of life.
            peer.IsPaused = true;
            peer.MovedAt = _now;
            if (_snapshot is { } snapshot && snapshot.LastIncluded.Index >= peer.Next && peer.State != ProgressState.Snapshot)
            {
                OfferSnapshot(peer);
            }

            return;
        }

        var entries = fetched.Entries;
        while (!entries.IsEmpty && CanSend(peer) && peer.Next > _log.Start.Index)
        {
            var count = CountSendable(peer, entries.Span, out var bytes);
            if (count == 0)
            {
                return;
            }

            SendAppend(peer, entries[..count], bytes);
            entries = entries[count..];
        }
    }

    /// <summary>How many fetched entries fit one message; 0 when they are not the peer's next ones any more.</summary>
    /// <remarks>
    /// Only committed entries count: beyond them the disk may still hold a tail that was replaced since.
    /// </remarks>
    private int CountSendable(PeerProgress peer, ReadOnlySpan<LogEntry> entries, out int bytes)
    {
        bytes = 0;
        var count = 0;
        var next = peer.Next;
        while (count < entries.Length && count < _options.AppendEntriesMax)
        {
            var entry = entries[count];
            var isOver = count > 0 && bytes + entry.Payload.Length > _options.AppendBytesMax;
            if (isOver || entry.Index != next || entry.Index > _commit || entry.Term != _log.TermOf(entry.Index))
            {
                break;
            }

            bytes += entry.Payload.Length;
            next = next.Next;
            count++;
        }

        return count;
    }

    private void OnAppendEntries(AppendEntries append)
    {
        HeardLeader(append.From);
        var previous = append.Previous;

        // What is committed here is in every later leader's log (paper §5.4.3), so it needs no comparing.
        if ((previous.Index > _commit || RaftMutants.PurgedPreviousIsConflict) && !_log.Contains(previous))
        {
            var hint = _log.LastAtMost(previous.Index, previous.Term);
            _effects.AddSend(new AppendReply(
                _options.Group, _options.Node, append.From, _term, false, previous.Index, hint));
            return;
        }

        var last = previous.Index.Plus((ulong)append.Entries.Length);
        var isNew = AcceptEntries(previous.Index, append.Entries.Span);
        AdvanceCommit(LogIndex.Min(append.Commit, RaftMutants.FollowerCommitsOwnTail ? _log.Last.Index : last));

        var match = LogIndex.Max(last, _commit);
        if (isNew && !RaftMutants.AckBeforeSync)
        {
            _effects.AddSendAfterSync(Accept(append.From, match));
        }
        else
        {
            var durable = LogIndex.Min(match, RaftMutants.AckBeforeSync ? match : _writes.Durable);
            _effects.AddSend(Accept(append.From, durable));
        }
    }

    private AppendReply Accept(NodeId leader, LogIndex match) =>
        new(_options.Group, _options.Node, leader, _term, true, match, EntryId.Start);

    /// <summary>
    /// Skips what the log has, cuts a tail that differs, appends the rest (paper Fig. 2, steps 3 and 4).
    /// </summary>
    private bool AcceptEntries(LogIndex previous, ReadOnlySpan<LogEntry> entries)
    {
        var known = 0;
        if (previous < _log.Last.Index)
        {
            known = (int)Math.Min(_commit.CountSince(previous), (ulong)entries.Length);
            while (known < entries.Length && entries[known].Index <= _log.Last.Index
                && _log.At(entries[known].Index).Term == entries[known].Term && !RaftMutants.TruncateOnAnyAppend)
            {
                known++;
            }
        }

        if (known == entries.Length)
        {
            return false; // Also when the log goes on after them: a late message must not cut it.
        }

        if (entries[known].Index <= _log.Last.Index)
        {
            CutTail(entries[known].Index);
        }

        for (var i = known; i < entries.Length; i++)
        {
            _log.Append(entries[i]);
            _effects.AddAppend(entries[i]);
            NoteAppended(entries[i]);
        }

        return true;
    }

    private void CutTail(LogIndex from)
    {
        Invariant.Holds(from > _commit, "A committed entry is never cut (paper §5.4.3).");
        _effects.AddEvent(new TailReplaced(from, _log.Last.Index));
        _log.Truncate(from);
        _writes.Truncate(from);
        _memberships.Truncate(from);
        OnMembershipMoved();
    }

    private void OnAppendReply(AppendReply reply)
    {
        if (_lead is not { } lead || FindProgress(lead, reply.From) is not { } peer)
        {
            return;
        }

        if (!reply.Accepted)
        {
            BackUp(peer, reply);
            return;
        }

        Invariant.Holds(reply.Match <= _log.Last.Index, "A follower acknowledges only what the leader has.");
        lead.MayCommit |= peer.Acknowledge(reply.Match, _now);
        if (peer.State == ProgressState.Probe)
        {
            peer.BecomeReplicate(); // The logs agree at least up to the match.
        }
        else if (peer.State == ProgressState.Snapshot && peer.Match >= _log.Start.Index && peer.Match > LogIndex.Zero)
        {
            EndSnapshot(peer);
            peer.BecomeReplicate();
        }
    }

    /// <summary>
    /// The follower does not have what we sent after: look for the last place where the logs agree (paper §5.3).
    /// </summary>
    private void BackUp(PeerProgress peer, AppendReply reply)
    {
        if (reply.HasLostTail)
        {
            var incarnation = FindStanding(peer.Node)?.Incarnation ?? 0;
            if (incarnation == 0 || reply.Incarnation == 0 || incarnation == reply.Incarnation)
            {
                OnStanding(new Standing(peer.Node, MayVote: false, incarnation, IsVoid: true));
                _effects.AddEvent(new PeerTailLost(peer.Node, incarnation));
            }
        }

        // Neither the refused index nor anything the hint rules out can be where the logs agree.
        var agree = LogIndex.Min(_log.LastAtMost(reply.Hint.Index, reply.Hint.Term).Index.Next, reply.Match);
        if (!peer.Peer.MayVote && reply.Match <= peer.Match)
        {
            peer.Forget(); // A replaced directory: what an earlier process acknowledged is not there.
            peer.BecomeProbe(agree);
            return;
        }

        switch (peer.State)
        {
            case ProgressState.Replicate when reply.Match > peer.Match:
                peer.BecomeProbe(peer.Match.Next); // A message was lost: the ones after it came to nothing.
                break;
            case ProgressState.Probe when reply.Match == peer.Next.Previous:
                var refused = peer.Next;
                peer.BecomeProbe(agree);
                if (peer.Next == refused)
                {
                    // It refuses what it once acknowledged: asked again after a heartbeat, not as fast as it answers.
                    peer.IsPaused = true;
                    peer.MovedAt = _now;
                }

                break;
        }
    }

    private void OnHeartbeat(Heartbeat heartbeat)
    {
        HeardLeader(heartbeat.From);
        var commit = heartbeat.Commit;
        var isOther = commit.Term != Term.Zero && commit.Index >= _log.Start.Index && !_log.Contains(commit);
        if (isOther || commit.Index > _log.Last.Index)
        {
            if (_installing is null)
            {
                LoseTail(heartbeat);
            }
        }
        else if (commit.Term != Term.Zero)
        {
            AdvanceCommit(commit.Index);
        }

        _effects.AddSend(new HeartbeatReply(_options.Group, _options.Node, heartbeat.From, _term, heartbeat.ReadRound));
    }

    /// <summary>
    /// A heartbeat's commit is at most what this replica acknowledged in this term. Its log ends before that, or has
    /// another entry there, so its disk lost what was durable: damage of the last record, or an older copy put back.
    /// With it a vote may be lost too, so this replica votes no more; it is brought up to date like a replaced one.
    /// What is left of the log is not believed to be the leader's before the leader has compared it.
    /// </summary>
    private void LoseTail(Heartbeat heartbeat)
    {
        if (!_hasLostTail)
        {
            // The host begins a new life: the directory draws another incarnation, under which it may be promoted.
            _hasLostTail = true;
            _lostIncarnation = _incarnation;
            _ownMayVote = false;
            _incarnation = 0;
            UpdateStandings();
            _effects.AddEvent(new TailLost(heartbeat.Commit.Index, _log.Last));
        }

        _effects.AddSend(new AppendReply(
            _options.Group, _options.Node, heartbeat.From, _term, false, heartbeat.Commit.Index, _log.Last,
            HasLostTail: true, _lostIncarnation));
    }

    private void OnHeartbeatReply(HeartbeatReply reply)
    {
        if (_lead is not { } lead || FindProgress(lead, reply.From) is not { } peer)
        {
            return;
        }

        if (reply.ReadRound > peer.ReadRound || RaftMutants.StaleRoundConfirms)
        {
            Invariant.Holds(reply.ReadRound <= _lastReadRound, "Only rounds that began are confirmed.");
            peer.ReadRound = RaftMutants.StaleRoundConfirms ? _lastReadRound : reply.ReadRound;
            CompleteReadRounds(lead);
        }

        // The peer lives, but what was sent is not answered: lost, or its disk is slow. Sending again harms neither.
        var silence = _now - peer.MovedAt;
        if (peer.IsPaused && silence >= (ulong)_options.HeartbeatTicks)
        {
            peer.IsPaused = false;
        }
        else if (peer.State == ProgressState.Replicate && peer.Inflight.Count > 0
            && silence >= 2UL * (ulong)_options.HeartbeatTicks)
        {
            peer.BecomeProbe(peer.Match.Next);
        }
    }

    private static void PausePeer(LeaderState lead, Peer lost)
    {
        if (FindProgress(lead, lost.Node) is { State: not ProgressState.Snapshot } peer)
        {
            peer.BecomeProbe(peer.Match.Next);
            peer.IsPaused = true;
        }
    }

    private void ResumePeer(LeaderState lead, Peer made)
    {
        if (FindProgress(lead, made.Node) is not { } peer)
        {
            return;
        }

        SendHeartbeat(peer); // A restarted peer hears at once who leads.
        if (peer.State == ProgressState.Snapshot)
        {
            AskSnapshotPlace(peer);
        }
        else
        {
            peer.BecomeProbe(peer.Match.Next);
        }
    }

    /// <summary>Commits what a majority has made durable, if it is of the own term (paper §5.3, §5.4.2).</summary>
    private void CommitByCounting(LeaderState lead)
    {
        var own = RaftMutants.LeaderCountsUnsynced ? _log.Last.Index : _writes.Durable;
        var reached = new LogIndex(ReachedByVoters(lead, own.Value, static peer => peer.Match.Value));
        if (reached > _commit && (reached >= lead.TermStart || RaftMutants.CommitPriorTermByCounting))
        {
            AdvanceCommit(reached);
        }
    }

    private void AdvanceCommit(LogIndex commit)
    {
        if (commit > _commit || RaftMutants.CommitGoesBack)
        {
            Invariant.Holds(commit <= _log.Last.Index, "Only entries of the log are committed.");
            _commit = commit;
            CommitMemberships();
        }
    }

    /// <summary>Counts out what memory need not hold any more: what is applied and durable here.</summary>
    /// <remarks>Commitment alone is not enough: the others' disks may be faster than ours for a long time.</remarks>
    private void Settle(LeaderState lead)
    {
        var settled = Settled;
        if (settled > lead.Settled)
        {
            lead.UnsettledBytes -= BytesBetween(lead.Settled, settled);
            lead.Settled = settled;
        }
    }

    private LogIndex Settled => LogIndex.Min(_applied, _writes.Durable);

    private long BytesAfter(LogIndex index) => BytesBetween(index, _log.Last.Index);

    private long BytesBetween(LogIndex after, LogIndex last)
    {
        var bytes = 0L;
        for (var index = after.Next; index <= last; index = index.Next)
        {
            bytes += _log.At(index).Payload.Length;
        }

        return bytes;
    }

    /// <summary>
    /// Committed entries go to the state machine, in order, each once (paper Fig. 2, rules for all servers).
    /// </summary>
    private void HandOut()
    {
        if (_installing is not null)
        {
            return; // The state machine is about to be replaced by a later state.
        }

        var last = LogIndex.Min(_commit, _applied.Plus(ApplyingEntriesMax));
        while (_handedOut < last)
        {
            _handedOut = _handedOut.Next;
            _effects.AddApply(_log.At(_handedOut));
        }
    }

    private void FinishTransfer(LeaderState lead)
    {
        if (lead is { Transferee: { } target, IsTimeoutNowSent: false }
            && FindProgress(lead, target) is { } peer && peer.Match == _log.Last.Index)
        {
            lead.IsTimeoutNowSent = true;
            _effects.AddSend(new TimeoutNow(_options.Group, _options.Node, target, _term));
        }
    }
}
