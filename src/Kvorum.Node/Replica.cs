using Kvorum.Kv;
using Kvorum.Raft;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// The loop: takes what waits in the inbox, lets the core decide, and carries out its effects in order. It never waits:
/// disk, peers and state machine report back as further inputs. The file to read first.
/// </summary>
internal sealed class Replica
{
    /// <summary>A status is at most this old, in ticks: not all it tells of comes from the replica.</summary>
    private const int StatusTicksMax = 10;

    private readonly RaftNode _raft;
    private readonly ReplicaInbox _inbox;
    private readonly Outbox _outbox;
    private readonly LogWriter _writer;
    private readonly IWorker _writerWorker;
    private readonly Applier _applier;
    private readonly IWorker _applierWorker;
    private readonly SnapshotWorker _snapshots;
    private readonly IWorker _snapshotWorker;
    private readonly ProposalDesk _proposals;
    private readonly ReadDesk _reads;
    private readonly LogCompactor _compactor;
    private readonly LogRoom _room;
    private readonly DiskUpkeep _upkeep;
    private readonly PeerLedger _ledger;
    private readonly AdminDesk _admin;
    private readonly ITransport _transport;
    private readonly IReadOnlyList<MemberRecord> _contacts;
    private readonly TickClock _clock;
    private readonly SessionClock _sessions;
    private readonly LeaseClock _leases;
    private readonly List<LeaseExpire> _expiredLeases = [];
    private readonly FlightRecorder _recorder;
    private readonly NodeMetrics _metrics;
    private readonly ILogger _logger;
    private readonly ReplicaObserver? _observer;
    private List<Input> _inputs = [];
    private List<PendingRead> _newReads = [];
    private IReadOnlyList<MemberRecord>? _reachable;
    private bool _hasNews;
    private long _statusAt;
    private ulong _incarnation;
    private long _now;

    public Replica(ReplicaParts parts)
    {
        _raft = parts.Raft;
        _inbox = parts.Inbox;
        _outbox = parts.Outbox;
        _writer = parts.Writer;
        _writerWorker = parts.WriterWorker;
        _applier = parts.Applier;
        _applierWorker = parts.ApplierWorker;
        _snapshots = parts.Snapshots;
        _snapshotWorker = parts.SnapshotsWorker;
        _proposals = parts.Proposals;
        _reads = parts.Reads;
        _compactor = parts.Compactor;
        _room = parts.Room;
        _upkeep = new DiskUpkeep(parts, RequestSnapshot);
        _ledger = parts.Ledger;
        _incarnation = parts.MetAs;
        _admin = parts.Admin;
        _transport = parts.Transport;
        _contacts = parts.Contacts;
        _clock = parts.Clock;
        _now = parts.Now;
        _sessions = parts.Sessions;
        _leases = parts.Leases;
        _recorder = parts.Recorder;
        _metrics = parts.Metrics;
        _logger = parts.Logger;
        _observer = parts.Observer;
    }

    /// <summary>Ticks since the start: the node's logical time. Any thread.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>Works off everything that waits. Returns whether the caller should publish a new status.</summary>
    public bool Turn()
    {
        _inbox.Drain(ref _inputs, ref _newReads, out var proposals);
        var ticks = _clock.TakeTicks();
        var role = _raft.Role;
        var leader = _raft.Leader;

        // Messages before ticks: after a pause a leader's sign of life is read before the timeout is believed.
        foreach (var input in _inputs)
        {
            if (!_room.IsFull)
            {
                Step(input);
            }
            else if (!IsLost(input))
            {
                Step(input is Receive { Message: ForwardProposals } forward && !_room.Admits(0)
                    ? forward with { HasRoom = false }
                    : input);
            }
        }

        for (var i = 0; i < ticks; i++)
        {
            OnTick();
        }

        _proposals.Add(proposals);
        _reads.Add(_newReads);
        _admin.Add(_inbox.DrainAdmins());
        SubmitProposals();
        SubmitReads();
        while (_admin.Next(_raft, _now) is { } wish)
        {
            Step(wish);
        }

        _admin.Check(_raft);
        FollowMembers();
        _inbox.HoldReads(_reads.Count);
        return IsStatusDue(ticks, role != _raft.Role || leader != _raft.Leader);
    }

    /// <summary>
    /// At once when who leads has changed, else at most once a tick: when something happened, or now and then.
    /// </summary>
    private bool IsStatusDue(long ticks, bool hasOtherLeader)
    {
        var isDue = hasOtherLeader || (ticks > 0 && (_hasNews || _now - _statusAt >= StatusTicksMax));
        if (isDue)
        {
            _hasNews = false;
            _statusAt = _now;
        }

        return isDue;
    }

    /// <summary>Which directories peers have and what these promised; that this one began anew.</summary>
    private void FollowDirectories(Input input)
    {
        if (input is Receive { Message: var message })
        {
            _ledger.Promises.Note(message, _raft);
        }
        else if (input is Standing standing && standing.Peer != _raft.Node)
        {
            _ledger.Promises.Begin(standing.Peer, standing.Incarnation);
        }
        else if (input is Standing own && own.Incarnation != _incarnation)
        {
            _incarnation = own.Incarnation;
            _reachable = null; // The peers must see the new incarnation.
            _transport.SetPeers([]);
        }
    }

    /// <summary>Lets the transport and the ledger know whom to talk to, when that changed.</summary>
    public void FollowMembers()
    {
        if (!ReferenceEquals(_reachable, _raft.Reachable))
        {
            _reachable = _raft.Reachable;
            MemberRecord[] peers = _raft.Membership.Members.Count > 0 ? [.. _reachable]
                : [.. _reachable, .. _contacts.Where(contact => _reachable.All(peer => peer.Node != contact.Node))];
            _ledger.SetMembership(_raft.Membership, peers);
            _transport.SetPeers([.. peers.Select(MemberAddress.Of)]);
        }

        _ledger.HasLeader = _raft.Leader is not null;
    }

    private void OnTick()
    {
        Volatile.Write(ref _now, _now + 1);
        Step(Tick.Instance);
        if (_upkeep.OnTick(_now, _raft) is { } reason)
        {
            Log.HandsOverForItsDisk(_logger, reason);
            Step(new TransferLeadership());
        }

        _proposals.Expire(_now);
        _reads.Expire(_now);
        _admin.Expire(_now);
        if (_sessions.Tick(_now, _raft.Role is Role.Leader, _applier.StateHash) is { } expire)
        {
            _proposals.Add(expire);
        }

        _expiredLeases.Clear();
        _leases.Tick(_now, _raft.Role is Role.Leader ? _raft.Term.Value : 0, _expiredLeases);
        foreach (var expired in _expiredLeases)
        {
            _proposals.Add(expired);
        }
    }

    private void SubmitProposals()
    {
        while (_proposals.Next(_raft.Leader is not null) is { } propose)
        {
            if (_raft.Role is Role.Leader && !_room.Admits(_proposals.NextBytes))
            {
                _proposals.RefuseNext(new DiskFullException());
                continue;
            }

            var outcome = Step(propose);
            if (!_proposals.OnProposed(propose, outcome ?? default))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Without room in the log nothing more is taken on: what a leader sends is lost as a network would lose it, until
    /// it is sent again.
    /// </summary>
    private bool IsLost(Input input) =>
        input is Receive { Message: AppendEntries { Entries.IsEmpty: false } append }
        && !_room.Admits(BytesOf(append.Entries.Span));

    private static long BytesOf(ReadOnlySpan<LogEntry> entries)
    {
        long bytes = 0;
        foreach (ref readonly var entry in entries)
        {
            bytes += EntryCodec.Size(entry);
        }

        return bytes;
    }

    private void SubmitReads()
    {
        while (_reads.Next(_raft.Leader is not null) is { } barrier)
        {
            Step(barrier);
        }
    }

    /// <summary>One step and its effects. Returns the answer to a proposal, if the input was one.</summary>
    private ProposeOutcome? Step(Input input)
    {
        _hasNews |= input is not Tick;
        _recorder.Record(_now, input);
        FollowDirectories(input);
        var effects = _raft.Step(input);
        _observer?.Stepped(_raft, input, effects);
        GiveUpVote(effects);
        _outbox.Send(effects.Send);
        if (effects.Write != WriteId.None || effects.SendAfterSync.Count > 0)
        {
            _writer.Add(effects);
            _writerWorker.Wake();
        }

        // Who waits for an entry is known before the entry can be applied.
        var proposed = effects.Proposed;
        if (proposed is { Result: ProposeResult.Appended } appended)
        {
            _proposals.OnAppended(appended.First);
        }

        for (var i = 0; i < effects.Forwarded.Count; i++)
        {
            _proposals.OnForwarded(effects.Forwarded[i]);
        }

        if (effects.Apply.Count > 0)
        {
            _applier.Add(effects.Apply);
            _applierWorker.Wake();
        }

        for (var i = 0; i < effects.Reads.Count; i++)
        {
            _reads.OnOutcome(effects.Reads[i]);
        }

        for (var i = 0; i < effects.Admin.Count; i++)
        {
            _admin.OnOutcome(effects.Admin[i], _now);
        }

        RunFileWork(effects);
        for (var i = 0; i < effects.Events.Count; i++)
        {
            OnEvent(effects.Events[i]);
        }

        Compact(input, effects);
        return proposed;
    }

    /// <summary>
    /// Durable before anybody hears of it: once the leader has forgotten what this node acknowledged, nobody would
    /// remind a process that comes after this one.
    /// </summary>
    private void GiveUpVote(Effects effects)
    {
        for (var i = 0; i < effects.Events.Count; i++)
        {
            if (effects.Events[i] is TailLost lost)
            {
                Log.TailLost(_logger, lost.Acknowledged.Value, lost.Last.ToString());
                _ledger.GiveUpVote(
                    $"the log ended at {lost.Last}, before entry {lost.Acknowledged}, which had been acknowledged: the "
                    + "disk lost entries, or an older copy of the directory was put back.");
            }
        }
    }

    private void RunFileWork(Effects effects)
    {
        if (effects.Fetches.Count + effects.ChunkReads.Count + effects.ChunkWrites.Count == 0)
        {
            return;
        }

        for (var i = 0; i < effects.Fetches.Count; i++)
        {
            _snapshots.Fetch(effects.Fetches[i]);
        }

        for (var i = 0; i < effects.ChunkReads.Count; i++)
        {
            _snapshots.Read(effects.ChunkReads[i]);
        }

        for (var i = 0; i < effects.ChunkWrites.Count; i++)
        {
            _snapshots.Write(effects.ChunkWrites[i]);
        }

        _snapshotWorker.Wake();
    }

    private void Compact(Input input, Effects effects)
    {
        switch (input)
        {
            case SnapshotTaken or SnapshotInstalled:
                // The core has decided how much of the log to keep; the files follow.
                _writer.Cut(_raft.LogStart);
                _writerWorker.Wake();
                break;
            default:
                if (effects.Append.Count > 0 && _compactor.OnAppended(effects.Append))
                {
                    _applier.RequestCapture(TakeSnapshot);
                    _applierWorker.Wake();
                }

                break;
        }
    }

    /// <summary>Begins a snapshot of what is published. Applier's thread.</summary>
    private void TakeSnapshot(KvCapture capture, EntryId lastIncluded, Membership membership)
    {
        _snapshots.Take(capture, lastIncluded, membership);
        _snapshotWorker.Wake();
    }

    /// <summary>Asks for a snapshot now, whatever the log's size. Any thread.</summary>
    public void RequestSnapshot()
    {
        _applier.RequestCapture(TakeSnapshot);
        _applierWorker.Wake();
    }

    private void OnEvent(RaftEvent raftEvent)
    {
        switch (raftEvent)
        {
            case LeaderChanged changed:
                _metrics.LeaderChanges++;
                _proposals.OnLeaderChanged();
                _admin.OnLeaderChanged(changed.Leader);
                Log.LeaderChanged(_logger, changed.Leader?.ToString() ?? "none", changed.Term.Value);
                break;
            case RoleChanged changed: Log.RoleChanged(_logger, changed.Role, changed.Term.Value); break;
            case CampaignStarted campaign:
                Log.CampaignStarted(_logger, campaign.IsPreVote ? "pre-vote" : "vote", campaign.Term.Value, campaign.Reason);
                break;
            case QuorumLost lost: Log.QuorumLost(_logger, lost.Term.Value); break;
            case TailReplaced replaced: Log.TailReplaced(_logger, replaced.From.Value, replaced.OldLast.Value); break;
            case TailLost: break; // Done before the messages left.
            case PeerTailLost lost:
                _ledger.DistrustVotes(lost.Peer, lost.Incarnation);
                break;
            case MembershipChanged changed:
                Log.MembershipInForce(_logger, changed.Index.Value, changed.Membership.ToString());
                break;
            case MembershipCommitted committed:
                Log.MembershipCommitted(_logger, committed.Index.Value, committed.Membership.ToString());
                break;
            case RemovedFromCluster: Log.Removed(_logger); break;
            case SnapshotTransfer transfer:
                Log.SnapshotTransfer(
                    _logger, transfer.IsSending ? "to" : "from", transfer.Peer.ToString(),
                    transfer.LastIncluded.ToString(), transfer.IsDone ? "done" : "begins");
                break;
            default: break;
        }
    }
}
