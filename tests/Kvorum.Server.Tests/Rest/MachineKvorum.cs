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
                        new MemberStatus(1, true, true, true, _index, _index + 1, "replicate"),
                        new MemberStatus(2, true, true, true, _index, _index + 1, "replicate"),
                        new MemberStatus(3, true, false, true, 0, 1, "probe"),
                    ],
                };
            }
        }
    }

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

    public Task<MemberChangePlan> ChangeMembersAsync(
        MemberChange change, bool isDryRun, TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

    public Task TransferLeadershipAsync(ulong? to, TimeSpan timeout, CancellationToken cancel) =>
        throw new NotSupportedException();

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
