using Kvorum.Kv;
using Kvorum.Raft;
using Kvorum.Storage;

namespace Kvorum.Node;

/// <summary>
/// Owns the state machine: applies committed entries in order, publishes them, settles the callers that wait, and hands
/// captures to the snapshotter. The only thread that writes the engine.
/// </summary>
internal sealed class Applier
{
    private readonly Lock _lock = new();
    private readonly KvMachine _machine;
    private readonly WatchHub _watches;
    private readonly Action _wakeWatches;
    private readonly RowWritten _written;
    private readonly SnapshotStore _snapshots;
    private readonly PendingProposals _proposals;
    private readonly PendingReads _reads;
    private readonly Completions _completions;
    private readonly TimeProvider _time;
    private readonly NodeMetrics _metrics;
    private readonly Action<Input> _post;
    private CommandResult[] _results = new CommandResult[256];
    private Work _next = new();
    private Work _current = new();
    private Action<KvCapture, EntryId, Membership>? _captureWanted;
    private List<ApplierQuestion> _questions = [];
    private Exception? _questionsFailed;
    private (LogIndex Index, ulong Hash, int Sessions) _stateHash;
    private EntryId _lastApplied;
    private Membership _membership;

    public Applier(
        KvMachine machine, WatchHub watches, Action wakeWatches, EntryId lastApplied, Membership membership,
        SnapshotStore snapshots,
        PendingProposals proposals, PendingReads reads, Completions completions,
        TimeProvider time, NodeMetrics metrics, Action<Input> post)
    {
        _machine = machine;
        _watches = watches;
        _wakeWatches = wakeWatches;
        _written = watches.Written;
        _lastApplied = lastApplied;
        _membership = membership;
        _snapshots = snapshots;
        _proposals = proposals;
        _reads = reads;
        _completions = completions;
        _time = time;
        _metrics = metrics;
        _post = post;
        _stateHash = (machine.Applied, machine.StateHash, machine.SessionCount);
        _reads.Applied(machine.Applied, completions);
    }

    /// <summary>Sees every batch and every restored snapshot; null in a live node.</summary>
    public ReplicaObserver? Observer { get; init; }

    /// <summary>State hash with the index it belongs to, after the last finished batch. Any thread.</summary>
    public (LogIndex Index, ulong Hash, int Sessions) StateHash
    {
        get
        {
            lock (_lock)
            {
                return _stateHash;
            }
        }
    }

    /// <summary>Queues committed entries. Replica thread.</summary>
    public void Add(IReadOnlyList<LogEntry> entries)
    {
        lock (_lock)
        {
            _next.Entries.AddRange(entries);
        }
    }

    /// <summary>Queues the installation of a published snapshot, after all entries queued before it.</summary>
    public void Install(SnapshotDescriptor snapshot)
    {
        lock (_lock)
        {
            _next.Install = snapshot;
        }
    }

    /// <summary>
    /// Wants a capture of the published state; <paramref name="receive"/> runs on the applier's thread.
    /// </summary>
    public void RequestCapture(Action<KvCapture, EntryId, Membership> receive)
    {
        lock (_lock)
        {
            _captureWanted = receive;
        }
    }

    /// <summary>Has something looked up in the state machine, on the applier's thread, in a later turn.</summary>
    public void Ask(ApplierQuestion question)
    {
        lock (_lock)
        {
            if (_questionsFailed is null)
            {
                _questions.Add(question);
                return;
            }
        }

        question.Fail(_questionsFailed);
    }

    /// <summary>There are no more turns: nobody is answered from now on.</summary>
    public void FailQuestions(Exception reason)
    {
        List<ApplierQuestion> questions;
        lock (_lock)
        {
            _questionsFailed = reason;
            (questions, _questions) = (_questions, []);
        }

        foreach (var question in questions)
        {
            question.Fail(reason);
        }
    }

    /// <summary>Applies all that waits. Returns whether the engine has maintenance left to do.</summary>
    public bool Turn()
    {
        while (true)
        {
            Action<KvCapture, EntryId, Membership>? capture;
            List<ApplierQuestion> questions = [];
            lock (_lock)
            {
                if (_questions.Count > 0)
                {
                    (questions, _questions) = (_questions, questions);
                }

                capture = _captureWanted;
                _captureWanted = null;
                (_current, _next) = (_next, _current);
            }

            foreach (var question in questions)
            {
                question.Answer(_machine);
            }

            var isWatched = _watches.BeginBatch(_machine.Revision);
            _machine.Written = isWatched ? _written : null;
            if (_current.IsEmpty && capture is null)
            {
                return _machine.Engine.DoMaintenance();
            }

#if MUTANTS
            if (NodeMutants.InstallDuringApply && _current.Install is { } early)
            {
                Restore(early);
                _current.Install = null;
            }

#endif
            if (_current.Entries.Count > 0)
            {
                Apply(_current.Entries);
            }

            if (_current.Install is { } snapshot)
            {
                Restore(snapshot);
            }

            _current.Clear();
            capture?.Invoke(_machine.Capture(), _lastApplied, _membership);
        }
    }

    private void Apply(List<LogEntry> entries)
    {
        // A restored snapshot may be ahead of entries that were handed out before it.
        var skip = 0;
        while (skip < entries.Count && entries[skip].Index <= _machine.Applied && !NodeMutants.InstallDuringApply)
        {
            skip++;
        }

        if (skip > 0)
        {
            entries.RemoveRange(0, skip);
            if (entries.Count == 0)
            {
                return;
            }
        }

        var start = _time.GetTimestamp();
        if (_results.Length < entries.Count)
        {
            _results = new CommandResult[Math.Max(entries.Count, _results.Length * 2)];
        }

        var span = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(entries);
        for (var i = 0; i < span.Length; i++)
        {
            _results[i] = _machine.Apply(span[i]);
            if (span[i].Kind == EntryKind.Membership
                && MembershipCodec.TryDecode(span[i].Payload, out var membership, out _))
            {
                _membership = membership; // A snapshot says who was a member at its last entry.
            }
        }

        _lastApplied = span[^1].Id;
        _machine.Publish();
        if (_machine.Written is not null)
        {
            _watches.Publish(_machine.Revision);
            _wakeWatches();
        }

        Report();
        Observer?.Applied(span, _results.AsSpan(0, span.Length), _machine.StateHash);
        _proposals.Settle(span, _results, _completions);
        _reads.Applied(_machine.Applied, _completions);
        _completions.Flush();
        Array.Clear(_results, 0, entries.Count);
        _metrics.EntriesApplied += entries.Count;
        _metrics.Apply.Record((long)_time.GetElapsedTime(start).TotalMicroseconds);
        _post(new Applied(_machine.Applied));
    }

    private void Restore(SnapshotDescriptor snapshot)
    {
        if (snapshot.LastIncluded.Index > _machine.Applied)
        {
            using var body = _snapshots.OpenBody(snapshot);
            _machine.Restore(body.Read);
            Invariant.Holds(
                _machine.Applied == snapshot.LastIncluded.Index, "A snapshot's body ends at the entry its header names.");
            _lastApplied = snapshot.LastIncluded;
            _membership = snapshot.Membership;
            _watches.Restored(_machine.Revision);
            Report();
            Observer?.Restored(snapshot, _machine.StateHash);
            _proposals.SettleUnknown(_machine.Applied, _completions);
            _reads.Applied(_machine.Applied, _completions);
            _completions.Flush();
            _metrics.SnapshotsInstalled++;
        }

        _post(new SnapshotInstalled(snapshot));
    }

    private void Report()
    {
        lock (_lock)
        {
            _stateHash = (_machine.Applied, _machine.StateHash, _machine.SessionCount);
        }
    }

    private sealed class Work
    {
        public readonly List<LogEntry> Entries = [];
        public SnapshotDescriptor? Install;

        public bool IsEmpty => Entries.Count == 0 && Install is null;

        public void Clear()
        {
            Entries.Clear();
            Install = null;
        }
    }
}
