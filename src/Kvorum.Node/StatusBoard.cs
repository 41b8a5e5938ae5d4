using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Where the replica pins up its state for everybody else. The replica's thread updates, any thread reads.
/// </summary>
internal sealed class StatusBoard
{
    private readonly Lock _lock = new();
    private readonly NodeOptions _options;
    private readonly PeerLedger _ledger;
    private readonly NodeRecovery _recovery;
    private readonly HashSet<ulong> _connected = [];
    private readonly List<(Func<NodeStatus, bool> Condition, TaskCompletionSource Done)> _waiters = [];
    private Membership? _membership;
    private MemberStatus[]? _members; // Of that membership; the same array as long as nothing in it changes.
    private NodeStatus _current;
    private long _lastQuorumTick;

    public StatusBoard(NodeOptions options, PeerLedger ledger, NodeRecovery recovery)
    {
        _options = options;
        _ledger = ledger;
        _recovery = recovery;
        _current = Empty();
    }

    public NodeStatus Current => Volatile.Read(ref _current);

    public void OnConnection(ulong peer, bool isUp)
    {
        lock (_lock)
        {
            _ = isUp ? _connected.Add(peer) : _connected.Remove(peer);
        }
    }

    public void Update(RaftNode raft, (LogIndex Index, ulong Hash, int Sessions) state, long now)
    {
        var engine = _recovery.Machine.Engine;
        if (raft.Leader is not null)
        {
            _lastQuorumTick = now;
        }

        var status = Current with
        {
            Role = (NodeRole)raft.Role,
            Term = raft.Term.Value,
            Leader = raft.Leader?.Value,
            CommitIndex = raft.CommitIndex.Value,
            AppliedIndex = state.Index.Value,
            LastLogIndex = raft.LastEntry.Index.Value,
            LastLogTerm = raft.LastEntry.Term.Value,
            LogStartIndex = raft.LogStart.Index.Value,
            Revision = engine.Revision,
            CompactedRevision = engine.CompactedRevision,
            KeyCount = engine.KeyCount,
            EngineBytes = engine.BytesUsed,
            WalBytes = _recovery.Wal.BytesOnDisk,
            SessionCount = state.Sessions,
            StateHash = state.Hash,
            StateHashIndex = state.Index.Value,
            HasQuorum = raft.Leader is not null,
            MayVote = raft.MayVote,
            NoVoteReason = ReasonOf(raft.MayVote),
            AwaitedVoters = _ledger.Awaited,
            Damage = _recovery.Damage,
            Mending = null,
            IsRemoved = raft.IsRemoved,
            IsJoint = raft.Membership.IsJoint,
            Incarnation = _ledger.Identity.Incarnation,
            Members = Members(raft),
        };
        Publish(status);
    }

    /// <summary>The replica has not begun: its log is being mended, as <paramref name="reason"/> says.</summary>
    public void UpdateMending(string reason, (ulong Term, ulong LastIndex) found)
    {
        if (Current.Mending != reason)
        {
            Publish(Current with
            {
                Term = found.Term,
                LastLogIndex = found.LastIndex,
                Incarnation = _ledger.Identity.Incarnation,
                MayVote = false,
                NoVoteReason = reason,
                Mending = reason,
            });
        }
    }

    /// <summary>The replica stopped; <paramref name="reason"/> is null when it was asked to.</summary>
    public void Stop(string? reason) =>
        Publish(Current with { Role = NodeRole.Stopped, HasQuorum = false, StopReason = reason ?? "it was asked to stop" });

    /// <summary>Completes at the first status that meets the condition.</summary>
    public Task WaitForAsync(Func<NodeStatus, bool> condition)
    {
        lock (_lock)
        {
            if (condition(_current))
            {
                return Task.CompletedTask;
            }

            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiters.Add((condition, done));
            return done.Task;
        }
    }

    private void Publish(NodeStatus status)
    {
        lock (_lock)
        {
            if (_current.Role is NodeRole.Stopped)
            {
                return;
            }

            Volatile.Write(ref _current, status);
            for (var i = _waiters.Count - 1; i >= 0; i--)
            {
                if (_waiters[i].Condition(status))
                {
                    _waiters[i].Done.TrySetResult();
                    _waiters.RemoveAt(i);
                }
            }
        }
    }

    private MemberStatus[] Members(RaftNode raft)
    {
        var membership = raft.Membership;
        var peers = raft.Peers;
        if (!ReferenceEquals(_membership, membership))
        {
            _membership = membership;
            _members = null;
        }

        var isNew = _members is null;
        var members = _members ?? new MemberStatus[membership.Members.Count];
        for (var i = 0; i < members.Length; i++)
        {
            var record = membership.Members[i];
            var member = (record.Node == raft.Node ? Myself(raft, record) : Peer(raft, record, peers)) with
            {
                Address = _members is { } known ? known[i].Address
                    : record.Name.Length + record.PeerUrl.Length > 0 ? MemberAddress.Of(record) : null,
                IsJoining = record.JoinsByItself && membership.IsLearner(record.Node),
                Replaces = membership.IsLearner(record.Node) ? record.Replaces?.Value : null,
                IsLeaving = membership.IsVoter(record.Node) && !membership.Voters.Contains(record.Node),
            };
            if (!isNew && members[i] != member)
            {
                members = [.. members]; // Others read the one that was published.
                isNew = true;
            }

            members[i] = member;
        }

        return _members = members;
    }

    private static MemberStatus Myself(RaftNode raft, MemberRecord record)
    {
        var last = raft.Role is Role.Leader ? raft.LastEntry.Index : LogIndex.Zero;
        var next = raft.Role is Role.Leader ? last.Next : LogIndex.Zero;
        var isVoter = raft.Membership.IsVoter(record.Node);
        return new MemberStatus(record.Node.Value, isVoter, true, raft.MayVote, last.Value, next.Value, "");
    }

    private MemberStatus Peer(RaftNode raft, MemberRecord record, IReadOnlyList<PeerStatus> peers)
    {
        PeerStatus progress = default;
        for (var i = 0; i < peers.Count; i++)
        {
            if (peers[i].Node == record.Node)
            {
                progress = peers[i];
            }
        }

        bool isConnected;
        lock (_lock)
        {
            isConnected = _connected.Contains(record.Node.Value);
        }

        return new MemberStatus(
            record.Node.Value, raft.Membership.IsVoter(record.Node), isConnected, raft.MayVoteOf(record.Node),
            progress.Match.Value, progress.Next.Value, progress.State ?? "");
    }

    private string? ReasonOf(bool mayVote) =>
        mayVote ? null : _ledger.Reason ?? "it was not promoted to a voter with this directory.";

    private NodeStatus Empty() => new()
    {
        ClusterId = _options.ClusterId,
        Node = _options.Node,
        Name = _options.Name,
        Incarnation = _ledger.Identity.Incarnation,
        Role = NodeRole.Follower,
        Term = 0,
        Leader = null,
        CommitIndex = 0,
        AppliedIndex = 0,
        LastLogIndex = 0,
        LastLogTerm = 0,
        LogStartIndex = 0,
        Revision = 0,
        CompactedRevision = 0,
        KeyCount = 0,
        EngineBytes = 0,
        WalBytes = 0,
        SessionCount = 0,
        StateHash = 0,
        StateHashIndex = 0,
        HasQuorum = false,
        MayVote = _ledger.Identity.MayVote,
        NoVoteReason = ReasonOf(_ledger.Identity.MayVote && _ledger.Reason is null),
        AwaitedVoters = _ledger.Awaited,
        Damage = _recovery.Damage,
        StopReason = null,
        Members = [],
    };
}
