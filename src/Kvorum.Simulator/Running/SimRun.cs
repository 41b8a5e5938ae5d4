using Microsoft.Extensions.Logging.Abstractions;

namespace Kvorum.Simulator;

/// <summary>One run of a plan: the world put together, its phases in order, and what came of it.</summary>
internal sealed class SimRun
{
    private readonly SimPlan _plan;
    private readonly SimSettings _settings;
    private readonly SimWorld _world;
    private readonly SimNetwork _network;
    private readonly SimNode[] _nodes;
    private readonly SimClient[] _clients;
    private readonly SimHistory _history;
    private readonly FaultDriver _faults;
    private readonly List<WorldObserver> _observers;
    private readonly ChanceSource _chance;
    private readonly Marks _marks;
    private readonly SimRoster _roster;
    private readonly EffectLedger _ledger;
    private readonly SimWatcher[] _watchers;
    private readonly long _end;
    private int[] _known = [];
    private Violation? _violation;
    private bool _isSafeHalt;
    private bool _isCut;

    public SimRun(
        SimPlan plan, IReadOnlyList<WorldObserver> observers, Action<string>? trace, long end = long.MaxValue)
    {
        _plan = plan;
        _end = end;
        _settings = plan.Settings;
        _world = new SimWorld(plan.Seed, trace);
        _chance = new ChanceSource(_world.Chance, ChanceStream.Phase, 0);
        _marks = new Marks(_settings);
        _roster = new SimRoster(_settings);
        var atlas = new FaultAtlas(_roster);
        _ledger = new EffectLedger();
        var written = new WatchLedger();
        _observers = [_marks, new Rules(_settings), _roster, atlas, _ledger, .. observers];
        if (_settings.Watchers > 0)
        {
            _observers.Add(written);
        }

        foreach (var observer in _observers)
        {
            observer.Attach(_world, Violate);
        }

        var count = PlacesOf(plan);
        _network = new SimNetwork(_world, _settings, _observers, count) { InUse = _settings.Voters };
        var around = new SimSurroundings
        {
            World = _world,
            Settings = _settings,
            Network = _network,
            Observers = _observers,
            Loggers = NullLoggerFactory.Instance,
            Violate = Violate,
        };
        _nodes = [.. Enumerable.Range(1, count).Select(place => new SimNode(around, place, _settings.Voters))];
        _network.Place(_nodes);
        _history = new SimHistory(_observers, _ledger, Violate);
        _clients =
        [
            .. Enumerable.Range(1, _settings.Clients)
                .Select(client => new SimClient(_world, _network, _settings, _history, _nodes, client)),
        ];
        _watchers =
        [
            .. Enumerable.Range(1, _settings.Watchers)
                .Select(watcher => new SimWatcher(_world, _network, _nodes, written, _marks, Violate, watcher)),
        ];
        _faults = new FaultDriver(_world, _settings, _network, _nodes, _observers, atlas, _roster, _marks);
    }

    /// <summary>How long an election may take, with everything around it, on nodes that are whole.</summary>
    private long SettleTime =>
        10L * _settings.ElectionTicks * _settings.TickMicroseconds + 100L * _settings.DelayMean
        + 100L * _settings.SyncMean + 10_000_000;

    public SimResult Run()
    {
        foreach (var node in _nodes)
        {
            node.Start();
        }

        Begin(SimPhase.Safety);
        _faults.AddLearners(_settings.Voters, _settings.Learners);
        foreach (var operation in _plan.Operations)
        {
            _clients[(operation.Client - 1) % _clients.Length].Plan(operation);
        }

        _faults.Plan(_plan.Faults);
        RunUntil(_settings.SafetyPhase, LetClientsKnowAll);
        LetOperatorsFinish();
        if (_faults.HasLost)
        {
            AfterLoss();
        }
        else
        {
            Liveness();
        }

        if (!_isSafeHalt)
        {
            Convergence();
            FullRestart();
            TellWatchers();
            Begin(SimPhase.Ended);
        }

        return Result();
    }

    /// <summary>
    /// More was lost than the cluster can stand. Whatever else was broken is healed; then it goes on with a majority
    /// that remembers, and nothing is lifted, or it stops and says why, also when every node was started again.
    /// </summary>
    private void AfterLoss()
    {
        _faults.HealAll();
        RunUntil(_world.Now + SettleTime, () => false);
        if (SafeHalt.GoesOn(_nodes))
        {
            return;
        }

        CheckHalt("after the loss");
        foreach (var node in _nodes)
        {
            node.Crash((CrashKeeps)_settings.CrashKeeps);
        }

        foreach (var node in _nodes)
        {
            node.Start();
        }

        RunUntil(_world.Now + SettleTime, () => false);
        CheckHalt("after the loss and a restart of all nodes");
        _isSafeHalt = true;
        _world.Say($"safe halt: {SafeHalt.Tell(_nodes)}");
    }

    private void CheckHalt(string when)
    {
        if (_violation is null && SafeHalt.Check(_nodes) is { } wrong)
        {
            Violate("H1", $"{wrong} This is {when}.");
        }
    }

    /// <summary>One place for each node that the plan knows or may bring.</summary>
    private static int PlacesOf(SimPlan plan) => Math.Min(
        SimSettings.PlacesMax,
        plan.Settings.Voters + plan.Settings.Learners
        + plan.Faults.Count(fault => fault.Kind is FaultKind.AddMember or FaultKind.ReplaceMember));

    /// <summary>Clients ask every node there is: one that joins, and one that was removed, too.</summary>
    private bool LetClientsKnowAll()
    {
        var places = _nodes.Where(node => node.IsInUse).Select(node => node.Place).ToArray();
        if (!_known.SequenceEqual(places))
        {
            _known = places;
            foreach (var client in _clients)
            {
                client.Use(places);
            }

            foreach (var watcher in _watchers)
            {
                watcher.Use(places);
            }
        }

        return false;
    }

    /// <summary>What was asked about members is answered, or given up, before a majority is chosen.</summary>
    private void LetOperatorsFinish()
    {
        const long Patience = 10_000_000;
        _faults.IsMembershipOver = true;
        if (_faults.IsOperatorWaiting)
        {
            RunUntil(_world.Now + Patience, () => !_faults.IsOperatorWaiting);
        }
    }

    private void Begin(SimPhase phase)
    {
        if (_violation is not null)
        {
            return;
        }

        _world.Trace(TraceKind.Phase, 0, (ulong)phase);
        foreach (var observer in _observers)
        {
            observer.PhaseBegan(phase);
        }
    }

    /// <summary>A majority is whole again, the rest stays as it is: it must answer everything in time.</summary>
    private void Liveness()
    {
        Begin(SimPhase.Liveness);
        var quorum = _faults.HealQuorum(_chance);
        foreach (var client in _clients)
        {
            client.Use(quorum);
        }

        // First an election, on top of what is under way; then everything asked must be answered.
        RunUntil(_world.Now + SettleTime, () => false);
        quorum = [.. quorum.Where(place => _roster.IsVoter(_nodes[place - 1]))];
        foreach (var client in _clients)
        {
            client.Use(quorum);
            client.MustSucceed = true;
        }

        var limit = _settings.LivenessPhase;
        PlanProbes(_world.Now, quorum.Count);
        RunUntil(_world.Now + limit, AreClientsIdle);
        CheckAnswers("a whole majority");
    }

    /// <summary>Everything is whole again: all replicas come to the same state.</summary>
    private void Convergence()
    {
        Begin(SimPhase.Convergence);
        _faults.HealAll();
        RunUntil(_world.Now + SettleTime + _settings.ConvergencePhase, AreReplicasEqual);
        CheckEqual("after everything was healed");
    }

    /// <summary>All nodes lose power at once; when they are back, what was acknowledged is there.</summary>
    private void FullRestart()
    {
        if (_violation is not null || _isCut)
        {
            return;
        }

        Begin(SimPhase.Restart);
        foreach (var node in _nodes)
        {
            node.Crash((CrashKeeps)_settings.CrashKeeps);
        }

        foreach (var node in _nodes)
        {
            node.Start();
        }

        RunUntil(_world.Now + SettleTime + _settings.ConvergencePhase, AreReplicasEqual);
        CheckEqual("after all nodes lost power");
        ReadEverything();
        RunUntil(_world.Now + _settings.LivenessPhase, AreClientsIdle);
        CheckAnswers("after all nodes lost power");
    }

    /// <summary>Whoever watches is told, in the end, of all that was written.</summary>
    private void TellWatchers()
    {
        if (_violation is not null || _isCut)
        {
            return;
        }

        int[] members = [.. _nodes.Where(node => node.IsRunning && _roster.IsMember(node)).Select(node => node.Place)];
        foreach (var watcher in _watchers)
        {
            watcher.Use(members);
        }

        RunUntil(_world.Now + SettleTime, () => Array.TrueForAll(_watchers, watcher => watcher.HasAll));
        if (_violation is null && Array.Find(_watchers, watcher => !watcher.HasAll) is { } behind)
        {
            Violate("W7", $"{behind} was not told of all that was written, although nothing is broken any more.");
        }
    }

    private void RunUntil(long time, Func<bool> isDone)
    {
        var nextCheck = _world.Now;
        while (_violation is null && !_isCut && _world.NextAt <= time)
        {
            if (_world.NextAt > _end)
            {
                _isCut = true;
                return;
            }

            _world.RunNext();
            if (_world.Now >= nextCheck)
            {
                const long CheckEvery = 50_000;
                nextCheck = _world.Now + CheckEvery;
                if (isDone())
                {
                    return;
                }
            }
        }

        _world.SkipTo(Math.Min(time, _world.NextAt));
    }

    private bool AreClientsIdle()
    {
        foreach (var client in _clients)
        {
            if (!client.IsIdle)
            {
                return false;
            }
        }

        return true;
    }

    private bool AreReplicasEqual()
    {
        if (!AreClientsIdle())
        {
            return false;
        }

        SimProcess? first = null;
        foreach (var node in _nodes.Where(_roster.IsMember))
        {
            if (node.Process is not { } process)
            {
                if (node.Refusal is null)
                {
                    return false;
                }

                continue;
            }

            first ??= process;
            if (process.State != first.State || process.Raft?.CommitIndex != first.State.Index
                || process.Raft.LastEntry.Index != first.State.Index)
            {
                return false;
            }
        }

        return first?.Raft?.Leader is not null && !_roster.Committed.IsJoint;
    }

    private void CheckAnswers(string when)
    {
        foreach (var client in _clients)
        {
            if (client.Failed is { } failed)
            {
                Violate(
                    "V1", $"Operation {failed.Number} was not answered ({failed.Outcome}) by {when}: {States()}.");
            }
            else if (!client.IsIdle)
            {
                Violate("V1", $"A client still waits: {when} did not answer in time.");
            }
        }
    }

    private void CheckEqual(string when)
    {
        if (_violation is not null || AreReplicasEqual())
        {
            return;
        }

        Violate("V1", $"The replicas are not equal {when}: {States()}.");
    }

    private string States()
    {
        var states = _nodes.Where(_roster.IsMember).Select(node => node.Process is { Raft: { } raft } process
            ? $"{node.Place}: {raft.Role}{(raft.MayVote ? "" : " without a vote")} term {raft.Term} "
                + $"last {raft.LastEntry} applied {process.State.Index} hash {process.State.Hash:x} "
                + $"members {raft.Membership}"
            : $"{node.Place}: {node.Refusal ?? "down"}");
        return $"{string.Join("; ", states)}; members {_roster.Committed}";
    }

    /// <summary>One write and one read per client, so that the phase has something to answer.</summary>
    private void PlanProbes(long at, int count)
    {
        for (var i = 0; i < Math.Max(count, _clients.Length); i++)
        {
            var client = i % _clients.Length + 1;
            var number = -1 - i;
            _clients[client - 1].Plan(new PlannedOperation(
                number, client, at, [new Step(StepKind.Write, $"probe{client}", $"p{i}", null)], false, true));
            _clients[client - 1].Plan(new PlannedOperation(
                number, client, at, [new Step(StepKind.Read, $"probe{client}", null, null)], false, false));
        }
    }

    /// <summary>Reads every key, so that the judges see what is left in the end.</summary>
    private void ReadEverything()
    {
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var operation in _plan.Operations)
        {
            foreach (var step in operation.Steps)
            {
                keys.Add(step.Key);
            }
        }

        var place = 0;
        foreach (var key in keys)
        {
            var client = place++ % _clients.Length + 1;
            _clients[client - 1].Plan(new PlannedOperation(
                -1000 - place, client, _world.Now, [new Step(StepKind.Read, key, null, null)], false, false));
        }

        foreach (var client in _clients)
        {
            client.Use([.. _nodes.Where(node => node.IsRunning && _roster.IsMember(node)).Select(node => node.Place)]);
        }
    }

    private void Violate(string rule, string explanation)
    {
        if (_violation is null && !_isCut)
        {
            _violation = new Violation(rule, explanation, _world.Now);
            _world.Say($"VIOLATION of {rule}: {explanation}");
        }
    }

    private SimResult Result()
    {
        foreach (var client in _clients)
        {
            client.Stop();
        }

        var history = _history.Operations;
        var verdicts = new List<Verdict>();
        if (_violation is null && !_isCut)
        {
            history = _ledger.Settle(history);
        }

        if (_violation is null && !_isCut)
        {
            foreach (var judge in Bench.Judges)
            {
                var verdict = judge.Judge(history);
                verdicts.Add(verdict);
                if (verdict.Kind is not VerdictKind.Valid)
                {
                    Violate(verdict.Judge, $"{verdict.Anomaly}: {verdict.Explanation}");
                }
            }
        }

        return new SimResult
        {
            Plan = _plan,
            Violation = _violation,
            TraceHash = _world.TraceHash,
            History = history,
            Verdicts = verdicts,
            SimulatedTime = _world.Now,
            Events = _world.Events,
            Injected = _world.Injected.ToDictionary(),
            Marks = _marks.ToDictionary(),
            IsSafeHalt = _isSafeHalt && _violation is null && !_isCut,
        };
    }
}
