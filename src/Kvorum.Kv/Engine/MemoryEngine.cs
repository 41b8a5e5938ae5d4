using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// The default engine: ordered, rows in large arenas instead of heap objects, views that cost nothing and never block a
/// write. Durable through the Raft log and Raft snapshots only.
/// </summary>
/// <remarks>
/// Rows carry revisions, so a view needs no copy: it skips rows above its revision. What a view does need is that
/// memory
/// it may look at is not used again: it holds a <see cref="Moment"/> open, and released memory waits until all moments
/// up to its release are over. Why so, and what was measured: src/Kvorum.Kv/DESIGN.md.
/// </remarks>
public sealed class MemoryEngine : IEngine
{
    private const long EmptyRevision = 1;

    /// <summary>Moments that were still held open when a newer one was published, oldest first.</summary>
    private readonly Queue<Moment> _held = new();

    private RowStore _store = new();
    private Moment _newest;
    private long _stagedCompacted;

    private MemoryEngine()
    {
        _newest = new Moment(_store, 1, LogIndex.Zero, EmptyRevision, 0, 0);
        _store.Tree.Epoch = _newest.Epoch;
    }

    public LogIndex Applied => Newest.Applied;

    public long Revision => Newest.Revision;

    public long CompactedRevision => Newest.Compacted;

    public long KeyCount => Newest.KeyCount;

    public long BytesUsed => Newest.Store.BytesHeld;

    private Moment Newest => Volatile.Read(ref _newest);

    public static IEngine Create() => new MemoryEngine();

    public bool TryGetNewest(ReadOnlySpan<byte> key, out Row row)
    {
        var newest = _store.Tree.Find(key);
        if (newest == 0 || _store.Rows.Head(newest).Kind == RowKind.Tombstone)
        {
            row = default;
            return false;
        }

        row = _store.Rows.RowAt(newest);
        return true;
    }

    public void ScanNewest<TVisitor>(in KeyRange range, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct =>
        _store.Scan(range, long.MaxValue, ref visitor);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header)
    {
        CheckStaged(header.Mod.Main);
        _store.Put(key, value, header);
    }

    public void Delete(ReadOnlySpan<byte> key, Revision revision)
    {
        CheckStaged(revision.Main);
        _store.Delete(key, revision);
    }

    public void Compact(long revision) => _stagedCompacted = Math.Max(_stagedCompacted, revision);

    public void Publish(LogIndex applied, long revision)
    {
        var before = _newest;
        if (before.Store == _store)
        {
            Invariant.Holds(revision >= before.Revision, "The published revision does not fall.");
        }
        else
        {
            _store.EndLoading();
            _held.Clear();
        }

        Invariant.Holds(_stagedCompacted <= revision, "Only what has been written is compacted.");
        Enter(new Moment(_store, before.Epoch + 1, applied, revision, _stagedCompacted, _store.LiveKeys));
    }

    public bool DoMaintenance()
    {
        if (_newest.Store != _store)
        {
            return false;
        }

        EndHeld();
        var oldest = _held.TryPeek(out var held) ? held : _newest;
        var hasMore = _store.CompactSlice(oldest.Compacted, _newest.Epoch);
        hasMore |= !hasMore && _store.MoveSlice(_newest.Epoch);
        if (_store.Rows.HasReleased && _held.Count == 0)
        {
            // Nothing may be published for long: the same again, so that what was just released waits for nobody.
            Enter(new Moment(
                _store, _newest.Epoch + 1, _newest.Applied, _newest.Revision, _newest.Compacted, _newest.KeyCount));
        }

        return hasMore;
    }

    public LogIndex Flush() => LogIndex.Zero;

    public IEngineView OpenView()
    {
        while (true)
        {
            // A moment that ends between the two lines has a newer one to take instead.
            var newest = Newest;
            if (newest.TryEnter())
            {
                return new MemoryView(newest);
            }
        }
    }

    public void Clear()
    {
        _store = new RowStore();
        _stagedCompacted = 0;
    }

    public void Load(in Row row) => _store.Load(row);

    public void LoadCompacted(long revision) => _stagedCompacted = revision;

    /// <summary>Views may still be open; they keep what they need.</summary>
    public void Dispose() => Clear();

    private void CheckStaged(long main)
    {
        var published = _newest.Store == _store ? _newest.Revision : 0;
        Invariant.Holds(main > published, "What is staged lies above the published revision.");
    }

    private void Enter(Moment moment)
    {
        var before = _newest;
        Volatile.Write(ref _newest, moment);
        if (before.Store == moment.Store && !before.TryEnd())
        {
            _held.Enqueue(before);
        }

        EndHeld();
    }

    private void EndHeld()
    {
        while (_held.TryPeek(out var oldest) && oldest.TryEnd())
        {
            _held.Dequeue();
        }

        var openEpoch = _held.TryPeek(out var open) ? open.Epoch : _newest.Epoch;
        _newest.Store.Rows.Reclaim(openEpoch);
        _newest.Store.Tree.Epoch = _newest.Epoch;
    }
}
