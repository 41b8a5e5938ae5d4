using Kvorum.Client;
using Kvorum.Kv;

namespace Kvorum.Simulator;

/// <summary>
/// A client that works off its planned operations, one at a time, with the shipped decisions about where and when to
/// ask again.
/// </summary>
internal sealed class SimClient
{
    private const long PatienceMin = 2_000_000;

    /// <summary>Operations that wait for the one under way; more are given up unasked.</summary>
    private const int QueueMax = 16;

    private readonly SimWorld _world;
    private readonly SimNetwork _network;
    private readonly SimSettings _settings;
    private readonly SimHistory _history;
    private readonly SimNode[] _nodes;
    private readonly int _number;
    private readonly ChanceSource _chance;
    private readonly Queue<PlannedOperation> _queue = new();
    private readonly bool _keepsSession;
    private IReadOnlyList<int> _endpoints;
    private IReadOnlyList<int> _asked = [];
    private bool _mustSucceed;
    private PlannedOperation? _current;
    private Failover? _failover;
    private SessionStamp? _stamp;
    private Command? _command;
    private UInt128 _session;
    private ulong _sequence;
    private int _sessions;
    private long _invoked;
    private int _place;
    private long _attempt;
    private bool _isStopped;

    public SimClient(
        SimWorld world, SimNetwork network, SimSettings settings, SimHistory history, SimNode[] nodes, int number)
    {
        _world = world;
        _network = network;
        _settings = settings;
        _history = history;
        _nodes = nodes;
        _number = number;
        _chance = new ChanceSource(world.Chance, ChanceStream.Workload, (ulong)number);
        _keepsSession = _chance.Below(2) == 0;
        _endpoints = [.. nodes.Where(node => node.IsInUse).Select(node => node.Place)];
    }

    /// <summary>Nothing is under way and nothing waits.</summary>
    public bool IsIdle => _current is null && _queue.Count == 0;

    /// <summary>How many operations asked for after <see cref="MustSucceed"/> did not.</summary>
    public Operation? Failed { get; private set; }

    /// <summary>From now on every operation invoked must be answered.</summary>
    public bool MustSucceed { get; set; }

    public void Plan(PlannedOperation operation) => _world.At(operation.At, () => Arrive(operation));

    /// <summary>Asks only these nodes from the next operation on.</summary>
    public void Use(IReadOnlyList<int> endpoints) => _endpoints = endpoints;

    /// <summary>What is under way is unknown; what comes is not asked any more.</summary>
    public void Stop()
    {
        _isStopped = true;
        _queue.Clear();
        if (_current is not null)
        {
            End(OperationOutcome.Unknown, default, _current.Steps, true);
        }
    }

    private void Arrive(PlannedOperation operation)
    {
        if (_isStopped || _queue.Count >= QueueMax)
        {
            return; // A cluster that is slower than its clients' plan must not have to work off what gathers.
        }

        _queue.Enqueue(operation);
        if (_current is null)
        {
            Begin();
        }
    }

    private void Begin()
    {
        if (!_queue.TryDequeue(out _current))
        {
            return;
        }

        _invoked = _world.Now;
        _asked = _endpoints;
        _mustSucceed = MustSucceed;
        _place = _history.Begin();
        _failover = new Failover(
            _asked.Count, TimeSpan.FromMicroseconds(Patience), _chance.Below(_asked.Count));
        _stamp = Stamp(_current);
        _history.Ledger.Sent(_place, _current.Steps, _stamp);
        _command = ClientCommands.IsQuery(_current) ? null : ClientCommands.CommandOf(_current, _stamp);
        _world.Trace(TraceKind.Invoked, 0, (ulong)_number, (ulong)_current.Number);
        Next();
    }

    /// <summary>
    /// What must be answered may need every node of a bare majority, be its disk slow for once: no client is so short
    /// of time there.
    /// </summary>
    private long Patience =>
        _mustSucceed ? Math.Max(_settings.RequestTimeout, PatienceMin) : _settings.RequestTimeout;

    private SessionStamp? Stamp(PlannedOperation operation)
    {
        if (!operation.HasSession)
        {
            return null;
        }

        if (!_keepsSession || _sequence == 0)
        {
            _session = new UInt128((ulong)_number, (ulong)++_sessions);
            _sequence = 0;
        }

        return new SessionStamp(_session, ++_sequence);
    }

    private void Next()
    {
        if (_current is not { } operation || _failover is not { } failover)
        {
            return;
        }

        var attempt = ++_attempt;
        var step = failover.Next(TimeSpan.FromMicroseconds(_world.Now - _invoked));
        var limit = (long)step.Limit.TotalMicroseconds;
        switch (step.Action)
        {
            case FailoverAction.Ask:
                Ask(_asked[step.Endpoint], attempt, step.Limit);
                _world.At(_world.Now + limit, () => TimedOut(attempt));
                break;
            case FailoverAction.Pause:
                _world.At(_world.Now + limit, () => Paused(attempt));
                break;
            case FailoverAction.Unavailable:
                End(OperationOutcome.NoEffect, default, operation.Steps, true);
                break;
            default:
                End(OperationOutcome.Unknown, default, operation.Steps, true);
                break;
        }
    }

    private void Ask(int endpoint, long attempt, TimeSpan limit)
    {
        _world.Trace(TraceKind.Attempt, endpoint, (ulong)_number, (ulong)attempt);
        var command = _command;
        var query = command is null && _current is { } current ? ClientCommands.QueryOf(current) : null;
        var isLocal = _current is { IsLocal: true };
        if (_network.ClientDelay(endpoint) is { } delay)
        {
            var node = _nodes[endpoint - 1];
            _world.At(_world.Now + delay, new RequestArrives(this, node, attempt, command, query, isLocal, limit));
        }
    }

    /// <summary>The node's side has something to say; it travels back to the client.</summary>
    private void Reply(int endpoint, long attempt, SimAnswer answer)
    {
        if (_network.ClientDelay(endpoint) is { } delay)
        {
            _world.At(_world.Now + delay, () => Hear(endpoint, attempt, answer));
        }
    }

    private void Hear(int endpoint, long attempt, SimAnswer answer)
    {
        if (attempt != _attempt || _current is not { } operation || _failover is not { } failover)
        {
            return;
        }

        _world.Trace(TraceKind.Answer, endpoint, (ulong)_number, (ulong)answer.Outcome);
        if (answer.Outcome is AttemptOutcome.Answered)
        {
            Finish(operation, failover, answer);
            return;
        }

        failover.Ended(answer.Outcome, ClientCommands.IsWrite(operation));
        GoOn(operation, failover);
    }

    private void TimedOut(long attempt)
    {
        if (attempt == _attempt && _current is { } operation && _failover is { } failover)
        {
            failover.Ended(AttemptOutcome.Unknown, ClientCommands.IsWrite(operation));
            GoOn(operation, failover);
        }
    }

    private void Paused(long attempt)
    {
        if (attempt == _attempt)
        {
            Next();
        }
    }

    private void GoOn(PlannedOperation operation, Failover failover)
    {
        if (failover.MayBeApplied && _stamp is null)
        {
            // Without a stamp a second copy could take effect as well.
            End(OperationOutcome.Unknown, default, operation.Steps, true);
        }
        else
        {
            Next();
        }
    }

    private void Finish(PlannedOperation operation, Failover failover, in SimAnswer answer)
    {
        if (answer.Range is { } range)
        {
            if (ClientCommands.Outside(operation, range) is { } outside)
            {
                _history.Violate("K1", outside);
            }

            End(OperationOutcome.Done, range.Revision, ClientCommands.Seen(operation.Steps, range), true);
            return;
        }

        var result = answer.Command.GetValueOrDefault();
        switch (result.Status)
        {
            case CommandStatus.Ok:
                var seen = ClientCommands.Seen(operation.Steps, result, out var hasSucceeded);
                End(OperationOutcome.Done, result.Revision, seen, hasSucceeded);
                break;
            case CommandStatus.UnknownSession:
                LoseSession(operation, failover);
                break;
            case CommandStatus.SequenceTooOld:
                End(OperationOutcome.Unknown, default, operation.Steps, true);
                break;
            default:
                _history.Violate("K3", $"Client {_number}, operation {operation.Number}: {result.Status}.");
                End(OperationOutcome.Unknown, default, operation.Steps, true);
                break;
        }
    }

    /// <summary>The session expired: this attempt did nothing, but an earlier one may have.</summary>
    private void LoseSession(PlannedOperation operation, Failover failover)
    {
        _sequence = 0;
        if (failover.MayBeApplied)
        {
            End(OperationOutcome.Unknown, default, operation.Steps, true);
            return;
        }

        _stamp = Stamp(operation);
        _history.Ledger.Sent(_place, operation.Steps, _stamp);
        _command = ClientCommands.CommandOf(operation, _stamp);
        Next();
    }

    private void End(OperationOutcome outcome, long revision, IReadOnlyList<Step> steps, bool hasSucceeded)
    {
        if (_current is not { } operation)
        {
            return;
        }

        _attempt++;
        _current = null;
        if (outcome is not OperationOutcome.Done && _keepsSession && _sequence == 1)
        {
            _sequence = 0; // Nobody knows whether the session was opened.
        }

        var ended = new Operation(
            _place, _number, _invoked, outcome is OperationOutcome.Unknown ? long.MaxValue : _world.Now, outcome,
            revision, ClientCommands.IsWrite(operation), operation.IsLocal, hasSucceeded, steps);
        _world.Trace(TraceKind.Returned, 0, (ulong)_number, (ulong)outcome, (ulong)revision);
        _history.End(ended);
        if (_mustSucceed && outcome is not OperationOutcome.Done)
        {
            Failed ??= ended;
        }

        Begin();
    }

    /// <summary>A request comes to a node: to its process, or to a closed port.</summary>
    private sealed class RequestArrives(
        SimClient client, SimNode node, long attempt, Command? command, RangeQuery? query, bool isLocal, TimeSpan limit)
        : SimEvent
    {
        public override void Run()
        {
            if (node.PausedUntil > client._world.Now)
            {
                node.Park(this);
                return;
            }

            if (node.Process is not { IsOpen: true } process)
            {
                client.Reply(node.Place, attempt, new SimAnswer(AttemptOutcome.NoEffect, null, null));
                return;
            }

            new SimRequest(process, answer => client.Reply(node.Place, attempt, answer))
                .Begin(command, query, isLocal, limit);
            process.AfterWork();
        }
    }
}

/// <summary>The operations of all clients, in the order of their invocation.</summary>
internal sealed class SimHistory(
    IReadOnlyList<WorldObserver> observers, EffectLedger ledger, Action<string, string> violate)
{
    public EffectLedger Ledger => ledger;

    private readonly List<Operation?> _operations = [];

    public IReadOnlyList<Operation> Operations => [.. _operations.OfType<Operation>()];

    public int Begin()
    {
        _operations.Add(null);
        return _operations.Count - 1;
    }

    public void End(Operation operation)
    {
        _operations[operation.Number] = operation;
        foreach (var observer in observers)
        {
            observer.Answered(operation);
        }
    }

    public void Violate(string rule, string explanation) => violate(rule, explanation);
}
