namespace Kvorum.Simulator;

/// <summary>Lets the planned faults strike, restarts what died, and heals.</summary>
internal sealed class FaultDriver
{
    private const long SuperviseEvery = 250_000;

    private readonly SimWorld _world;
    private readonly SimNetwork _network;
    private readonly SimNode[] _nodes;
    private readonly IReadOnlyList<WorldObserver> _observers;
    private readonly FaultAtlas _atlas;
    private readonly SimRoster _roster;
    private readonly NetworkFaults _networkFaults;
    private readonly ProcessFaults _processFaults;
    private readonly DiskFaults _diskFaults;
    private readonly MemberFaults _memberFaults;
    private readonly LossFaults _losses;
    private readonly bool _isBeyondTolerance;
    private readonly LeaderFaults _leaderFaults;

    public FaultDriver(
        SimWorld world, SimSettings settings, SimNetwork network, SimNode[] nodes,
        IReadOnlyList<WorldObserver> observers, FaultAtlas atlas, SimRoster roster, Marks marks)
    {
        _world = world;
        _network = network;
        _nodes = nodes;
        _observers = observers;
        _atlas = atlas;
        _roster = roster;
        _networkFaults = new NetworkFaults(world, network);
        _processFaults = new ProcessFaults(world, settings, nodes, this);
        _diskFaults = new DiskFaults(world, nodes, this);
        _memberFaults = new MemberFaults(world, nodes, network, roster, this, marks);
        _leaderFaults = new LeaderFaults(world, nodes, network, this);
        _losses = new LossFaults(world, nodes, observers);
        _isBeyondTolerance = settings.IsBeyondTolerance;
    }

    /// <summary>No fault strikes any more.</summary>
    public bool IsOver { get; private set; }

    /// <summary>More was destroyed than the cluster can stand: it may stop, if it says why.</summary>
    public bool HasLost => _losses.HasStruck;

    /// <summary>Operators asked for other voters.</summary>
    public bool HaveVotersChanged => _memberFaults.HasChanged;

    /// <summary>Operators ask for nothing any more.</summary>
    public bool IsMembershipOver { get; set; }

    /// <summary>An operator still waits for an answer.</summary>
    public bool IsOperatorWaiting => _memberFaults.IsWaiting;

    /// <summary>The leader of the newest term.</summary>
    public SimNode? Leader() => _leaderFaults.Leader();

    public void AddLearners(int voters, int learners) => _memberFaults.AddLearners(voters, learners);

    public void HandOver(SimProcess process, Action then) => _memberFaults.HandOver(process, then);

    public void Plan(IReadOnlyList<Fault> faults)
    {
        foreach (var fault in faults)
        {
            _world.At(fault.At, () => Strike(fault));
        }

        _world.At(_world.Now + SuperviseEvery, Supervise);
    }

    /// <summary>Runs an end of a fault, unless all is healed by then.</summary>
    public void After(long duration, Action end) => _world.At(_world.Now + duration, () =>
    {
        if (!IsOver)
        {
            end();
        }
    });

    /// <summary>Whether the node may now lose what it promised.</summary>
    public bool MayForget(SimNode node) => _memberFaults.IsQuiet && _atlas.MayForget(node, _nodes);

    /// <summary>
    /// Whether the process of this node may end now: a damaged disk shows what it lost only when it is read again.
    /// </summary>
    public bool MayEnd(SimNode node) => !node.IsPoisoned || MayForget(node);

    /// <summary>
    /// Makes a random majority whole again. The others stay broken: down, cut off, or half heard, for good.
    /// </summary>
    /// <returns>The places of the majority.</returns>
    public IReadOnlyList<int> HealQuorum(ChanceSource chance)
    {
        IsOver = true;
        var quorum = LiveQuorum.Draw(_nodes, _roster, _memberFaults.MayStillChange, chance);
        HealLinksAndDisks();
        foreach (var node in _nodes.Where(node => node.IsInUse))
        {
            if (quorum.Contains(node.Place))
            {
                Repair(node);
            }
            else if (_roster.Counts(node) && !_roster.IsVoter(node))
            {
                HealOrCutOff(node, quorum, chance);
            }
            else
            {
                LeaveBroken(node, quorum, chance);
            }
        }

        return quorum;
    }

    /// <summary>All that can be repaired is.</summary>
    public void HealAll()
    {
        IsOver = true;
        HealLinksAndDisks();
        foreach (var node in _nodes)
        {
            Repair(node);
        }
    }

    private void HealLinksAndDisks()
    {
        _network.HealAll();
        _network.HasNoise = false;
        foreach (var node in _nodes)
        {
            node.Disk.Quota = long.MaxValue;
            node.Disk.SyncFailsUntil = 0;
            node.Disk.SyncFailures = 0;
            node.Disk.ReadFailsUntil = 0;
            node.Disk.NextLogWrite = WriteFate.Stored;
        }
    }

    private static void Repair(SimNode node)
    {
        node.Disarm();
        node.PausedUntil = 0;
        node.DownUntil = 0;
        node.Speed.SyncExtra = 0;
        node.Speed.HasSlowSyncs = false;
        node.Start();
    }

    /// <summary>
    /// Who is about to become a voter is whole, or heard by nobody: half of a node would count for the majority.
    /// </summary>
    private void HealOrCutOff(SimNode node, List<int> quorum, ChanceSource chance)
    {
        if (!node.IsDamaged && chance.Below(2) == 0
            && _roster.Committed.Find(new Raft.NodeId((ulong)node.Place)) is { Replaces: null })
        {
            Repair(node);
            return;
        }

        node.Disarm();
        node.PausedUntil = 0;
        foreach (var place in quorum)
        {
            _network.Block(node.Place, place, isBlocked: true);
            _network.Block(place, node.Place, isBlocked: true);
        }
    }

    private void LeaveBroken(SimNode node, List<int> quorum, ChanceSource chance)
    {
        node.Disarm();
        node.PausedUntil = 0;
        var how = chance.Below(5);
        if (how == 0 && MayEnd(node))
        {
            node.Crash(null);
        }

        if (!node.IsRunning)
        {
            if (chance.Below(2) == 0)
            {
                node.DownUntil = long.MaxValue;
            }
        }

        foreach (var place in quorum)
        {
            if (how is 1 or 2)
            {
                _network.Block(node.Place, place, isBlocked: true);
            }

            if (how is 1 or 3)
            {
                _network.Block(place, node.Place, isBlocked: true);
            }
        }

        if (how == 4)
        {
            node.Speed.SyncExtra = 200_000;
        }
    }

    /// <summary>Starts what is down and is not meant to be, as a service manager would.</summary>
    private void Supervise()
    {
        foreach (var node in _nodes)
        {
            if (!node.IsRunning && node.DownUntil <= _world.Now && node.Refusal is null)
            {
                node.Start();
            }
        }

        _memberFaults.Tend();
        _world.At(_world.Now + SuperviseEvery, Supervise);
    }

    private void Strike(Fault fault)
    {
        if (IsOver || !HasNodes(fault) || !IsOfThisRun(fault.Kind))
        {
            return;
        }

        fault = Aim(fault);
        var losesNewest = DiskFaults.IsTailLostUnseen(fault.Kind) || fault.Kind is FaultKind.StaleWrite;
        if (losesNewest && _memberFaults.HasChanged)
        {
            return; // Which membership is lost with a tail, nobody could know.
        }

        if (fault.Kind is >= FaultKind.BitRot and <= FaultKind.StaleWrite && !MayForget(_nodes[fault.Nodes[0] - 1]))
        {
            const long TryAgain = 500_000;
            _world.At(_world.Now + TryAgain, () => Strike(fault));
            return;
        }

        _world.Trace(TraceKind.Fault, 0, (ulong)fault.Kind, (ulong)fault.Number);
        _world.Say($"fault {fault.Number}: {fault.Kind} nodes {string.Join(',', fault.Nodes)} for {fault.Duration}");
        _world.Injected.Add($"fault.{fault.Kind}");
        foreach (var observer in _observers)
        {
            observer.Struck(fault);
        }

        switch (fault.Kind)
        {
            case < FaultKind.Crash: _networkFaults.Strike(fault, this); break;
            case < FaultKind.SlowDisk: _processFaults.Strike(fault); break;
            case FaultKind.WipedMajority or FaultKind.RottenCopies: _losses.Strike(fault); break;
            case < FaultKind.ClockDrift: _diskFaults.Strike(fault); break;
            case < FaultKind.AddMember: _processFaults.StrikeOther(fault); break;
            case FaultKind.TakeSnapshot or FaultKind.OldLeaderReturns: _leaderFaults.Strike(fault); break;
            default:
                if (!IsMembershipOver)
                {
                    _memberFaults.Strike(fault);
                }

                break;
        }
    }

    private bool IsOfThisRun(FaultKind kind) =>
        _isBeyondTolerance ? !LossPlan.Spares(kind) : !LossPlan.IsLoss(kind);

    /// <summary>Where a node is gone that the plan names, a member takes its place.</summary>
    private Fault Aim(Fault fault)
    {
        if (fault.Nodes.All(place => _nodes[place - 1].IsInUse))
        {
            return fault;
        }

        var members = _nodes.Where(node => node.IsInUse && _roster.IsMember(node)).ToArray();
        var aimed = fault.Nodes.Select(place =>
            _nodes[place - 1].IsInUse ? place : members[(place - 1) % members.Length].Place);
        return fault with { Nodes = [.. aimed.Distinct()] };
    }

    /// <summary>A plan may have been shrunk to fewer nodes.</summary>
    private bool HasNodes(Fault fault)
    {
        foreach (var place in fault.Nodes)
        {
            if (place < 1 || place > _nodes.Length)
            {
                return false;
            }
        }

        return fault.Nodes.Count > 0;
    }
}
