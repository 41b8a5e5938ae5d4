using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// One life of a node: the shipped <see cref="KvorumNode"/> with its ports. When it ends, the object is left where it
/// is: none of its workers runs again, its disk refuses everything, what it sends is dropped.
/// </summary>
internal sealed class SimProcess(SimNode node, SimSurroundings around, int number) : ReplicaObserver
{
    private readonly List<SimRequest> _requests = [];
    private int _workers;
    private KvorumNode? _kvorum;

    public SimNode Node => node;

    public SimWorld World => node.World;

    public int Place => node.Place;

    /// <summary>Counts the node's starts.</summary>
    public int Number => number;

    public bool IsAlive { get; private set; } = true;

    public SimDiskHandle? DiskHandle { get; private set; }

    /// <summary>The process ends when it has sent so many frames; 0: never.</summary>
    public int FramesUntilCrash { get; set; }

    /// <summary>Misuse before <see cref="Open"/> has returned.</summary>
    public KvorumNode Kvorum => _kvorum ?? throw new InvalidOperationException("The process is starting.");

    public bool IsOpen => _kvorum is not null;

    public SimSettings Settings => around.Settings;

    /// <summary>Null until the node has started it.</summary>
    public SimTransport? Transport { get; set; }

    /// <summary>The replica; null until it has recovered.</summary>
    public RaftNode? Raft { get; private set; }

    /// <summary>Index and hash after the last batch or snapshot applied.</summary>
    public (LogIndex Index, ulong Hash) State { get; private set; }

    public int NextWorker() => _workers++;

    public void Open(NodeOptions options, ulong seed, ulong newIncarnation)
    {
        DiskHandle = new SimDiskHandle(this);
        var transport = new SimTransport(this, around.Network);
        _kvorum = KvorumNode.Open(
            options, transport, DiskHandle, new SimExecutor(this), node.Clock, seed, newIncarnation, around.Loggers);
    }

    public void End()
    {
        IsAlive = false;
        foreach (var request in _requests)
        {
            request.Broken();
        }

        _requests.Clear();
    }

    /// <summary>A client waits for what this process will answer.</summary>
    public void Add(SimRequest request) => _requests.Add(request);

    /// <summary>After each piece of work: answers that are there now go out, and the node may have stopped.</summary>
    public void AfterWork()
    {
        if (!IsAlive || _kvorum is null)
        {
            return;
        }

        for (var i = 0; i < _requests.Count; i++)
        {
            if (_requests[i].TryAnswer())
            {
                _requests.RemoveAt(i--);
            }
        }

        if (_kvorum.Stopped.IsCompleted)
        {
            node.StoppedByItself(this, _kvorum.Stopped.Exception?.InnerException);
        }
    }

    public override void Started(RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
        Raft = raft;
        State = (recovered.Applied, 0);
        var isLate = _kvorum is not null; // Else it found its log whole, or not to be mended.
        foreach (var observer in around.Observers)
        {
            if (isLate)
            {
                observer.Mended(Place, recovered.MayVote);
            }

            observer.Started(Place, raft, machine, recovered);
        }
    }

    public override void Synced(WriteId last)
    {
        if (!IsAlive)
        {
            return;
        }

        foreach (var observer in around.Observers)
        {
            observer.Synced(Place, last);
        }
    }

    public override void Stepped(RaftNode raft, Input input, Effects effects)
    {
        if (!IsAlive)
        {
            return; // A turn that was under way when the process ended runs on without effect.
        }

        if (input is not Tick || effects.Events.Count > 0)
        {
            World.Trace(
                TraceKind.Step, Place, raft.Term.Value | ((ulong)raft.Role << 56), raft.LastEntry.Index.Value,
                raft.CommitIndex.Value);
        }

        foreach (var observer in around.Observers)
        {
            observer.Stepped(Place, raft, input, effects);
        }
    }

    public override void Applied(
        ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
        if (!IsAlive)
        {
            return;
        }

        State = (entries[^1].Index, stateHash);
        World.Trace(TraceKind.Applied, Place, State.Index.Value, stateHash);
        foreach (var observer in around.Observers)
        {
            observer.Applied(Place, entries, results, stateHash);
        }
    }

    public override void Restored(SnapshotDescriptor snapshot, ulong stateHash)
    {
        if (!IsAlive)
        {
            return;
        }

        State = (snapshot.LastIncluded.Index, stateHash);
        World.Trace(TraceKind.Restored, Place, State.Index.Value, stateHash);
        foreach (var observer in around.Observers)
        {
            observer.Restored(Place, snapshot, stateHash);
        }
    }
}
