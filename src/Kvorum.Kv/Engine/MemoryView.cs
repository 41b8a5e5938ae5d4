using System.Buffers;
using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>A view of a <see cref="MemoryEngine"/>: the published moment it holds open, and nothing else.</summary>
internal sealed class MemoryView(Moment moment) : IEngineView
{
    private Moment? _moment = moment;

    public LogIndex Applied => Open.Applied;

    public long Revision => Open.Revision;

    public long CompactedRevision => Open.Compacted;

    private Moment Open
    {
        get
        {
            var open = _moment;
            ObjectDisposedException.ThrowIf(open is null, this);
            return open;
        }
    }

    public bool TryGet(ReadOnlySpan<byte> key, long atRevision, out Row row)
    {
        var open = Check(atRevision);
        var store = open.Store;
        var found = store.VersionAt(store.Tree.Find(key), atRevision);
        if (found == 0 || store.Rows.Head(found).Kind == RowKind.Tombstone)
        {
            row = default;
            return false;
        }

        row = store.Rows.RowAt(found);
        return true;
    }

    public void Scan<TVisitor>(in KeyRange range, long atRevision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct
    {
        var open = Check(atRevision);
        open.Store.Scan(range, atRevision, ref visitor);
    }

    public void ScanAll<TVisitor>(ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct
    {
        var open = Open;
        var store = open.Store;
        var versions = ArrayPool<ulong>.Shared.Rent(64);
        try
        {
            var cursor = new KeyTree.Cursor(store.Tree, default);
            while (cursor.MoveNext())
            {
                var count = Collect(open, cursor.Row, ref versions);
                for (var version = count - 1; version >= 0; version--)
                {
                    if (!visitor.Visit(store.Rows.RowAt(versions[version])))
                    {
                        return;
                    }
                }
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(versions);
        }
    }

    public void ScanHistory<TVisitor>(in KeyRange range, long fromRevision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct
    {
        var open = Open;
        var store = open.Store;
        var versions = ArrayPool<ulong>.Shared.Rent(64);
        try
        {
            var cursor = new KeyTree.Cursor(store.Tree, range.Start);
            while (cursor.MoveNext())
            {
                var newest = cursor.Row;
                if (range.EndsBefore(store.Rows.Key(newest)))
                {
                    return;
                }

                if (store.Rows.Head(newest).Main < fromRevision)
                {
                    continue;
                }

                for (var version = Collect(open, newest, ref versions) - 1; version >= 0; version--)
                {
                    if (store.Rows.Head(versions[version]).Main >= fromRevision
                        && !visitor.Visit(store.Rows.RowAt(versions[version])))
                    {
                        return;
                    }
                }
            }
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(versions);
        }
    }

    public void Dispose() => Interlocked.Exchange(ref _moment, null)?.Leave();

    /// <summary>
    /// The visible versions of a key, newest first. What the compacted revision has dropped is left out even where its
    /// memory is still there: how far the background work has come must not show.
    /// </summary>
    private static int Collect(Moment open, ulong newest, ref ulong[] versions)
    {
        var store = open.Store;
        var count = 0;
        var row = store.VersionAt(newest, open.Revision);
        while (row != 0)
        {
            ref var head = ref store.Rows.Head(row);
            var isLast = head.Main <= open.Compacted;
            if (head.Main < open.Compacted && head.Kind == RowKind.Tombstone)
            {
                break;
            }

            if (count == versions.Length)
            {
                var longer = ArrayPool<ulong>.Shared.Rent(count * 2);
                versions.CopyTo(longer, 0);
                ArrayPool<ulong>.Shared.Return(versions);
                versions = longer;
            }

            versions[count++] = row;
            row = isLast ? 0 : Volatile.Read(ref head.Older);
        }

        return count;
    }

    private Moment Check(long atRevision)
    {
        var open = Open;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(atRevision, open.Revision);
        ArgumentOutOfRangeException.ThrowIfLessThan(atRevision, open.Compacted);
        return open;
    }
}
