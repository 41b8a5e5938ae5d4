namespace Kvorum.Raft;

/// <summary>Linearizable reads without the log: read index, thesis §6.4.</summary>
public sealed partial class RaftNode
{
    /// <summary>
    /// The most rounds under way. More would only divide the same readers over more messages; one alone would let a
    /// reader wait for the end of a round it came too late for.
    /// </summary>
    internal const int ReadRoundsMax = 4;

    /// <summary>What followers of this node's clients wait for at the leader, oldest first.</summary>
    private readonly List<(ulong RequestId, ulong AskedAt)> _followerReads = [];

    /// <summary>Never reused while the process lives; a later process never leads in the same term again.</summary>
    private ulong _lastReadRound;

    private void OnReadBarrier(ReadBarrier barrier)
    {
        if (_lead is { } lead)
        {
            Gather(lead, new WaitingRead(null, barrier.RequestId));
        }
        else if (_leader is { } leader && FindPeer(leader) is not { IsLinkLost: true }
            && _followerReads.Count < _options.ReadsMax)
        {
            _followerReads.Add((barrier.RequestId, _now));
            _effects.AddSend(new ReadIndexRequest(_options.Group, _options.Node, leader, _term, barrier.RequestId));
        }
        else
        {
            _effects.AddRead(new ReadOutcome(barrier.RequestId, false, LogIndex.Zero));
        }
    }

    private void OnReadIndexRequest(ReadIndexRequest request)
    {
        var read = new WaitingRead(request.From, request.RequestId);
        if (_lead is { } lead)
        {
            Gather(lead, read);
        }
        else
        {
            Answer(read, accepted: false, LogIndex.Zero);
        }
    }

    private void Gather(LeaderState lead, WaitingRead read)
    {
        if (lead.ReadsWaiting >= _options.ReadsMax)
        {
            Answer(read, accepted: false, LogIndex.Zero);
            return;
        }

        lead.Gathering.Add(read);
        lead.ReadsWaiting++;
    }

    /// <summary>Begins a round for all reads that came since the last one.</summary>
    private void StartReadRounds(LeaderState lead)
    {
        // Until an entry of its own term is committed a leader does not know what is committed (thesis §6.4, step 1).
        if (lead.Gathering.Count == 0 || lead.Rounds.Count >= ReadRoundsMax
            || (_commit < lead.TermStart && !RaftMutants.ReadBeforeOwnCommit))
        {
            return;
        }

        _lastReadRound++;
        lead.Rounds.Enqueue(new ReadRound(_lastReadRound, _commit, lead.Gathering));
        lead.Gathering = [];
        foreach (var peer in lead.Peers)
        {
            if (peer.Peer.Counts)
            {
                SendHeartbeat(peer);
            }
        }

        CompleteReadRounds(lead); // A lone voter confirms itself.
    }

    private void CompleteReadRounds(LeaderState lead)
    {
        var confirmed = RaftMutants.ReadWithoutRound || (RaftMutants.LeaseRead && HearsQuorum(lead))
            ? _lastReadRound
            : ConfirmedRound(lead);
        while (lead.Rounds.Count > 0 && lead.Rounds.Peek().Number <= confirmed)
        {
            var round = lead.Rounds.Dequeue();
            lead.ReadsWaiting -= round.Reads.Count;
            foreach (var read in round.Reads)
            {
                Answer(read, accepted: true, round.Index);
                if (read.Follower is { } node && FindProgress(lead, node) is { } peer)
                {
                    peer.CommitWanted = LogIndex.Max(peer.CommitWanted, round.Index);
                }
            }
        }
    }

    private ulong ConfirmedRound(LeaderState lead) =>
        ReachedByVoters(lead, _lastReadRound, static peer => peer.ReadRound);

    private void Answer(WaitingRead read, bool accepted, LogIndex index)
    {
        if (read.Follower is { } follower)
        {
            _effects.AddSend(new ReadIndexReply(
                _options.Group, _options.Node, follower, _term, read.RequestId, accepted, index));
        }
        else
        {
            _effects.AddRead(new ReadOutcome(read.RequestId, accepted, index));
        }
    }

    /// <summary>This replica no longer leads: what it could not confirm, it must not answer.</summary>
    private void RefuseReads(LeaderState lead)
    {
        while (lead.Rounds.TryDequeue(out var round))
        {
            foreach (var read in round.Reads)
            {
                Answer(read, accepted: false, LogIndex.Zero);
            }
        }

        foreach (var read in lead.Gathering)
        {
            Answer(read, accepted: false, LogIndex.Zero);
        }
    }

    private void OnReadIndexReply(ReadIndexReply reply)
    {
        for (var i = 0; i < _followerReads.Count; i++)
        {
            if (_followerReads[i].RequestId == reply.RequestId)
            {
                _followerReads.RemoveAt(i);
                _effects.AddRead(new ReadOutcome(reply.RequestId, reply.Accepted, reply.Index));
                return;
            }
        }
    }

    /// <summary>The leader is lost or another one: its answers may never come, so the host asks again.</summary>
    private void RefuseFollowerReads()
    {
        foreach (var (requestId, _) in _followerReads)
        {
            _effects.AddRead(new ReadOutcome(requestId, false, LogIndex.Zero));
        }

        _followerReads.Clear();
    }

    /// <summary>A request or its answer was lost on the way.</summary>
    private void GiveUpOldReads()
    {
        var old = 0;
        while (old < _followerReads.Count && _now - _followerReads[old].AskedAt >= 2UL * (ulong)_options.HeartbeatTicks)
        {
            _effects.AddRead(new ReadOutcome(_followerReads[old].RequestId, false, LogIndex.Zero));
            old++;
        }

        _followerReads.RemoveRange(0, old);
    }
}
