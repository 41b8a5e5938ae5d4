using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// The invariants of every run, checked after each event for the node it touched. The rules stand in classes of their
/// own; here is what they share: a mirror of every log and of what is synced of it, and the one list of what is
/// committed.
/// </summary>
internal sealed class Rules(SimSettings settings) : WorldObserver
{
    private readonly List<NodeRecord> _nodes = [];
    private readonly LeaderPerTerm _leaders = new();
    private readonly EntryBook _entries = new();
    private readonly CommittedList _committed = new();
    private readonly VoteLedger _votes = new();
    private readonly StateLedger _state = new();
    private readonly FrameRoundTrip _frames = new();
    private readonly QueueLimits _limits = new(settings);
    private readonly QuietAfterSettling _quiet = new();
    private readonly FreshReads _reads = new();
    private (LogIndex Index, Membership Membership) _members = (
        LogIndex.Zero, new(Enumerable.Range(1, settings.Voters).Select(voter => new NodeId((ulong)voter)), []));

    public override bool SeesFrames => true;

    public override void Started(int node, RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
        var record = RecordOf(node);
        record.Machine = machine;
        Started(node, ReplicaView.Of(raft), recovered);
    }

    public override void Synced(int node, WriteId last) => RecordOf(node).Sync(last);

    public override void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
        Stepped(node, ReplicaView.Of(raft), input, effects);
        for (var i = 0; i < effects.Events.Count; i++)
        {
            if (effects.Events[i] is MembershipCommitted committed && committed.Index > _members.Index)
            {
                _members = (committed.Index, committed.Membership);
            }
        }

        var record = RecordOf(node);
        if (!ReferenceEquals(raft.Membership, record.Seen) || !ReferenceEquals(record.Membership, record.Expected))
        {
            record.Seen = raft.Membership;
            record.Expected = record.Membership;
            Check("R8", raft.Membership.Equals(record.Membership)
                ? null
                : $"Node {node} acts on the membership [{raft.Membership}]; the newest in its log is "
                    + $"[{record.Membership}], at index {record.MembershipIndex}.");
        }

        if (raft.Lead is { } lead && input is Receive or Standing)
        {
            CheckPeers(node, lead, input);
        }
    }

    public override void Applied(
        int node, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
        var record = RecordOf(node);
        for (var i = 0; i < entries.Length; i++)
        {
            if (entries[i].Index > _committed.Last || entries[i].Term != _committed.TermAt(entries[i].Index))
            {
                Report("R4", $"Node {node} applied {entries[i].Id}, which is not committed.");
                return;
            }

            if (entries[i].Index != record.Applied.Next)
            {
                Report("R4", $"Node {node} applied index {entries[i].Index} after {record.Applied}.");
                return;
            }

            record.Applied = entries[i].Index;
            if (_state.Applied(node, entries[i], results[i]) is { } wrong)
            {
                Report(wrong.Rule, wrong.Text);
                return;
            }
        }

        Check("R11", _state.Hashed(node, record.Applied, stateHash));
        CompareRestored(node, record);
    }

    public override void Restored(int node, SnapshotDescriptor snapshot, ulong stateHash)
    {
        var record = RecordOf(node);
        record.Applied = snapshot.LastIncluded.Index;
        record.IsRestored = true;
        Check("R12", _state.Hashed(node, record.Applied, stateHash));
        CompareRestored(node, record);
    }

    public override void FrameSent(int from, int to, Message message, ReadOnlyMemory<byte> frame)
    {
        Check("R7", _votes.Sent(from, message));
        Check("R13", _frames.Sent(from, message, frame.Span));
        Check("Q1", _limits.CheckSent(from, message));
    }

    public override void Stopped(int node, bool losesPower) => RecordOf(node).IsRunning = false;

    public override void Struck(Fault fault)
    {
        if (fault.Kind is >= FaultKind.BitRot and <= FaultKind.RottenCopies && !LossPlan.IsLoss(fault.Kind))
        {
            foreach (var node in fault.Nodes)
            {
                RecordOf(node).Damage(fault);
            }
        }
    }

    public override void Lost(int node, Fault fault) => RecordOf(node).Damage(fault);

    public override void PhaseBegan(SimPhase phase)
    {
        // As long as the run gives the majority to elect and settle, half of it.
        var settles = 5L * settings.ElectionTicks * settings.TickMicroseconds + 5_000_000;
        _quiet.Begin(phase is SimPhase.Liveness ? Now + settles : long.MaxValue);
        if (phase is not SimPhase.Ended)
        {
            return;
        }

        for (var node = 1; node <= _nodes.Count; node++)
        {
            if (!_members.Membership.Contains(new NodeId((ulong)node)))
            {
                continue; // Nobody waited for it.
            }

            if (RecordOf(node) is { IsRunning: true, Machine: { } machine })
            {
                Check("R10", _state.CheckKept(node, machine.Revision));
            }
        }
    }

    public override void Answered(Operation operation) => Check("R10", _state.Acknowledged(operation));

    /// <summary>A node recovered: its log is what its disk gave back.</summary>
    internal void Started(int node, in ReplicaView view, RecoveredState recovered)
    {
        var record = RecordOf(node);
        record.Begin(view, recovered);
        if (!_entries.TryFind(recovered.LogStart, out var chain))
        {
            Report("R2", $"Node {node} starts with a log after {recovered.LogStart}, which nobody ever had.");
            return;
        }

        var (synced, syncedChain) = record.SurelySynced(withoutNewest: record.IsDamagedOnce);
        var wasReplaced = IsReplacedBy(record.Durable, recovered.LogStart, chain);
        record.Log.Reset(recovered.LogStart, chain);
        for (var i = 0; i < recovered.Entries.Count; i++)
        {
            var entry = recovered.Entries[i];
            chain = LogImage.Link(chain, entry);
            Check("R2", _entries.Add(node, entry.Id, chain));
            record.Log.Append(entry.Id, chain);
            if (entry.Kind is EntryKind.Membership && entry.Index > recovered.Applied
                && MembershipCodec.TryDecode(entry.Payload, out var membership, out _))
            {
                record.AddMembership(entry.Index, membership);
            }
        }

        record.Durable.CopyFrom(record.Log);
        if (MustHaveKept(record, recovered) && !wasReplaced && !record.Log.Has(synced, syncedChain))
        {
            Report("R6", $"Node {node} had synced its log up to index {synced} and starts with one that ends at "
                + $"{record.Log.Last}, or with another entry there.");
        }

        if (view.Last != record.Log.Last && _entries.TryFind(view.LogStart, out chain))
        {
            record.Log.Reset(view.LogStart, chain); // A snapshot was installed, and then came the crash.
        }

        Check("R4", _committed.Compare(node, record.Log, recovered.Applied));
        CompareRestored(node, record);
    }

    /// <summary>
    /// A node whose disk was damaged in one place finds it, and then gives up its vote or does not start; only what was
    /// written last nobody can know to be missing.
    /// </summary>
    private static bool MustHaveKept(NodeRecord record, RecoveredState recovered) =>
        !record.IsDamaged || (record.IsDamagedOnce && recovered.MayVote);

    /// <summary>
    /// A received snapshot ends with a committed entry, and the log had another one there: nothing of it from there on
    /// can be committed, and a start finishes what the crash cut short (paper §7).
    /// </summary>
    private bool IsReplacedBy(LogImage durable, EntryId start, ulong chain) =>
        start.Index > durable.Start.Index && start.Index <= durable.Last.Index
        && durable.ChainAt(start.Index) != chain
        && start.Index <= _committed.Last && _committed.ChainAt(start.Index) == chain;

    /// <summary>A replica took a step.</summary>
    internal void Stepped(int node, in ReplicaView view, Input input, Effects effects)
    {
        var record = RecordOf(node);
        var before = record.View;
        var inForce = record.Membership;
        FollowLog(node, record, view, input, effects);
        Check("R5", NeverBack.Check(node, before, view));
        Check("R9", LogKeepsCommitted.CheckEnds(node, record.Log, view));
        if (input is SnapshotTaken { Snapshot: var taken })
        {
            Check("R9", LogKeepsCommitted.CheckSnapshot(node, record.Log, view.Commit, taken.LastIncluded));
        }
        else if (input is SnapshotInstalled { Snapshot: var installed })
        {
            Check("R9", LogKeepsCommitted.CheckSnapshot(node, record.Log, view.Commit, installed.LastIncluded));
        }

        CheckVotes(node, before, input, effects);
        Check("R3", VotesForNewerLogs.CheckCommit(node, before, view, record.Log));
        if (input is ReadBarrier barrier)
        {
            _reads.Asked(node, barrier.RequestId, _committed.Last);
        }

        record.View = view;
        if (view.Role is Role.Leader && record.LedTerm != view.Term)
        {
            OnElected(node, record, view);
        }

        if (view.Commit > before.Commit)
        {
            // What a leader changes by itself it appends after it counted; what it is asked for, before.
            var isAsked = input is ChangeMembers or Receive { Message: ChangeRequest };
            OnCommitted(node, record, view, isAsked ? record.Membership : inForce);
        }

        for (var i = 0; i < effects.Apply.Count; i++)
        {
            var entry = effects.Apply[i];
            if (entry.Index > _committed.Last || entry.Term != _committed.TermAt(entry.Index))
            {
                Report("R4", $"Node {node} hands out {entry.Id} for applying, which is not committed.");
            }
        }

        for (var i = 0; i < effects.Reads.Count; i++)
        {
            Check("K1", _reads.Answered(node, effects.Reads[i]));
        }

        if (view.Role is Role.Leader)
        {
            Check("K1", record.Reads.Check(
                node, record.Life, view.Term, record.Membership, record.MembershipBefore?.Membership, input, effects));
        }
    }

    private void CheckVotes(int node, in ReplicaView before, Input input, Effects effects)
    {
        if (input is not Receive { Message: RequestVote { IsPreVote: false } request })
        {
            return;
        }

        for (var i = 0; i < effects.SendAfterSync.Count; i++)
        {
            if (effects.SendAfterSync[i] is VoteReply { Granted: true, IsPreVote: false })
            {
                Check("R3", VotesForNewerLogs.CheckVote(node, request, before.Last));
            }
        }
    }

    private void FollowLog(int node, NodeRecord record, in ReplicaView view, Input input, Effects effects)
    {
        var log = record.Log;
        if (effects.LogStart is { } start)
        {
            // The first step after a crash between snapshot and log writes what recovery already did.
            Check("R9", log.Start == start ? null : LogKeepsCommitted.CheckReset(node, log, record.View.Commit, start));
            if (!_entries.TryFind(start, out var startChain))
            {
                Report("R2", $"Node {node} lets its log begin after {start}, which nobody ever had.");
            }

            log.Reset(start, startChain);
            record.Ask(effects.Write, true, start, startChain);
            if (input is SnapshotInstalled)
            {
                // The snapshot was durable before the replica heard of it, and recovery lets it win over an older log.
                record.Durable.Reset(start, startChain);
            }
        }

        if (input is SnapshotInstalled { Snapshot: var snapshot } && log.Last.Index <= snapshot.LastIncluded.Index)
        {
            record.ResetMemberships(snapshot.LastIncluded.Index, snapshot.Membership);
        }

        if (effects.Append.Count == 0)
        {
            return;
        }

        var first = effects.Append[0];
        var wrong = LogKeepsCommitted.CheckAppend(node, log, record.View.Commit, first.Id);
        Check("R9", wrong);
        Check("R5", NeverBack.CheckAppend(node, record.View, view, first.Id));
        if (!log.Reaches(first.Index))
        {
            return; // Reported just now.
        }

        record.CutMemberships(first.Index);
        var chain = log.ChainAt(first.Index.Previous);
        for (var i = 0; i < effects.Append.Count; i++)
        {
            var entry = effects.Append[i];
            chain = LogImage.Link(chain, entry);
            Check("R2", _entries.Add(node, entry.Id, chain));
            log.Append(entry.Id, chain);
            record.Ask(effects.Write, false, entry.Id, chain);
            if (entry.Kind is EntryKind.Membership)
            {
                OnMembership(node, record, view, entry);
            }
        }
    }

    private void OnMembership(int node, NodeRecord record, in ReplicaView view, in LogEntry entry)
    {
        if (!MembershipCodec.TryDecode(entry.Payload, out var membership, out var error))
        {
            Report("R13", $"Node {node} has a membership at index {entry.Index} that nobody can read: {error}");
            return;
        }

        if (view.Role is Role.Leader && entry.Term == view.Term)
        {
            var commitTerm = record.Log.Reaches(view.Commit) ? record.Log.TermAt(view.Commit) : Term.Zero;
            Check("R8", MembershipSteps.Check(
                node, view.Term, entry.Index, (record.MembershipIndex, record.Membership), membership, view.Commit,
                commitTerm));
        }

        record.AddMembership(entry.Index, membership);
    }

    private void OnElected(int node, NodeRecord record, in ReplicaView view)
    {
        record.LedTerm = view.Term;
        record.Matches.Clear();
        Check("R1", _leaders.Led(node, record.Life, view.Term));
        Check("R1", _votes.CheckElection(node, view.Term, record.Membership));
        Check("R3", _committed.CheckLeader(node, view.Term, record.Log));
        Check("V2", _quiet.Elected(node, view.Term.Value, Now));
    }

    private void OnCommitted(int node, NodeRecord record, in ReplicaView view, Membership inForce)
    {
        var log = record.Log;
        Check("R4", _committed.Compare(node, log, view.Commit));
        if (view.Commit <= _committed.Last)
        {
            return;
        }

        if (log.Start.Index > _committed.Last || log.Last.Index < view.Commit)
        {
            Report("R9", $"Node {node} committed up to {view.Commit}; its log has ({log.Start}, {log.Last}].");
            return;
        }

        for (var index = _committed.Last.Next; index <= view.Commit; index = index.Next)
        {
            _committed.Add(log.TermAt(index), log.ChainAt(index), view.Term);
        }

        var commit = view.Commit;
        var chain = log.ChainAt(commit);
        Check("R6", SyncedOnQuorum.Check(
            node, commit, inForce, voter => RecordOf((int)voter.Value).HasSynced(commit, chain)));

        // Who leads a later term already must have it as well.
        for (var other = 1; other <= _nodes.Count; other++)
        {
            var leader = RecordOf(other);
            if (leader is { IsRunning: true, View.Role: Role.Leader } && leader.View.Term > view.Term)
            {
                Check("R3", _committed.CheckLeader(other, leader.View.Term, leader.Log));
            }
        }
    }

    private void CheckPeers(int node, LeaderState lead, Input input)
    {
        var record = RecordOf(node);
        var matches = record.Matches;
        foreach (var peer in lead.Peers)
        {
            matches.TryGetValue(peer.Node.Value, out var before);
            // Another directory than the one that acknowledged, be it one that may vote, starts from nothing.
            var mayForget = !peer.Peer.MayVote || (input is Standing standing && standing.Peer == peer.Node);
            Check("R5", NeverBack.CheckMatch(node, peer.Node.Value, before, peer.Match, peer.Next, mayForget));
            Check("R6", NeverBack.CheckClaimTerm(node, peer.Node.Value, before, peer.Match, record.View.Term, input));
            matches[peer.Node.Value] = peer.Match;
            CheckClaim(node, record, peer);
        }

        Check("Q1", _limits.CheckLeader(node, lead));
    }

    /// <summary>R6 at its root: what a peer acknowledged in the leader's term is on its disk.</summary>
    private void CheckClaim(int node, NodeRecord leader, PeerProgress peer)
    {
        var other = RecordOf((int)peer.Node.Value);
        if (peer.Match <= leader.Log.Start.Index || other.View.Term != leader.View.Term || other.IsDamaged
            || !peer.Peer.MayVote || !leader.Log.Reaches(peer.Match))
        {
            return;
        }

        if (!other.Durable.Has(peer.Match, leader.Log.ChainAt(peer.Match)))
        {
            Report("R6", $"Node {node} leads term {leader.View.Term} and counts index {peer.Match} on node "
                + $"{peer.Node}, which has synced its log up to {other.Durable.Last}.");
        }
    }

    /// <summary>As soon as the replay stands where the node stands.</summary>
    private void CompareRestored(int node, NodeRecord record)
    {
        if (record is { IsRestored: true, Machine: { } machine } && machine.Applied == record.Applied
            && _state.IsAt(record.Applied))
        {
            record.IsRestored = false;
            Check("R12", _state.CompareContent(node, machine));
        }
    }

    private NodeRecord RecordOf(int node)
    {
        while (_nodes.Count < node)
        {
            _nodes.Add(new NodeRecord());
        }

        return _nodes[node - 1];
    }

    private void Check(string rule, string? wrong)
    {
        if (wrong is not null)
        {
            Report(rule, wrong);
        }
    }
}
