using System.Security.Cryptography;
using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>One node: opens its directory, runs its replica, talks to its peers through a transport.</summary>
/// <remarks>
/// Four workers: the replica (decides), the log writer (makes durable), the applier (changes the state), and the
/// snapshot worker (slow file work). They talk through queues and never wait for one another. While the log is mended
/// there is no replica yet: <see cref="Mending"/> has its place.
/// </remarks>
public sealed partial class KvorumNode : IKvorum, IAsyncDisposable
{
    private const string Asked = "it was asked to stop";
    private const string ByItself = "the node stopped by itself";

    private readonly NodeOptions _options;
    private readonly ITransport _transport;
    private readonly IExecutor _executor;
    private readonly ILogger _logger;
    private readonly NodeRecovery _recovery;
    private readonly ReplicaInbox _inbox;
    private readonly PendingProposals _pendingProposals = new();
    private readonly PendingReads _pendingReads = new();
    private readonly ProposalDesk _proposals;
    private readonly ReadDesk _reads;
    private readonly LogRoom _room;
    private readonly SyncClock _syncs;
    private readonly FlightRecorder _recorder = new();
    private readonly PeerLedger _ledger;
    private readonly RefusalLog _refusals;
    private readonly AdminDesk _admin;
    private readonly IWorker _replicaWorker;
    private readonly IWorker _writerWorker;
    private readonly IWorker _applierWorker;
    private readonly IWorker _snapshotWorker;
    private readonly TimeProvider _time;
    private readonly TickClock _clock;
    private readonly RaftOptions _raftOptions;
    private readonly StatusBoard _board;
    private readonly LeaseClock _leases;
    private readonly WatchHub _watches;
    private readonly IWorker _watchWorker;
    private readonly ReadableEngine _readable;
    private readonly Lock _failing = new();
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly long _ticksPerSecond;
    private volatile bool _isStarted;
    private volatile Mending? _mending;
    private volatile RunningReplica? _running;
    private Exception? _failure;
    private int _isStopping;

    private KvorumNode(
        NodeOptions options, NodeRecovery recovery, ITransport transport, IExecutor executor, TimeProvider time, ulong seed,
        ulong newIncarnation, ILogger logger)
    {
        _options = options;
        _recovery = recovery;
        _transport = transport;
        _executor = executor;
        _time = time;
        _logger = logger;
        _ticksPerSecond = Math.Max(1, TimeSpan.TicksPerSecond / options.TickInterval.Ticks);
        Gate = new PeerGate(this);

        _readable = new ReadableEngine(recovery.Machine.Engine);
        _raftOptions = RaftOptionsOf(options, seed);
        _inbox = new ReplicaInbox(options.InboxMax, options.InboxBytesMax);
        _proposals = new ProposalDesk(
            _inbox, _pendingProposals, new Completions(executor, _readable), Metrics, _raftOptions.ProposalsMax,
            seed >> 1);
        _reads = new ReadDesk(_pendingReads, new Completions(executor, _readable), Metrics, seed >> 1);
        _room = LogRoom.Of(options);
        _syncs = new SyncClock(time);
        _clock = new TickClock(time, options.TickInterval);
        _ledger = new PeerLedger(recovery.Directory, newIncarnation, logger, Post)
        {
            Reason = ReasonOf(recovery),
            Awaited = recovery.Awaited,
            Found = recovery.Found,
        };
        _refusals = new RefusalLog(time, logger);
        _admin = new AdminDesk(executor, seed >> 1);
        _board = new StatusBoard(options, _ledger, recovery);

        // Each worker's turn is guarded: what it throws ends the node, never just the turn.
        _replicaWorker = executor.Attach($"{options.Name} replica", Guarded(ReplicaTurn), options.TickInterval);
        _writerWorker = executor.Attach($"{options.Name} log", Guarded(() => _running?.Writer.Turn()));
        _applierWorker = executor.Attach($"{options.Name} apply", Guarded(ApplierTurn));
        _snapshotWorker = executor.Attach($"{options.Name} snapshot", Guarded(() => _running?.Snapshots.Turn()));
        _watches = new WatchHub(recovery.Machine.Engine, _readable, options.WatchRecentEventsMax)
        {
            QueuedEventsMax = options.WatchQueuedEventsMax,
            WakeApplier = () => _applierWorker.Wake(),
            Metrics = Metrics,
        };
        _watchWorker = executor.Attach($"{options.Name} watch", Guarded(_watches.Turn));
        _leases = new LeaseClock(_ticksPerSecond, options.ElectionTicks);
        recovery.Machine.FollowLeases(_leases.OnChanged);
    }

    /// <summary>
    /// Opens the data directory, recovers, and starts. Blocking I/O; returns when the replica runs (a leader may not be
    /// known yet).
    /// </summary>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    /// <exception cref="IOException">
    /// The directory is in use, foreign, or damaged; the message says what to do.
    /// </exception>
    public static KvorumNode Open(NodeOptions options, ITransport transport, TimeProvider time, ILoggerFactory loggers)
    {
        Span<byte> chance = stackalloc byte[16];
        RandomNumberGenerator.Fill(chance);
        var seed = BitConverter.ToUInt64(chance);
        var incarnation = BitConverter.ToUInt64(chance[8..]) | 1;
#pragma warning disable RS0030 // This overload is the live one: the process is real.
        options = options with { OwnerNote = $"pid {Environment.ProcessId}" };
#pragma warning restore RS0030
        return Open(options, transport, new FileDisk(), new ThreadExecutor(), time, seed, incarnation, loggers);
    }

    /// <summary>
    /// The same with every port given, and all chance from <paramref name="seed"/> and <paramref
    /// name="newIncarnation"/>.
    /// </summary>
    public static KvorumNode Open(
        NodeOptions options, ITransport transport, IDisk disk, IExecutor executor, TimeProvider time, ulong seed,
        ulong newIncarnation, ILoggerFactory loggers)
    {
        options.Validate();
        var logger = loggers.CreateLogger("Kvorum.Node");
        var recovery = NodeRecovery.Open(options, disk, newIncarnation, logger);
        var node = new KvorumNode(options, recovery, transport, executor, time, seed, newIncarnation, logger);
        try
        {
            node.Start();
            return node;
        }
        catch
        {
            // The next start must find neither a running worker nor a held directory.
            node._inbox.Close(Asked);
            node.Close();
            throw;
        }
    }

    public PeerGate Gate { get; }

    public NodeStatus Status => _board.Current;

    public NodeMetrics Metrics { get; } = new();

    /// <summary>
    /// Ends when the node has stopped: faulted with the reason when it stopped by itself (a failed sync, a broken
    /// invariant).
    /// </summary>
    public Task Stopped => _stopped.Task;

    public Task<CommandResult> ProposeAsync(Command command, TimeSpan timeout, CancellationToken cancel)
    {
        if (CommandValidation.Check(command) is { } problem)
        {
            throw new ArgumentException(problem, nameof(command));
        }

        var pending = new PendingProposal(DeadlineTick(timeout));
        _inbox.Add(command, pending);
        _replicaWorker.Wake();
        return cancel.CanBeCanceled ? Cancellable(pending, cancel) : pending.Task;
    }

    public Task<RangeResult> ReadAsync(RangeQuery query, Consistency consistency, TimeSpan timeout, CancellationToken cancel)
    {
        if (consistency is Consistency.Local || NodeMutants.LocalReadAsLinearizable)
        {
            using var view = _readable.TryOpenView() ?? throw new NodeStoppedException(Asked);
            return Task.FromResult(query.Execute(view));
        }

        var pending = new PendingRead(query, DeadlineTick(timeout));
        _inbox.Add(pending);
        _replicaWorker.Wake();
        return cancel.CanBeCanceled ? Cancellable(pending, cancel) : pending.Task;
    }

    /// <summary>
    /// Asks for a Raft snapshot now, whatever the log's size; completes when one taken after the call is durable.
    /// </summary>
    public Task TakeSnapshotAsync(CancellationToken cancel)
    {
        if (_running is not { } running)
        {
            return Task.FromException(new NoLeaderException());
        }

        var taken = running.Compactor.WaitForNext();
        running.Replica.RequestSnapshot();
        return taken.WaitAsync(cancel);
    }

    public Task<MemberChangePlan> ChangeMembersAsync(
        MemberChange change, bool isDryRun, TimeSpan timeout, CancellationToken cancel) =>
        Ask(new PendingAdmin(change.ToRaft(), isDryRun, null, DeadlineTick(timeout)), cancel);

    public Task TransferLeadershipAsync(ulong? to, TimeSpan timeout, CancellationToken cancel)
    {
        NodeId? target = to is { } node ? new NodeId(node) : null;
        return Ask(new PendingAdmin(null, isDryRun: false, target, DeadlineTick(timeout)), cancel);
    }

    /// <summary>Hands leadership over (at most <paramref name="handOverMax"/>), stops, closes files.</summary>
    public async Task StopAsync(TimeSpan handOverMax)
    {
        if (Interlocked.Exchange(ref _isStopping, 1) != 0)
        {
            await _stopped.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }

        Log.StopsAsAsked(_logger);
        if (Volatile.Read(ref _failure) is null)
        {
            await HandOverAsync(handOverMax).ConfigureAwait(false);
        }

        _inbox.Close(Asked);
        try
        {
            await _transport.StopAsync().ConfigureAwait(false);
        }
        finally
        {
            Close();
        }
    }

    public async ValueTask DisposeAsync() => await StopAsync(TimeSpan.Zero).ConfigureAwait(false);

    /// <summary>Completes at the first status that meets the condition, be it for one turn only.</summary>
    internal Task WaitForAsync(Func<NodeStatus, bool> condition) => _board.WaitForAsync(condition);

    internal PeerHello HelloTo(ulong peer) => _ledger.HelloTo(peer);

    internal string? Judge(in PeerHello hello)
    {
        try
        {
            if (_ledger.Judge(hello) is not { } reason)
            {
                return null;
            }

            _refusals.Refused(hello.Node, reason);
            return reason;
        }
        catch (IOException e)
        {
            // What a peer is must be durable before anything it says counts.
            Fail(e);
            return "this node cannot write its identity and stops.";
        }
    }

    internal void OnConnection(ulong peer, bool isUp)
    {
        _board.OnConnection(peer, isUp);
        Post(isUp ? new ConnectionMade(new NodeId(peer)) : new ConnectionLost(new NodeId(peer)));
    }

    internal bool OnFrame(ulong peer, ReadOnlyMemory<byte> frame)
    {
        if (!MessageCodec.TryDecode(frame, out var message, out var error) || message is null)
        {
            _refusals.Refused(peer, $"it sent bytes that are no message: {error}");
            return false;
        }

        if (message.From.Value != peer)
        {
            _refusals.Refused(peer, $"it sent a message in the name of node {message.From}.");
            return false;
        }

        _inbox.AddMessage(new Receive(message));
        _replicaWorker.Wake();
        return true;
    }

    private void Start()
    {
        if (_ledger.Reason is { } reason)
        {
            Log.WaitsForVoters(_logger, reason);
        }

        if (_recovery.Broken is null)
        {
            Run();
        }
        else
        {
            _mending = new Mending(
                _recovery, _options, _inbox, _transport, _ledger, _proposals, _reads, _admin, _clock, _logger);
            _mending.MeetPeers();
            _board.UpdateMending(_mending.Reason, _ledger.Found);
        }

        _isStarted = true;
        _transport.Start(Gate);
        _replicaWorker.Wake();
    }

    /// <summary>The log is there: the replica begins.</summary>
    private void Run()
    {
        var state = _recovery.State;
        var metAs = _mending?.MetAs ?? _ledger.Identity.Incarnation;
        var running = new RunningReplica(this, _mending?.Now ?? 0, metAs);
        var raft = running.Raft;
        Log.Starts(
            _logger, _options.Name, _options.Node.ToString("x", null), _options.ClusterId.ToString("x", null),
            state.HardState.Term.Value, state.LogStart.ToString(), raft.LastEntry.ToString(), state.Applied.Value);
        _options.Observer?.Started(raft, _recovery.Machine, state);
        _running = running;
        _mending = null;
        PrepareSegment();
        running.Replica.FollowMembers();
        _board.Update(raft, running.Applier.StateHash, running.Replica.Now);
    }

    private static long Size(LogEntry entry) => EntryCodec.Size(entry);

    private static string? ReasonOf(NodeRecovery recovery) => recovery.Damage
        ?? (recovery.Directory.Identity.MayVote
            ? null
            : recovery.Directory.ReadExplanation() ?? "this directory lost something in an earlier process.");

    private static RaftOptions RaftOptionsOf(NodeOptions options, ulong seed) => new()
    {
        Node = new NodeId(options.Node),
        Group = NodeRecovery.Group,
        Seed = seed,
        IsJoining = options.IsJoining,
        HeartbeatTicks = options.HeartbeatTicks,
        ElectionTicks = options.ElectionTicks,
        TrailingEntries = options.TrailingEntries,
        AppendEntriesMax = options.AppendEntriesMax,
        InflightMessagesMax = options.InflightMessagesMax,
        SnapshotChunkBytesMax = options.SnapshotChunkBytesMax,
        SnapshotChunksInflightMax = options.SnapshotChunksInflightMax,
    };

    private void Post(Input input)
    {
        _inbox.Add(input);
        _replicaWorker.Wake();
    }

    private void ReplicaTurn()
    {
        // The worker wakes by itself, perhaps before the constructor is done.
        if (!_isStarted)
        {
            return;
        }

        if (_mending is { } mending)
        {
            TurnMending(mending);
        }
        else if (_running is { } running && (running.Replica.Turn() || _admin.HasSettled))
        {
            _board.Update(running.Raft, running.Applier.StateHash, running.Replica.Now);
        }

        _admin.Answer();
    }

    private void TurnMending(Mending mending)
    {
        if (!mending.Turn())
        {
            _board.UpdateMending(mending.Reason, _ledger.Found);
            return;
        }

        Run();
        _replicaWorker.Wake();
    }

    private void ApplierTurn()
    {
        if (_running?.Applier.Turn() == true)
        {
            _applierWorker.Wake();
        }
    }

    private void PrepareSegment()
    {
        _running?.Snapshots.PrepareSegment();
        _snapshotWorker.Wake();
    }

    private void Install(SnapshotDescriptor snapshot)
    {
        _running?.Applier.Install(snapshot);
        _applierWorker.Wake();
    }

    private Task<MemberChangePlan> Ask(PendingAdmin wish, CancellationToken cancel)
    {
        _inbox.Add(wish);
        _replicaWorker.Wake();
        return cancel.CanBeCanceled ? Cancellable(wish, cancel) : wish.Task;
    }

    private long DeadlineTick(TimeSpan timeout)
    {
        var now = _running?.Replica.Now ?? _mending?.Now ?? 0;
        return now + 1 + Math.Max(1, timeout.Ticks / _options.TickInterval.Ticks);
    }

    private static async Task<TResult> Cancellable<TResult>(TaskCompletionSource<TResult> pending, CancellationToken cancel)
    {
        using var registration = cancel.UnsafeRegister(
            static (state, token) => ((TaskCompletionSource<TResult>)state!).TrySetCanceled(token), pending);
        return await pending.Task.ConfigureAwait(false);
    }

    private async Task HandOverAsync(TimeSpan max)
    {
        if (max <= TimeSpan.Zero || Status is not { Role: NodeRole.Leader, Members.Count: > 1 })
        {
            return;
        }

        Post(new TransferLeadership());
        try
        {
            await _board.WaitForAsync(static status => status.Role is not NodeRole.Leader).WaitAsync(max).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            // Nobody could take over in time; the others elect one when the connections break.
        }
    }

    private Action Guarded(Action turn) => () =>
    {
        if (Volatile.Read(ref _failure) is not null)
        {
            return;
        }

        try
        {
            turn();
        }
#pragma warning disable CA1031 // The outermost loop: whatever comes out of a turn stops the replica (docs/style.md, Errors).
        catch (Exception e)
#pragma warning restore CA1031
        {
            Fail(e);
        }
    };

    /// <summary>Stops the replica by itself: nothing more is decided, written or acknowledged.</summary>
    private void Fail(Exception error)
    {
        if (Interlocked.CompareExchange(ref _failure, error, null) is not null)
        {
            return;
        }

        var file = Path.Combine(_options.DataPath, "flight.txt");
        Log.Stops(_logger, error, error.Message, file);
        _inbox.Close(error.Message);
        _board.Stop(error.Message);
        SaveFlight(file);
        _executor.Queue(new AfterFailure(this));
    }

    private void SaveFlight(string file)
    {
        try
        {
            using var note = _recovery.Disk.Open(file, create: true);
            var text = System.Text.Encoding.UTF8.GetBytes(_recorder.Dump());
            note.SetLength(0);
            note.Write(text, 0);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The disk may be what failed; the reason is in the log and in the status.
        }
    }

    /// <summary>Ends all work, then the files; whatever fails, nobody waits on and the directory is let go.</summary>
    private void Close()
    {
        _replicaWorker.Stop();
        _writerWorker.Stop();
        _applierWorker.Stop();
        _watchWorker.Stop();
        _snapshotWorker.Stop();
        FailWaiters(_failure is null ? Asked : ByItself);
        _readable.Close();
        try
        {
            _recovery.Dispose();
        }
        catch (IOException e)
        {
            Interlocked.CompareExchange(ref _failure, e, null);
            throw;
        }
        finally
        {
            _board.Stop(_failure?.Message);
            EndStopped();
        }
    }

    private void EndStopped()
    {
        if (_failure is { } failure)
        {
            _stopped.TrySetException(failure);
        }
        else
        {
            _stopped.TrySetResult();
        }
    }

    /// <summary>
    /// Tells everybody who waits. The replica's and the applier's turns are over, the inbox is closed.
    /// </summary>
    private void FailWaiters(string reason)
    {
        // A failure and a stop may both come here, at the same time.
        lock (_failing)
        {
            // Who came after the last turn is still in the inbox.
            List<Input> inputs = [];
            List<PendingRead> reads = [];
            _inbox.Drain(ref inputs, ref reads, out var proposals);
            _proposals.Add(proposals);
            _reads.Add(reads);
            _admin.Add(_inbox.DrainAdmins());
            var stopped = new NodeStoppedException(reason);
            _proposals.FailAll(reason);
            _reads.FailAll(stopped);
            _running?.Applier.FailQuestions(stopped);
            _admin.FailAll(reason);
            _running?.Compactor.Stop(stopped);
        }
    }

    /// <summary>Runs off the workers' threads: waits for their turns to end, then tells everybody who waits.</summary>
    private sealed class AfterFailure(KvorumNode node) : IThreadPoolWorkItem
    {
        public void Execute()
        {
            node._replicaWorker.Stop();
            node._applierWorker.Stop();
            node._watchWorker.Stop();

            // Callers' callers may read this: the reason, which names files, is in the log and in the status.
            node.FailWaiters(ByItself);
            node.EndStopped();
        }
    }
}
