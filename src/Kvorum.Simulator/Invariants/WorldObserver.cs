using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>The parts of a run, in their order.</summary>
internal enum SimPhase
{
    /// <summary>Faults strike; nothing wrong may ever be answered.</summary>
    Safety = 0,

    /// <summary>A majority is whole again, the rest stays broken: it must serve.</summary>
    Liveness = 1,

    /// <summary>Everything is whole again: all replicas must become equal.</summary>
    Convergence = 2,

    /// <summary>All nodes lost power at once: what was acknowledged must be there.</summary>
    Restart = 3,

    Ended = 4,
}

/// <summary>
/// Sees everything that happens in a world: base of the invariants and of the marks. Nodes are named by their place in
/// the cluster, from 1. Calls come in the order of events; an observer changes nothing, and copies what it keeps.
/// </summary>
internal abstract class WorldObserver
{
    private Action<string, string>? _violate;

    /// <summary>Whether <see cref="FrameSent"/> is wanted: frames are decoded only then.</summary>
    public virtual bool SeesFrames => false;

    /// <summary>Virtual time in microseconds.</summary>
    protected long Now => World.Now;

    protected SimWorld World { get; private set; } = null!; // Attached before the first event.

    public void Attach(SimWorld world, Action<string, string> violate)
    {
        World = world;
        _violate = violate;
    }

    /// <summary>A node's process has recovered from its disk.</summary>
    public virtual void Started(int node, RaftNode raft, KvMachine machine, RecoveredState recovered)
    {
    }

    /// <summary>A damaged log was mended before the node's replica started, or was given up.</summary>
    /// <param name="mayVote">False when it was given up, or had given up its vote before.</param>
    public virtual void Mended(int node, bool mayVote)
    {
    }

    /// <summary>What a node's replica wrote is durable up to a write; nothing was sent for it yet.</summary>
    public virtual void Synced(int node, WriteId last)
    {
    }

    /// <summary>A replica stepped; none of the effects is carried out yet. After every single step.</summary>
    public virtual void Stepped(int node, RaftNode raft, Input input, Effects effects)
    {
    }

    /// <summary>A batch was applied; no client has been answered yet.</summary>
    public virtual void Applied(
        int node, ReadOnlySpan<LogEntry> entries, ReadOnlySpan<CommandResult> results, ulong stateHash)
    {
    }

    /// <summary>A snapshot of the leader replaced the node's state.</summary>
    public virtual void Restored(int node, SnapshotDescriptor snapshot, ulong stateHash)
    {
    }

    /// <summary>A node gave a message to the network; only with <see cref="SeesFrames"/>.</summary>
    public virtual void FrameSent(int from, int to, Message message, ReadOnlyMemory<byte> frame)
    {
    }

    /// <summary>The node's process ended: by a fault, by request, or by itself.</summary>
    /// <param name="losesPower">What was not synced may be lost; else only memory is.</param>
    public virtual void Stopped(int node, bool losesPower)
    {
    }

    /// <summary>A planned fault begins to act.</summary>
    public virtual void Struck(Fault fault)
    {
    }

    /// <summary>A fault beyond tolerance is destroying what this node holds, now.</summary>
    public virtual void Lost(int node, Fault fault)
    {
    }

    public virtual void PhaseBegan(SimPhase phase)
    {
    }

    /// <summary>A client's operation ended.</summary>
    public virtual void Answered(Operation operation)
    {
    }

    /// <summary>The first report ends the run.</summary>
    protected void Report(string rule, string explanation) => _violate?.Invoke(rule, explanation);
}
