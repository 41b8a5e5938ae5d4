using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>What the rules remember of one node.</summary>
internal sealed class NodeRecord
{
    private readonly Queue<DurableStep> _unsynced = new();
    private readonly List<(LogIndex Index, Membership Membership)> _memberships = [];
    private LogIndex _older;
    private LogImage? _before;

    /// <summary>The log as the replica's steps made it.</summary>
    public LogImage Log { get; } = new();

    /// <summary>The part of it that was synced.</summary>
    public LogImage Durable { get; } = new();

    public bool IsRunning { get; set; }

    /// <summary>A fault destroyed something that was durable here.</summary>
    public bool IsDamaged { get; private set; }

    /// <summary>
    /// It was one place of the disk, once: what was synced before the newest write to the log can be told from it.
    /// </summary>
    public bool IsDamagedOnce { get; private set; }

    /// <summary>Counts the node's starts.</summary>
    public int Life { get; private set; }

    public ReplicaView View { get; set; }

    /// <summary>The newest term in which it led in this life.</summary>
    public Term LedTerm { get; set; }

    /// <summary>Match indexes of its peers in <see cref="LedTerm"/>, by id.</summary>
    public Dictionary<ulong, LogIndex> Matches { get; } = [];

    /// <summary>What it did for readers while it led.</summary>
    public ConfirmedReads Reads { get; } = new();

    /// <summary>The state machine of this life.</summary>
    public KvMachine? Machine { get; set; }

    /// <summary>Its state came from a snapshot and was not compared with a replay yet.</summary>
    public bool IsRestored { get; set; }

    public LogIndex Applied { get; set; }

    /// <summary>The membership in force: the newest one in the log, committed or not (thesis §4.1).</summary>
    public Membership Membership => _memberships[^1].Membership;

    /// <summary>The membership last compared: as the replica has it, and as its log says.</summary>
    public Membership? Seen { get; set; }

    public Membership? Expected { get; set; }

    public LogIndex MembershipIndex => _memberships[^1].Index;

    /// <summary>The one before it; null when that is not known.</summary>
    public (LogIndex Index, Membership Membership)? MembershipBefore =>
        _memberships.Count > 1 ? _memberships[^2] : null;

    /// <summary>
    /// Whether it has the entry on its disk; what a loss beyond tolerance took counts as had: an answer that left
    /// before may still be counted.
    /// </summary>
    public bool HasSynced(LogIndex index, ulong chain) =>
        Durable.Has(index, chain) || _before?.Has(index, chain) == true;

    public void Damage(Fault fault)
    {
        if (LossPlan.IsLoss(fault.Kind))
        {
            _before = new LogImage();
            _before.CopyFrom(Durable);
        }

        IsDamagedOnce = !IsDamaged && fault is { Kind: FaultKind.BitRot or FaultKind.RottenCopies, Amount: 1 }
            or { Kind: FaultKind.StaleWrite };
        IsDamaged = true;
    }

    public void ResetMemberships(LogIndex index, Membership membership)
    {
        _memberships.Clear();
        _memberships.Add((index, membership));
    }

    public void AddMembership(LogIndex index, Membership membership) => _memberships.Add((index, membership));

    public void CutMemberships(LogIndex from)
    {
        while (_memberships.Count > 1 && _memberships[^1].Index >= from)
        {
            _memberships.RemoveAt(_memberships.Count - 1);
        }
    }

    /// <summary>A write was asked for; it counts from its sync on.</summary>
    public void Ask(WriteId write, bool isReset, EntryId id, ulong chain) =>
        _unsynced.Enqueue(new DurableStep(write, isReset, id, chain));

    public void Sync(WriteId last)
    {
        if (_unsynced.TryPeek(out var first) && first.Write <= last)
        {
            _older = Durable.Last.Index;
        }

        while (_unsynced.TryPeek(out var step) && step.Write <= last)
        {
            _unsynced.Dequeue();
            _older = step.IsReset ? LogIndex.Zero : LogIndex.Min(_older, step.Id.Index.Previous);
            if (step.IsReset)
            {
                Durable.Reset(step.Id, step.Chain);
            }
            else if (Durable.Reaches(step.Id.Index))
            {
                Durable.Append(step.Id, step.Chain);
            }
        }
    }

    /// <summary>
    /// How far the log on the disk cannot differ from what was synced: a write under way when the process ended may
    /// have replaced its tail.
    /// </summary>
    /// <param name="withoutNewest">Without what the newest sync brought.</param>
    public (LogIndex Index, ulong Chain) SurelySynced(bool withoutNewest)
    {
        var index = withoutNewest ? LogIndex.Min(_older, Durable.Last.Index) : Durable.Last.Index;
        foreach (var step in _unsynced)
        {
            index = LogIndex.Min(index, step.IsReset ? LogIndex.Zero : step.Id.Index.Previous);
        }

        _unsynced.Clear();
        _older = LogIndex.Min(_older, index);
        return index < Durable.Start.Index ? default : (index, Durable.ChainAt(index));
    }

    /// <summary>A process began.</summary>
    public void Begin(in ReplicaView view, RecoveredState recovered)
    {
        Life++;
        IsRunning = true;
        View = view;
        LedTerm = default;
        Matches.Clear();
        Applied = recovered.Applied;
        IsRestored = recovered.Applied > LogIndex.Zero;
        ResetMemberships(recovered.Applied, recovered.Membership);
    }

    private readonly record struct DurableStep(WriteId Write, bool IsReset, EntryId Id, ulong Chain);
}
