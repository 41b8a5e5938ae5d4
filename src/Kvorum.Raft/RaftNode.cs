using System.Diagnostics;

namespace Kvorum.Raft;

/// <summary>One replica's consensus as a function: <see cref="Step"/> turns an input into effects.</summary>
/// <remarks>
/// The partial files follow the chapters of the thesis: Election, Replication, Reads, Snapshots, Membership with
/// Reachable, Forwarding; and Mending. They share the state below; state that only a leader has is in
/// <see cref="LeaderState"/>.
/// </remarks>
public sealed partial class RaftNode
{
    private readonly RaftOptions _options;
    private readonly RaftLog _log;
    private readonly WriteLedger _writes;
    private Effects _effects = new();
    private SeededChance _chance;
    private ulong _now;

    private Peer[] _peers = [];
    private bool _mayVote;

    private Role _role;
    private Term _term;
    private NodeId? _votedFor;
    private NodeId? _leader;
    private LeaderState? _lead;

    private LogIndex _commit;
    private LogIndex _handedOut;
    private LogIndex _applied;
    private WriteId _lastWrite;

    /// <summary>The log on disk must first be replaced by this start: a crash came between snapshot and log.</summary>
    private EntryId? _unwrittenStart;

    public RaftNode(RaftOptions options, RecoveredState recovered)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(recovered);
        _options = options;
        _chance = new SeededChance(options.Seed);
        _incarnation = options.Incarnation;
        _ownMayVote = recovered.MayVote && !recovered.NonVoters.Contains(options.Node);
        _standings.AddRange(recovered.Standings);
        _standings.AddRange(recovered.NonVoters.Select(static node => new Standing(node, MayVote: false)));
        _term = RaftMutants.TermResetOnRestart ? Term.Zero : recovered.HardState.Term;
        _votedFor = recovered.HardState.VotedFor;
        _snapshot = recovered.Snapshot;
        _log = RecoverLog(recovered);
        _memberships = RecoverMemberships(recovered, _log);
        _membership = _memberships.InForce;
        _writes = new WriteLedger(_log.Last.Index);
        _commit = recovered.Applied;
        _applied = recovered.Applied;
        _handedOut = recovered.Applied;
        Invariant.Holds(_log.Start.Index <= _applied, "What the log no longer has, the state machine has.");
        Invariant.Holds(_applied <= _log.Last.Index, "Only entries of the log are applied.");
        Invariant.Holds(_log.Start.Index == LogIndex.Zero || _snapshot is not null, "Only a snapshot cuts the log.");
        MakePeers();
        _log.Trim(_applied, _options.CacheBytesMax);
        StartElectionTimer();
    }

    public NodeId Node => _options.Node;

    public Role Role => _role;

    public Term Term => _term;

    public NodeId? Leader => _leader;

    public LogIndex CommitIndex => _commit;

    public EntryId LastEntry => _log.Last;

    /// <summary>The entry just before the first in the log.</summary>
    public EntryId LogStart => _log.Start;

    /// <summary>Whether the log has this entry; false also for what was cut from its beginning.</summary>
    public bool Contains(EntryId entry) => _log.Contains(entry);

    /// <summary>Whether the peer's directory is the one whose votes count; true for a node that is no peer.</summary>
    public bool MayVoteOf(NodeId peer) => FindPeer(peer) is not { MayVote: false };

    /// <summary>Null when this replica does not lead.</summary>
    internal LeaderState? Lead => _lead;

    /// <summary>Progress of every peer as the leader sees it, by id; empty when this replica does not lead.</summary>
    public IReadOnlyList<PeerStatus> Peers
    {
        get
        {
            if (_lead is not { } lead)
            {
                return [];
            }

            var peers = new PeerStatus[lead.Peers.Length];
            for (var i = 0; i < peers.Length; i++)
            {
                var peer = lead.Peers[i];
                var mayVote = peer.Peer.IsVoter ? peer.Peer.MayVote : CanBePromoted(peer.Node);
                peers[i] = new PeerStatus(
                    peer.Node, peer.Match, peer.Next, NameOf(peer.State), IsActive(peer), mayVote,
                    FindStanding(peer.Node)?.Incarnation ?? 0);
            }

            return peers;
        }
    }

    /// <summary>Advances the replica by one input and returns what the host must now do.</summary>
    /// <remarks>Reads no clock, file, socket or random source: same state and input, same effects.</remarks>
    public Effects Step(Input input)
    {
        var before = (_term, _commit, _handedOut);
        BeginStep();

        switch (input)
        {
            case Tick: OnTick(); break;
            case Receive received: OnMessage(received.Message, received.HasRoom); break;
            case Propose propose: OnPropose(propose); break;
            case Persisted persisted: OnPersisted(persisted); break;
            case Applied applied: OnApplied(applied); break;
            case ReadBarrier barrier: OnReadBarrier(barrier); break;
            case Fetched { Before.Index.Value: > 0 } fetched: OnFetchedForMending(fetched); break;
            case Fetched fetched: OnFetched(fetched); break;
            case SnapshotTaken taken: OnSnapshotTaken(taken); break;
            case SnapshotInstalled installed: OnSnapshotInstalled(installed); break;
            case ChunkRead read: OnChunkRead(read); break;
            case ChunkWritten written: OnChunkWritten(written); break;
            case ConnectionLost lost: OnConnectionLost(lost); break;
            case ConnectionMade made: OnConnectionMade(made); break;
            case Standing standing: OnStanding(standing); break;
            case TransferLeadership transfer: OnTransferLeadership(transfer); break;
            case ChangeMembers change: OnChangeMembers(change); break;
            default: throw new UnreachableException($"No handler for {input?.GetType().Name}.");
        }

        EndStep();
        AssertInvariants(before);
        return _effects;
    }

    private void BeginStep()
    {
        _effects = _effects.ForNextStep();
        if (_unwrittenStart is { } start)
        {
            _unwrittenStart = null;
            _effects.LogStart = start;
            RequestWrite();
        }
    }

    /// <summary>
    /// What follows from the input for all: a leader sends, committed entries are handed out, the write is noted.
    /// </summary>
    private void EndStep()
    {
        if (_lead is { } lead)
        {
            FlushLeader(lead);
        }

        HandOut();
        if (_effects.Append.Count > 0)
        {
            _writes.Add(RequestWrite(), _log.Last.Index);
        }
    }

    private void OnMessage(Message message, bool hasRoom)
    {
        if (message.Group != _options.Group || message.To != _options.Node || message.From == _options.Node)
        {
            return; // Of another group, or for another node.
        }

        if (FindPeer(message.From) is { } peer)
        {
            peer.IsLinkLost = false;
        }
        else if (!IsHeardFromStrangers(message) || _memberships.Committed.WasRemoved(message.From))
        {
            return;
        }

        // These decide about the term themselves: a vote may be refused without entering the candidate's term
        // (thesis §4.2.3), and what a client's node asks for is not bound to a term.
        switch (message)
        {
            case RequestVote request: OnRequestVote(request); return;
            case ForwardReply reply: EnterTerm(message); OnForwardReply(reply); return;
            case ReadIndexReply reply: EnterTerm(message); OnReadIndexReply(reply); return;
            case AdminReply reply: EnterTerm(message); OnAdminReply(reply); return;
            case MendRequest request: OnMendRequest(request); return;
            case MendReply: return; // This log is whole by now.
        }

        if (message.Term < _term
            && message is not (ForwardProposals or ReadIndexRequest or ChangeRequest or TransferRequest)
            && !(RaftMutants.VoteOfAnotherTerm && message is VoteReply)
            && !(RaftMutants.OldReplyMovesMatch && message is AppendReply))
        {
            RefuseStale(message);
            return;
        }

        EnterTerm(message);
        Dispatch(message, hasRoom);
    }

    /// <summary>
    /// A leader may lead with a membership this log does not have yet, and a candidate may need this vote, so both are
    /// heard although they are no members here (thesis §4.1). Whoever answers, or asks a leader, must be one: a removed
    /// node is not heard.
    /// </summary>
    private static bool IsHeardFromStrangers(Message message) => message
        is AppendEntries or Heartbeat or InstallSnapshot or RequestVote or TimeoutNow or MembershipNotice
        or ForwardReply or ReadIndexReply or AdminReply;

    /// <summary>Whoever speaks in a newer term, our term is over (paper §5.1).</summary>
    private void EnterTerm(Message message)
    {
        if (message.Term > _term && !message.IsFromTheFuture)
        {
            BecomeFollower(message.Term, leader: null);
        }
    }

    private void Dispatch(Message message, bool hasRoom)
    {
        if (_lead is { } lead && FindProgress(lead, message.From) is { } progress)
        {
            progress.HeardAt = _now;
            progress.HasAnswered = true;
        }

        switch (message)
        {
            case AppendEntries append: OnAppendEntries(append); break;
            case AppendReply reply: OnAppendReply(reply); break;
            case Heartbeat heartbeat: OnHeartbeat(heartbeat); break;
            case HeartbeatReply reply: OnHeartbeatReply(reply); break;
            case VoteReply reply: OnVoteReply(reply); break;
            case ForwardProposals forward: OnForwardProposals(forward, hasRoom); break;
            case ReadIndexRequest request: OnReadIndexRequest(request); break;
            case InstallSnapshot install: OnInstallSnapshot(install); break;
            case InstallSnapshotReply reply: OnInstallSnapshotReply(reply); break;
            case TimeoutNow timeout: OnTimeoutNow(timeout); break;
            case MembershipNotice notice: OnMembershipNotice(notice); break;
            case ChangeRequest request: OnChangeRequest(request); break;
            case TransferRequest request: OnTransferRequest(request); break;
            default: throw new UnreachableException($"No handler for {message.GetType().Name}.");
        }
    }

    /// <summary>
    /// A leader of an older term learns the newer one and steps down (paper §5.1). Its message is not a leader's sign
    /// of life: the election timer runs on. Late replies are dropped.
    /// </summary>
    /// <remarks>
    /// Always with a heartbeat's answer: the sender may lead the newer term by now, and a refusal of the entries or the
    /// snapshot it once sent would read as one of those it sends in this term.
    /// </remarks>
    private void RefuseStale(Message message)
    {
        if (message is AppendEntries or Heartbeat or InstallSnapshot)
        {
            _effects.AddSend(new HeartbeatReply(_options.Group, _options.Node, message.From, _term, ReadRound: 0));
        }
    }

    private RaftLog RecoverLog(RecoveredState recovered)
    {
        var log = new RaftLog(recovered.LogStart, _options.LogBlockBits);
        foreach (var entry in recovered.Entries)
        {
            log.Append(entry);
        }

        // An installed snapshot is durable before the log is reset to it. After a crash in between, the log on disk
        // ends before the snapshot or disagrees with it: nothing in it was acknowledged beyond the snapshot, so it is
        // dropped now.
        if (recovered.Snapshot is { LastIncluded: var last } && last.Index >= log.Start.Index && !log.Contains(last))
        {
            log.Reset(last);
            _unwrittenStart = last;
        }

        return log;
    }

    private Peer? FindPeer(NodeId node)
    {
        foreach (var peer in _peers)
        {
            if (peer.Node == node)
            {
                return peer;
            }
        }

        return null;
    }

    private static PeerProgress? FindProgress(LeaderState lead, NodeId node)
    {
        foreach (var peer in lead.Peers)
        {
            if (peer.Node == node)
            {
                return peer;
            }
        }

        return null;
    }

    private WriteId RequestWrite()
    {
        if (_effects.Write == WriteId.None)
        {
            _lastWrite = new WriteId(_lastWrite.Value + 1);
            _effects.Write = _lastWrite;
        }

        return _effects.Write;
    }

    private void SaveHardState()
    {
        _effects.HardState = new HardState(_term, RaftMutants.VoteNotPersisted ? null : _votedFor);
        RequestWrite();
    }

    private void OnPersisted(Persisted persisted)
    {
        Invariant.Holds(persisted.Id <= _lastWrite, "Only writes that were asked for become durable.");
        _writes.Complete(persisted.Id);
        CountOwnVote(persisted.Id);
        if (_lead is { } lead)
        {
            lead.MayCommit = true;
            Settle(lead);
        }
    }

    private void OnApplied(Applied applied)
    {
        Invariant.Holds(applied.Index <= _handedOut, "Only entries that were handed out are applied.");
        _applied = LogIndex.Max(_applied, applied.Index);
        if (_lead is { } lead)
        {
            Settle(lead);
        }

        _log.Trim(Settled, _options.CacheBytesMax);
    }

    private void AssertInvariants((Term Term, LogIndex Commit, LogIndex HandedOut) before)
    {
        Invariant.Holds(_term >= before.Term, "A term never goes back (paper §5.1).");
        Invariant.Holds(_commit >= before.Commit, "A commit index never goes back (paper Fig. 2).");
        Invariant.Holds(_handedOut >= before.HandedOut, "Entries are handed out once.");
        Invariant.Holds(_applied <= _handedOut && _handedOut <= _commit, "Only committed entries are applied.");
        Invariant.Holds(_commit <= _log.Last.Index, "The log has every committed entry.");
        Invariant.Holds(_log.Start.Index <= _commit, "Only committed entries are cut from the log.");
        Invariant.Holds(_writes.Durable <= _log.Last.Index, "Only entries of the log are durable.");
        Invariant.Holds((_role == Role.Leader) == (_lead is not null), "Leader-only state lives as long as the role.");
        if (_lead is { } lead)
        {
            foreach (var peer in lead.Peers)
            {
                Invariant.Holds(peer.Next > peer.Match, "What is acknowledged is not sent again (paper Fig. 2).");
                Invariant.Holds(peer.Match <= _log.Last.Index, "A follower acknowledges only what the leader has.");
            }
        }
    }

    private static string NameOf(ProgressState state) => state switch
    {
        ProgressState.Probe => "probe",
        ProgressState.Replicate => "replicate",
        _ => "snapshot",
    };
}

/// <summary>A peer as the leader sees it.</summary>
/// <param name="State">"probe", "replicate" or "snapshot".</param>
/// <param name="MayVote">Its vote counts; of a learner: it would count after a promotion.</param>
/// <param name="Incarnation">Its present directory; 0 when it was not met yet.</param>
public readonly record struct PeerStatus(
    NodeId Node, LogIndex Match, LogIndex Next, string State, bool IsActive, bool MayVote,
    ulong Incarnation = 0);
