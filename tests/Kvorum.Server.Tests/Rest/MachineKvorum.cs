using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Raft;

namespace Kvorum.Server.Tests.Rest;

/// <summary>
/// A node of one that commits at once: the real state machine without consensus, and failures on demand.
/// </summary>
internal sealed class MachineKvorum : IKvorum, IDisposable
{
    public const ulong Self = 1;

    private readonly Lock _lock = new();
    private readonly IEngine _engine = MemoryEngine.Create();
    private readonly KvMachine _machine;
    private ulong _index;

    public MachineKvorum() => _machine = new KvMachine(_engine, new KvOptions());

    public NodeRole Role { get; set; } = NodeRole.Leader;

    public ulong? Leader { get; set; } = Self;

    /// <summary>What every proposal fails with; null when they succeed.</summary>
    public Exception? ProposalFailure { get; set; }

    /// <summary>What every read fails with; null when they succeed.</summary>
    public Exception? ReadFailure { get; set; }

    /// <summary>Runs before each read.</summary>
    public Action<RangeQuery>? BeforeRead { get; set; }

    /// <summary>What every change of members or leader fails with; null when they succeed.</summary>
    public Exception? ChangeFailure { get; set; }

    /// <summary>Why a dry run says that a change would be refused.</summary>
    public string? Refusal { get; set; }

    public List<(MemberChange Change, bool IsDryRun)> Changes { get; } = [];

    /// <summary>Whom leadership was asked to go to.</summary>
    public List<ulong?> Transfers { get; } = [];

    public List<MemberStatus> Members { get; } =
    [
        new(1, true, true, true, 0, 0, "replicate"),
        new(2, true, true, true, 0, 0, "replicate"),
        new(3, true, false, true, 0, 0, "probe"),
    ];

    public List<Command> Proposals { get; } = [];

    public List<Consistency> Reads { get; } = [];

    public NodeStatus Status
    {
        get
        {
            lock (_lock)
            {
                return new NodeStatus
                {
                    ClusterId = 0xC1,
                    Node = Self,
                    Name = "n1",
                    Incarnation = 7,
                    Role = Role,
                    Term = 3,
                    Leader = Leader,
                    CommitIndex = _index,
                    AppliedIndex = _index,
                    LastLogIndex = _index + 1,
                    LastLogTerm = 3,
                    LogStartIndex = 0,
                    Revision = _machine.Revision,
                    CompactedRevision = _engine.CompactedRevision,
                    KeyCount = _engine.KeyCount,
                    EngineBytes = 1000,
                    WalBytes = 2000,
                    SessionCount = _machine.SessionCount,
                    StateHash = 0xFEDCBA9876543210,
                    StateHashIndex = _index,
                    HasQuorum = Leader is not null,
                    MayVote = true,
                    StopReason = null,
                    Members =
                    [
                        .. Members.Select(member => member.State == "replicate"
                            ? member with { Match = _index, Next = _index + 1 }
                            : member with { Next = 1 }),
                    ],
                };
            }
        }
    }

    public long Revision => _engine.Revision;

    public Task<CommandResult> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancel)
    {
        lock (_lock)
        {
            Proposals.Add(command);
            if (ProposalFailure is { } failure)
            {
                return Task.FromException<CommandResult>(failure);
            }

            if (CommandValidation.Check(command) is { } broken)
            {
                throw new ArgumentException(broken);
            }

            var payload = new byte[CommandCodec.Size(command)];
            CommandCodec.Encode(command, payload);
            var id = new EntryId(new Term(3), new LogIndex(++_index));
            var result = _machine.Apply(new LogEntry(id, EntryKind.Command, payload));
            _machine.Publish();
            return Task.FromResult(result);
        }
    }

    public Task<HashResult> HashAsync(HashQuery query, CancellationToken cancel) => throw new NotSupportedException();

    public Watcher Watch(WatchOptions options, Action<Watcher> onReady) => throw new NotSupportedException();

    public KeyValue? ReadBefore(ReadOnlyMemory<byte> key, long revision) => throw new NotSupportedException();

    public Task<LeaseStatus?> FindLeaseAsync(long id, bool withKeys, TimeSpan timeout, CancellationToken cancel)
    {
        lock (_lock)
        {
            var lease = _machine.FindLease(id, withKeys);
            return Task.FromResult(
                lease is null ? null : new LeaseStatus(id, lease.TtlSeconds, lease.TtlSeconds, lease.Keys));
        }
    }

    public Task<IReadOnlyList<long>> LeasesAsync(TimeSpan timeout, CancellationToken cancel)
    {
        lock (_lock)
        {
            return Task.FromResult(_machine.LeaseIds());
        }
    }

    public Task<MemberChangePlan> ChangeMembersAsync(
        MemberChange change, bool isDryRun, TimeSpan timeout, CancellationToken cancel)
    {
        lock (_lock)
        {
            Changes.Add((change, isDryRun));
            if (ChangeFailure is { } failure && !(isDryRun && failure is MemberChangeRefusedException))
            {
                return Task.FromException<MemberChangePlan>(failure);
            }

            var before = Voters();
            ulong[] after = change.Kind switch
            {
                MemberChangeKind.Remove => [.. before.Where(node => node != change.Node)],
                MemberChangeKind.Add when change.StaysLearner => before,
                MemberChangeKind.Replace => [.. before.Where(node => node != change.Node), change.New!.Node],
                _ => [.. before, change.Node],
            };
            if (!isDryRun)
            {
                Apply(change);
            }

            return Task.FromResult(new MemberChangePlan(
                Refusal, before, after, (after.Length / 2) + 1, (after.Length - 1) / 2));
        }
    }

    public Task TransferLeadershipAsync(ulong? to, TimeSpan timeout, CancellationToken cancel)
    {
        Transfers.Add(to);
        if (ChangeFailure is { } failure)
        {
            return Task.FromException(failure);
        }

        Leader = to ?? 2;
        Role = Leader == Self ? NodeRole.Leader : NodeRole.Follower;
        return Task.CompletedTask;
    }

    private ulong[] Voters() => [.. Members.Where(member => member.IsVoter).Select(member => member.Node)];

    private void Apply(MemberChange change)
    {
        switch (change.Kind)
        {
            case MemberChangeKind.Remove:
                Members.RemoveAll(member => member.Node == change.Node);
                break;
            case MemberChangeKind.Promote:
                var at = Members.FindIndex(member => member.Node == change.Node);
                Members[at] = Members[at] with { IsVoter = true };
                break;
            default:
                var added = change.New!; // Every other kind has one.
                ulong? replaced = change.Kind is MemberChangeKind.Replace ? change.Node : null;
                if (Members.FindIndex(member => member.Node == added.Node) is >= 0 and var known)
                {
                    Members[known] = Members[known] with { IsJoining = true, Replaces = replaced };
                    break;
                }

                Members.Add(new MemberStatus(added.Node, false, false, true, 0, 0, "probe")
                {
                    Address = added,
                    IsJoining = !change.StaysLearner,
                    Replaces = replaced,
                });
                break;
        }
    }

    public Task<RangeResult> ReadAsync(
        RangeQuery query, Consistency consistency, TimeSpan timeout, CancellationToken cancel)
    {
        BeforeRead?.Invoke(query);
        lock (_lock)
        {
            Reads.Add(consistency);
            if (ReadFailure is { } failure && consistency is Consistency.Linearizable)
            {
                return Task.FromException<RangeResult>(failure);
            }

            if (CommandValidation.CheckQuery(query) is { } broken)
            {
                throw new ArgumentException(broken);
            }

            using var view = _engine.OpenView();
            return Task.FromResult(query.Execute(view));
        }
    }

    public void Dispose() => _engine.Dispose();
}
