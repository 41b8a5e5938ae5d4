using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// What a command works with: the newest state, the revision its writes share, and the running hash. One object serves
/// all commands, one after the other.
/// </summary>
internal sealed class KvTransaction(IEngine engine, SessionTable sessions, LeaseTable leases)
{
    /// <summary>Keys of a range that are gathered, then deleted, at a time.</summary>
    internal const int DeletedKeysBatchMax = 1_024;

    /// <summary>Revision before the command that is running.</summary>
    private long _before = engine.Revision;

    /// <summary>Writes of the command so far; the number of the next one inside the revision.</summary>
    private int _writes;

    private LogIndex _appliedBefore = engine.Applied;

    private EntryId _entry;

    /// <summary>What is left of <see cref="RangeQuery.AnswerBytesMax"/> for the rest of the command's answer.</summary>
    private long _answerBytesLeft = RangeQuery.AnswerBytesMax;

    private StateHash _hash;

    /// <summary>The newest revision, that of the running command included as soon as it has written.</summary>
    public long Revision => _writes == 0 ? _before : _before + 1;

    public long CompactedRevision { get; private set; } = engine.CompactedRevision;

    public ref long AnswerBytesLeft => ref _answerBytesLeft;

    public ulong Hash => _hash.Value;

    /// <summary>The term of the entry that is being applied.</summary>
    public ulong Term => _entry.Term.Value;

    /// <summary>Hears of every row written; null when nobody watches.</summary>
    public RowWritten? Written { get; set; }

    /// <summary>Hears of every lease that is granted, renewed or gone; null when nobody watches the clock.</summary>
    public Action<LeaseChange>? LeaseChanged { get; set; }

    /// <summary>Where appends build their lists.</summary>
    public ListBuffer ListBuffer { get; } = new();

    /// <summary>Ends the command before and starts the next one.</summary>
    public void Begin(LogIndex appliedBefore, EntryId entry)
    {
        _entry = entry;
#if MUTANTS
        _lastWritten = LastWritten;
#endif
        _before = Revision;
        _writes = 0;
        _appliedBefore = appliedBefore;
        _answerBytesLeft = RangeQuery.AnswerBytesMax;
    }

    /// <summary>Continues from a snapshot that was loaded into the engine.</summary>
    public void Reset(LogIndex applied, long revision, long compactedRevision, ulong hash)
    {
#if MUTANTS
        _lastWritten = revision;
#endif
        _before = revision;
        _writes = 0;
        _appliedBefore = applied;
        CompactedRevision = compactedRevision;
        _hash = new StateHash(hash);
    }

    public void AddToHash(ulong left, ulong right) => _hash.Add(left, right);

    public bool TryGet(ReadOnlySpan<byte> key, out Row row) => engine.TryGetNewest(key, out row);

    public KeyValue? Get(ReadOnlySpan<byte> key) =>
        engine.TryGetNewest(key, out var row) ? KeyValue.Of(row, row.Value.ToArray()) : null;

    public void Scan<TVisitor>(in KeyRange range, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct => engine.ScanNewest(range, ref visitor);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long lease)
    {
        var isUpdate = engine.TryGetNewest(key, out var row);
        Put(key, value, lease, isUpdate, row.Header);
    }

    public void PutKeepingLease(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        var isUpdate = engine.TryGetNewest(key, out var row);
        Put(key, value, row.Header.Lease, isUpdate, row.Header);
    }

    /// <returns>False when there was no such key.</returns>
    public bool Delete(ReadOnlySpan<byte> key)
    {
        if (!engine.TryGetNewest(key, out _))
        {
            return false;
        }

        DeleteExisting(key);
        return true;
    }

    /// <param name="previous">The rows deleted, when asked for: the first ones that fit the answer.</param>
    /// <returns>How many keys were deleted.</returns>
    public long DeleteRange(in KeyRange range, bool returnPrevious, out KeyValue[]? previous)
    {
        var rows = returnPrevious ? new List<KeyValue>() : null;
        var visitor = new DeletedRows(rows, _answerBytesLeft);
        var deleted = 0L;
        var next = range;
        do
        {
            // The engine may not change under a scan, so the keys are gathered first, a bounded number at a time.
            visitor.Keys.Clear();
            engine.ScanNewest(next, ref visitor);
            foreach (var key in visitor.Keys)
            {
                DeleteExisting(key);
            }

            deleted += visitor.Keys.Count;
            next = visitor.Keys.Count > 0 ? Behind(visitor.Keys[^1], range) : range;
        }
        while (visitor.Keys.Count == DeletedKeysBatchMax);

        _answerBytesLeft = visitor.AnswerBytesLeft;
        previous = rows?.ToArray();
        return deleted;
    }

    public Lease? FindLease(long id) => leases.Find(id);

    /// <returns>False when there is no room for one more.</returns>
    public bool Grant(long id, long ttlSeconds)
    {
        if (leases.IsFull)
        {
            return false;
        }

        leases.Add(new Lease(id, ttlSeconds, _entry.Index.Value));
        AddToHash(id, CommandKind.LeaseGrant);
        _hash.Add((ulong)ttlSeconds, _entry.Index.Value);
        LeaseChanged?.Invoke(new LeaseChange(id, ttlSeconds, _entry.Index.Value));
        return true;
    }

    public void Renew(Lease lease)
    {
        lease.RenewedAt = _entry.Index.Value;
        AddToHash(lease.Id, CommandKind.LeaseRenew);
        LeaseChanged?.Invoke(new LeaseChange(lease.Id, lease.TtlSeconds, lease.RenewedAt));
    }

    /// <summary>Ends a lease and deletes its keys.</summary>
    /// <returns>How many keys were deleted.</returns>
    public long End(Lease lease)
    {
        leases.Remove(lease.Id);
        foreach (var key in lease.Keys)
        {
            DeleteExisting(key);
        }

        AddToHash(lease.Id, CommandKind.LeaseRevoke);
        LeaseChanged?.Invoke(new LeaseChange(lease.Id, 0, lease.RenewedAt));
        return lease.Keys.Count;
    }

    public void Compact(long revision)
    {
        engine.Compact(revision);
        CompactedRevision = revision;
        _hash.Add((ulong)revision, (ulong)CommandKind.Compact);
    }

    public long ExpireSessions(ulong lastUsedBefore) => sessions.Expire(lastUsedBefore, ref _hash);

    public SessionAnswer FindAnswer(SessionStamp stamp, ulong fingerprint, LogIndex index, out CommandResult result) =>
        sessions.Find(stamp, fingerprint, index, ref _hash, out result);

    public void RecordAnswer(SessionStamp stamp, ulong fingerprint, LogIndex index, in CommandResult result) =>
        sessions.Record(stamp, fingerprint, index, result, ref _hash);

    /// <summary>
    /// A view of the state before this command, for reads at an old revision. The command has not written yet.
    /// </summary>
    public IEngineView OpenHistory()
    {
        Invariant.Holds(_writes == 0, "Half a command is never published.");
        if (engine.Applied != _appliedBefore)
        {
            // Entries are committed before they are applied, so showing them to views early does no harm.
            engine.Publish(_appliedBefore, _before);
        }

        return engine.OpenView();
    }

#if MUTANTS
    private readonly Dictionary<int, TxnOperation> _operations = [];

    private long _lastWritten = 1;

    /// <summary>Mutant 41: all that a snapshot will know of the revisions.</summary>
    public long LastWritten => _writes == 0 ? _lastWritten : _before + 1;

    /// <summary>Mutant 41: a revision is counted, in memory only, for a change that came to nothing.</summary>
    public void CountWithoutWrite()
    {
        if (_writes == 0)
        {
            _before++;
        }
    }

    /// <summary>Mutant 40: the places of a branch's operations, in the order a used hash table has them.</summary>
    public int[] InTableOrder(IReadOnlyList<TxnOperation> branch)
    {
        for (var i = 0; i < branch.Count; i++)
        {
            _operations.Add(i, branch[i]);
        }

        int[] order = [.. _operations.Keys];
        for (var i = 0; i < branch.Count; i++)
        {
            _operations.Remove(i);
        }

        return order;
    }

    /// <summary>Mutant 55: what readers see, which is the state before the batch that is being applied.</summary>
    public IEngineView OpenPublished() => engine.OpenView();

#endif
    private void Put(
        ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long lease, bool isUpdate, in RowHeader previous)
    {
        Invariant.Holds(key.Length is > 0 and <= KvLimits.KeyBytesMax, "A key in the log has 1 to 65535 bytes.");
        Invariant.Holds(value.Length <= KvLimits.ValueBytesMax, "A value in the log has at most 1.5 MiB.");
        var main = _before + 1;
        var create = isUpdate ? previous.CreateRevision : main;
        var version = isUpdate ? previous.Version + 1 : 1;
        var header = new RowHeader(new Revision(main, _writes), create, version, lease, false);
        engine.Put(key, value, header);
        Written?.Invoke(new Row(key, value, header));
        _writes++;
        _hash.Add(key);
        _hash.Add(value);
        _hash.Add((ulong)create, (ulong)version);
        if (lease != 0)
        {
            _hash.Add((ulong)lease, (ulong)CommandFlags.Lease);
        }

        var leaseBefore = isUpdate ? previous.Lease : 0;
        if (lease != leaseBefore)
        {
            leases.Detach(leaseBefore, key);
            leases.Attach(lease, key);
        }
    }

    private void AddToHash(long lease, CommandKind kind) => _hash.Add((ulong)lease, (ulong)kind);

    private void DetachFromLease(ReadOnlySpan<byte> key)
    {
        if (leases.Count > 0 && engine.TryGetNewest(key, out var row) && row.Header.Lease != 0)
        {
            leases.Detach(row.Header.Lease, key);
        }
    }

    private void DeleteExisting(ReadOnlySpan<byte> key)
    {
        DetachFromLease(key);
        var revision = new Revision(_before + 1, _writes);
        engine.Delete(key, revision);
        Written?.Invoke(new Row(key, default, new RowHeader(revision, 0, 0, 0, IsTombstone: true)));
        _writes++;
        _hash.Add(key);
        _hash.Add((ulong)_writes, (ulong)CommandKind.DeleteRange);
    }

    /// <summary>What is left of a range behind a key: the least key above it is the key and a zero byte.</summary>
    private static KeyRange Behind(byte[] key, KeyRange range)
    {
        byte[] start = [.. key, 0];
        return range.IsUnbounded ? KeyRange.From(start) : KeyRange.Between(start, range.End);
    }

    private struct DeletedRows(List<KeyValue>? previous, long answerBytesLeft) : IRowVisitor
    {
        public List<byte[]> Keys { get; } = [];

        public long AnswerBytesLeft { get; private set; } = answerBytesLeft;

        public bool Visit(in Row row)
        {
            if (row.Header.IsTombstone)
            {
                return true;
            }

            Keys.Add(row.Key.ToArray());
            var rowBytes = row.Key.Length + row.Value.Length;
            if (previous is not null && rowBytes <= AnswerBytesLeft)
            {
                AnswerBytesLeft -= rowBytes;
                previous.Add(KeyValue.Of(row, row.Value.ToArray()));
            }

            return Keys.Count < DeletedKeysBatchMax;
        }
    }
}
