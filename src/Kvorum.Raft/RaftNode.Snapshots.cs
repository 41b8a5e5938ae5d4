namespace Kvorum.Raft;

/// <summary>Log compaction and the transfer of Raft snapshots: paper §7, thesis ch. 5.</summary>
public sealed partial class RaftNode
{
    /// <summary>
    /// The most entries the log keeps before a taken snapshot for peers that are being brought up to date.
    /// </summary>
    internal const ulong LaggardEntriesMax = 1_000_000;

    private SnapshotDescriptor? _snapshot;

    /// <summary>The transfer this replica receives; another leader or another snapshot replaces it.</summary>
    private (NodeId Leader, SnapshotDescriptor Snapshot)? _incoming;

    /// <summary>
    /// Chunks were handed to the host, which stores them and, when the file is complete then, installs the snapshot; a
    /// question alone may find it complete. Until the host has answered all of them, nothing is handed out for
    /// applying, this replica does not campaign, and no chunk of another transfer is taken.
    /// </summary>
    private SnapshotDescriptor? _installing;

    /// <summary>How many chunks the host has not answered.</summary>
    private int _chunksAtHost;

    private void OnSnapshotTaken(SnapshotTaken taken)
    {
        var last = taken.Snapshot.LastIncluded;
        if (_snapshot is { } old && last.Index <= old.LastIncluded.Index)
        {
            return; // Overtaken by one from the leader.
        }

        Invariant.Holds(last.Index <= _applied || last.Index <= _handedOut, "A snapshot holds only what was applied.");
        _snapshot = taken.Snapshot;
        var cut = last.Index.Value > _options.TrailingEntries ? new LogIndex(last.Index.Value - _options.TrailingEntries) : LogIndex.Zero;
        cut = LogIndex.Min(KeepForLaggards(cut), LogIndex.Min(_writes.Durable, _applied));
        if (cut > _log.Start.Index)
        {
            _log.Compact(cut);
        }
    }

    /// <summary>
    /// A live peer that is being caught up must find the log where its snapshot ends, or it would need snapshot after
    /// snapshot; within a limit, because a log is cut to save space.
    /// </summary>
    private LogIndex KeepForLaggards(LogIndex cut)
    {
        if (_lead is not { } lead)
        {
            return cut;
        }

        var floor = cut.Value > LaggardEntriesMax ? new LogIndex(cut.Value - LaggardEntriesMax) : LogIndex.Zero;
        var kept = cut;
        foreach (var peer in lead.Peers)
        {
            var needed = peer.Snapshot?.LastIncluded.Index ?? peer.Match;
            if (IsActive(peer) && needed >= _log.Start.Index)
            {
                kept = LogIndex.Min(kept, needed);
            }
        }

        return LogIndex.Max(kept, floor);
    }

    private void OfferSnapshot(PeerProgress peer)
    {
        Invariant.Holds(_snapshot is not null, "Only a snapshot cuts the log.");
        if (!IsActive(peer))
        {
            peer.IsPaused = true; // Nobody there; its next sign of life brings us back here.
            return;
        }

        peer.BecomeSnapshot(_snapshot, _now);
        _effects.AddEvent(new SnapshotTransfer(peer.Node, _snapshot.LastIncluded, IsSending: true, IsDone: false));
        AskSnapshotPlace(peer);
    }

    /// <summary>
    /// Asks the peer where to go on: the start of a transfer, and the repair after anything was lost.
    /// </summary>
    private void AskSnapshotPlace(PeerProgress peer)
    {
        peer.Stream.Questioned();
        SendChunk(peer, peer.Stream.Stored, ReadOnlyMemory<byte>.Empty);
    }

    private void SendChunk(PeerProgress peer, ulong offset, ReadOnlyMemory<byte> data)
    {
        if (peer.Snapshot is not { } snapshot)
        {
            return;
        }

        peer.MovedAt = _now;
        _effects.AddSend(new InstallSnapshot(_options.Group, _options.Node, peer.Node, _term, snapshot, offset, data));
    }

    private void RepeatSnapshotQuestion(PeerProgress peer)
    {
        if (peer.State == ProgressState.Snapshot && _now - peer.MovedAt >= 2UL * (ulong)_options.HeartbeatTicks)
        {
            AskSnapshotPlace(peer);
        }
    }

    private void OnInstallSnapshotReply(InstallSnapshotReply reply)
    {
        if (_lead is not { } lead || FindProgress(lead, reply.From) is not { } peer)
        {
            return;
        }

        if (reply.Installed)
        {
            FinishSnapshot(lead, peer, reply.LastIncluded.Index);
        }
        else if (peer.Snapshot is { } snapshot && snapshot.LastIncluded == reply.LastIncluded
            && reply.NextOffset < snapshot.Length)
        {
            peer.MovedAt = _now;
            peer.Stream.OnStored(reply.NextOffset);
            ReadChunks(peer, snapshot);
        }
    }

    private void ReadChunks(PeerProgress peer, SnapshotDescriptor snapshot)
    {
        while (peer.Stream.Next() is { } offset)
        {
            _effects.AddChunkRead(new ReadChunk(peer.Node, snapshot, offset, _options.SnapshotChunkBytesMax));
        }
    }

    private void FinishSnapshot(LeaderState lead, PeerProgress peer, LogIndex installed)
    {
        Invariant.Holds(installed <= _log.Last.Index, "A snapshot holds only committed entries, and a leader has them all.");
        lead.MayCommit |= peer.Acknowledge(installed, _now);
        if (peer.Snapshot is not null)
        {
            EndSnapshot(peer);
            peer.BecomeProbe(peer.Match.Next);
        }
    }

    private void EndSnapshot(PeerProgress peer)
    {
        if (peer.Snapshot is { } snapshot)
        {
            _effects.AddEvent(new SnapshotTransfer(peer.Node, snapshot.LastIncluded, IsSending: true, IsDone: true));
        }
    }

    private void OnChunkRead(ChunkRead read)
    {
        if (_lead is not { } lead || FindProgress(lead, read.Peer) is not { } peer
            || read.Snapshot != peer.Snapshot || !peer.Stream.IsDue(read.Offset))
        {
            return; // Of a transfer that is over, or a place it has left.
        }

        if (!read.Data.IsEmpty)
        {
            peer.Stream.OnSent(read.Data.Length);
            SendChunk(peer, read.Offset, read.Data);
            return;
        }

        if (_snapshot is { } newest && newest != peer.Snapshot)
        {
            EndSnapshot(peer);
            OfferSnapshot(peer);
        }
    }

    private void OnInstallSnapshot(InstallSnapshot install)
    {
        HeardLeader(install.From);
        var last = install.Snapshot.LastIncluded;
        if (_installing is not null
            && (_installing != install.Snapshot || _incoming?.Leader != install.From
                || _chunksAtHost >= _options.SnapshotChunksInflightMax))
        {
            return; // The host is at work; the leader notices what is missing and sends it again.
        }

        if ((last.Index <= _commit || _log.Contains(last)) && !RaftMutants.OlderSnapshotInstalled)
        {
            if (_installing is not null)
            {
                return; // Once the host has answered what it was given, nothing is missing any more.
            }

            // The log has all the snapshot stands for, so it keeps what follows (paper §7, Fig. 13 rule 6), and the
            // state machine gets there by applying: the snapshot itself is not needed. A snapshot holds only committed
            // entries.
            AdvanceCommit(last.Index);
            _incoming = null;
            _effects.AddSendAfterSync(Installed(install.From, last, install.Snapshot.Length));
            return;
        }

        if (_incoming is not { } current || current.Leader != install.From || current.Snapshot != install.Snapshot)
        {
            _incoming = (install.From, install.Snapshot);
            _effects.AddEvent(new SnapshotTransfer(install.From, last, IsSending: false, IsDone: false));
        }

        _installing = install.Snapshot;
        _chunksAtHost++;
        _effects.AddChunkWrite(new WriteChunk(install.From, install.Snapshot, install.Offset, install.Data));
    }

    private InstallSnapshotReply Installed(NodeId leader, EntryId last, ulong length) =>
        new(_options.Group, _options.Node, leader, _term, last, length, true);

    private void OnChunkWritten(ChunkWritten written)
    {
        if (_installing == written.Snapshot && --_chunksAtHost == 0)
        {
            _installing = null; // The file is not complete, or its checksum did not agree.
        }

        if (_incoming is { } current && current.Leader == written.From && current.Snapshot == written.Snapshot
            && _leader == written.From)
        {
            _effects.AddSend(new InstallSnapshotReply(
                _options.Group, _options.Node, written.From, _term, written.Snapshot.LastIncluded, written.NextOffset, false));
        }
    }

    private void OnSnapshotInstalled(SnapshotInstalled installed)
    {
        var last = installed.Snapshot.LastIncluded;
        Invariant.Holds(_lead is null, "A leader installs nothing.");
        if (_installing != installed.Snapshot)
        {
            return; // Chunks that came behind the last one found the file complete, too.
        }

        Invariant.Holds(last.Index >= _handedOut, "A snapshot never takes the state machine back.");
        _installing = null;
        _chunksAtHost = 0; // What is left there belongs to a file that is complete.
        _snapshot = installed.Snapshot;
        if ((!_log.Contains(last) && !(RaftMutants.TailKeptAfterInstall && last.Index < _log.Last.Index))
            || RaftMutants.OlderSnapshotInstalled)
        {
            _log.Reset(last);
            _writes.Reset(last.Index);
            _effects.LogStart = last;
            RequestWrite();
        }

        _commit = LogIndex.Max(_commit, last.Index);
        _handedOut = last.Index;
        _applied = last.Index;
        var membership = RaftMutants.StaleMembershipAfterInstall ? _membership : installed.Snapshot.Membership;
        _memberships.Install(last.Index, membership, isLogReplaced: _log.Last == last);
        _memberships.Commit(_commit);
        OnMembershipMoved();

        if (_incoming is { } current && current.Snapshot == installed.Snapshot)
        {
            _incoming = null;
            _effects.AddEvent(new SnapshotTransfer(current.Leader, last, IsSending: false, IsDone: true));
        }

        if (_leader is { } leader)
        {
            _effects.AddSendAfterSync(Installed(leader, last, installed.Snapshot.Length));
        }
    }
}
