using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>Counts interesting states that were reached, so that one can tell what the runs do not reach.</summary>
internal sealed class Marks(SimSettings settings) : WorldObserver
{
    private readonly SimCounters _counts = new();
    private readonly Role[] _roles = new Role[SimSettings.PlacesMax + 1];
    private readonly LogIndex[] _membershipAt = new LogIndex[SimSettings.PlacesMax + 1];
    private readonly bool[] _hasRun = new bool[SimSettings.PlacesMax + 1];

    public IReadOnlyDictionary<string, long> ToDictionary() => _counts.ToDictionary();

    /// <summary>Something worth seeing that is not seen in a single step.</summary>
    public void ReachIf(bool isReached, string name) => MarkIf(isReached, name);

    public override void Started(int node, RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
        _membershipAt[node] = LogIndex.Zero;
        if (!_hasRun[node])
        {
            _hasRun[node] = true;
            return;
        }

        _counts.Add(recovered.Entries.Count == 0 ? "restart.empty.log" : "restart.with.log");
        MarkIf(recovered.Snapshot is not null, "restart.with.snapshot");
        MarkIf(recovered.LogStart != EntryId.Start, "restart.with.cut.log");
        MarkIf(!recovered.MayVote, "restart.without.vote");
        MarkIf(recovered.HardState.VotedFor is not null, "restart.with.vote");
    }

    public override void Mended(int node, bool mayVote) =>
        _counts.Add(mayVote ? "log.mended" : "log.mending.given.up");

    public override void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
        MarkInput(raft, input);
        if (input is Tick && effects.Events.Count == 0)
        {
            return;
        }

        MarkEffects(effects);
        for (var i = 0; i < effects.Events.Count; i++)
        {
            Mark(effects.Events[i]);
            MarkMembers(node, raft, input, effects.Events[i]);
        }

        if (_roles[node] != raft.Role)
        {
            MarkIf(_roles[node] is Role.Leader, "leader.stepped.down");
            MarkIf(_roles[node] is Role.Candidate && raft.Role is Role.Follower, "candidate.gave.up");
            _roles[node] = raft.Role;
            MarkIf(_roles.Count(role => role is Role.Leader) > 1, "leaders.two.at.once");
        }
    }

    public override void Applied(
        int node, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
        MarkIf(entries.Length > 1, "apply.batch");
        for (var i = 0; i < results.Length; i++)
        {
            ref readonly var result = ref results[i];
            MarkIf(result.Count > 0 && IsExpiry(entries[i]), "session.expired");
            MarkIf(result.Status is CommandStatus.UnknownSession, "session.unknown");
            MarkIf(result.Detail is TxnResult { Succeeded: false }, "compare.failed");
            MarkIf(result.Detail is TxnResult { Succeeded: true, Results.Count: > 1 }, "transaction.of.several");
        }
    }

    private static bool IsExpiry(in LogEntry entry) =>
        entry.Kind is EntryKind.Command && CommandCodec.TryDecode(entry.Payload, out var command)
        && command is ExpireSessions;

    public override void Restored(int node, SnapshotDescriptor snapshot, ulong stateHash) =>
        _counts.Add("snapshot.restored");

    public override void Stopped(int node, bool losesPower)
    {
        MarkIf(_roles[node] is Role.Leader, "leader.died");
        MarkIf(_roles[node] is Role.Candidate, "candidate.died");
        MarkIf(losesPower, "node.lost.power");
        _roles[node] = Role.Follower;
    }

    public override void Answered(Operation operation)
    {
        MarkIf(operation.Outcome is OperationOutcome.Unknown, "client.left.in.doubt");
        MarkIf(operation.Outcome is OperationOutcome.NoEffect, "client.refused");
        MarkIf(operation is { IsLocal: true, Outcome: OperationOutcome.Done }, "read.local");
        MarkIf(operation.Returned - operation.Invoked > settings.RequestTimeout / 2, "client.waited.long");
    }

    private void MarkInput(RaftNode raft, Input input)
    {
        switch (input)
        {
            case Receive { Message: var message }: MarkMessage(raft, message); break;
            case SnapshotTaken: _counts.Add("snapshot.taken"); break;
            case SnapshotInstalled: _counts.Add("snapshot.installed"); break;
            case Fetched { Entries.Length: 0 }: _counts.Add("fetch.found.nothing"); break;
            case Fetched: _counts.Add("fetch.from.disk"); break;
            case ChunkRead { Data.Length: 0 }: _counts.Add("snapshot.gone.while.sent"); break;
            case ChunkWritten { NextOffset: 0 }: _counts.Add("snapshot.chunk.from.start"); break;
            case ConnectionLost lost:
                MarkIf(raft.Leader == lost.Peer, "connection.to.leader.lost");
                MarkIf(raft.Role is Role.Leader, "connection.of.leader.lost");
                break;
            case Standing { MayVote: false }: _counts.Add("standing.lost"); break;
            case TransferLeadership: MarkIf(raft.Role is Role.Leader, "transfer.asked"); break;
            case ReadBarrier: MarkIf(raft.Role is Role.Leader, "read.at.leader"); break;
            default: break;
        }
    }

    private void MarkMessage(RaftNode raft, Message message)
    {
        MarkIf(message.Term < raft.Term, "message.of.older.term");
        switch (message)
        {
            case AppendReply { Accepted: false }: _counts.Add("append.refused"); break;
            case AppendReply { Accepted: true }:
                MarkIf(raft.Role is not Role.Leader, "append.reply.late");
                break;
            case AppendEntries append:
                MarkIf(append.Entries.Length > 1, "append.batch");
                MarkIf(append.Entries.Length > 0 && append.Previous.Index < raft.CommitIndex, "append.of.committed");
                break;
            case InstallSnapshot install: MarkIf(install.Offset > 0, "snapshot.in.chunks"); break;
            case RequestVote { IsTransfer: true }: _counts.Add("vote.for.transfer"); break;
            case RequestVote { LostLeader: not null }: _counts.Add("prevote.hurried"); break;
            case VoteReply { Granted: false, IsPreVote: true }: _counts.Add("prevote.refused"); break;
            case VoteReply { Granted: false }: _counts.Add("vote.refused"); break;
            default: break;
        }
    }

    private void MarkEffects(Effects effects)
    {
        MarkIf(effects.LogStart is not null, "log.reset");
        MarkIf(effects.Apply.Count > 1, "commit.of.several");
        switch (effects.Proposed?.Result)
        {
            case ProposeResult.Forwarded: _counts.Add("propose.forwarded"); break;
            case ProposeResult.Refused: _counts.Add("propose.refused"); break;
            default: break;
        }

        for (var i = 0; i < effects.Forwarded.Count; i++)
        {
            MarkIf(!effects.Forwarded[i].Accepted, "forward.refused");
        }

        for (var i = 0; i < effects.Admin.Count; i++)
        {
            MarkIf(effects.Admin[i].Result is AdminResult.Busy, "members.change.while.busy");
            MarkIf(effects.Admin[i].Result is AdminResult.Refused, "members.change.refused");
        }

        for (var i = 0; i < effects.Reads.Count; i++)
        {
            MarkIf(!effects.Reads[i].Accepted, "read.refused");
        }
    }

    private void Mark(RaftEvent raftEvent)
    {
        switch (raftEvent)
        {
            case RoleChanged { Role: Role.Leader }: _counts.Add("leader.elected"); break;
            case CampaignStarted { IsPreVote: true }: _counts.Add("prevote.started"); break;
            case CampaignStarted: _counts.Add("campaign.started"); break;
            case QuorumLost: _counts.Add("leader.lost.quorum"); break;
            case TailReplaced: _counts.Add("follower.truncates.conflict"); break;
            case RemovedFromCluster: _counts.Add("members.removed.node.was.told"); break;
            case TailLost: _counts.Add("tail.lost"); break;
            case PeerTailLost: _counts.Add("peer.tail.lost"); break;
            case SnapshotTransfer { IsDone: true }: _counts.Add("snapshot.transferred"); break;
            default: break;
        }
    }

    private void MarkMembers(int node, RaftNode raft, Input input, RaftEvent raftEvent)
    {
        switch (raftEvent)
        {
            case MembershipChanged changed:
                MarkIf(changed.Index < _membershipAt[node], "members.change.rolled.back");
                MarkIf(input is SnapshotInstalled, "members.change.by.snapshot");
                var hasVote = changed.Membership.IsVoter(raft.Node);
                MarkIf(raft.Role is Role.Leader && !hasVote, "members.leader.without.a.vote");
                _membershipAt[node] = changed.Index;
                break;
            case MembershipCommitted { Membership: var membership }:
                MarkIf(membership.IsJoint, "members.joint");
                MarkIf(membership.IsJoint && membership.LearnersNext.Length > 0, "members.voter.demoted");
                var isOneLeft = membership is { IsJoint: false, Voters.Length: 1, Removed.Length: > 0 };
                MarkIf(isOneLeft, "members.one.voter.left");
                MarkIf(membership.Learners.Length > 0, "members.learners");
                MarkIf(
                    membership.OutgoingVoters.Length > 0 && membership.OutgoingVoters.Length < membership.Voters.Length,
                    "members.learner.promoted");
                MarkIf(
                    membership.OutgoingVoters.Length == membership.Voters.Length, "members.voter.replaced");
                break;
            default: break;
        }
    }

    private void MarkIf(bool isReached, string name)
    {
        if (isReached)
        {
            _counts.Add(name);
        }
    }
}
