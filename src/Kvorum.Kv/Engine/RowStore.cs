using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>The rows of one life of the engine, from <see cref="IEngine.Clear"/> to the next: everything behind the
/// port but publishing.</summary>
internal sealed class RowStore
{
    /// <summary>The most queued rows a slice of compaction looks at.</summary>
    private const int CompactedPerSliceMax = 1024;

    /// <summary>The most rows a slice moves out of a sparse chunk.</summary>
    private const int MovedPerSliceMax = 512;

    private readonly SupersededQueue _superseded;

    /// <summary>So many of the first rows in the queue have nothing behind them any more, but stay there.</summary>
    private int _trimmed;

    private (long Main, int Sub) _last;
    private bool _isLoading;

    public RowStore()
    {
        Rows = new Arena();
        Tree = new KeyTree(Rows);
        _superseded = new SupersededQueue(Rows);
    }

    public Arena Rows { get; }

    public KeyTree Tree { get; }

    /// <summary>Keys whose newest row, staged or not, is no tombstone.</summary>
    public long LiveKeys { get; private set; }

    public long BytesHeld => Rows.BytesHeld + _superseded.BytesHeld;

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header)
    {
        Invariant.Holds((header.Mod.Main, header.Mod.Sub).CompareTo(_last) > 0, "Revisions of writes rise.");
        _last = (header.Mod.Main, header.Mod.Sub);
        Add(key, value, header);
    }

    public void Delete(ReadOnlySpan<byte> key, Revision revision)
    {
        Invariant.Holds((revision.Main, revision.Sub).CompareTo(_last) > 0, "Revisions of writes rise.");
        _last = (revision.Main, revision.Sub);
        var newest = Add(key, default, new RowHeader(revision, 0, 0, 0, true));
        Invariant.Holds(
            newest != 0 && Rows.Head(newest).Kind == RowKind.Value, "Only a key that exists is deleted.");
    }

    public void Load(in Row row)
    {
        _isLoading = true;
        var main = row.Header.Mod.Main;
        if (main > _last.Main)
        {
            _last = (main, int.MaxValue);
        }

        Add(row.Key, row.Value, row.Header);
    }

    /// <summary>After the last loaded row, before a view may see the store.</summary>
    public void EndLoading()
    {
        if (_isLoading)
        {
            _isLoading = false;
            _superseded.Order();
        }
    }

    /// <summary>The newest version of a key at a main revision, dropped ones excluded; 0 for none.</summary>
    public ulong VersionAt(ulong newest, long revision)
    {
        var row = newest;
        while (row != 0)
        {
            ref var head = ref Rows.Head(row);
            if (head.Main <= revision)
            {
                return row;
            }

            row = Volatile.Read(ref head.Older);
        }

        return 0;
    }

    /// <summary>Visits the live rows of a range as of a revision.</summary>
    public void Scan<TVisitor>(in KeyRange range, long revision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct
    {
        var cursor = new KeyTree.Cursor(Tree, range.Start);
        while (cursor.MoveNext())
        {
            var newest = cursor.Row;
            if (range.EndsBefore(Rows.Key(newest)))
            {
                return;
            }

            var row = VersionAt(newest, revision);
            if (row != 0 && Rows.Head(row).Kind != RowKind.Tombstone && !visitor.Visit(Rows.RowAt(row)))
            {
                return;
            }
        }
    }

    /// <summary>
    /// Drops some of the rows superseded at or before a revision, and of the tombstones before it: one at the revision
    /// itself is still told to those who watch from there on (etcd #18089, #19179).
    /// </summary>
    /// <returns>Whether more of them are left.</returns>
    public bool CompactSlice(long revision, long epoch)
    {
        Tree.Epoch = epoch;
        for (var done = 0; done < CompactedPerSliceMax && HasWork(revision); done++)
        {
            if (_superseded.MainAt(0) < revision)
            {
                var row = _superseded.RemoveFirst();
                _trimmed = Math.Max(0, _trimmed - 1);
                DropOlder(row, epoch);
                Rows.Head(row).Marks = RowMarks.None;
                DropTombstone(row, epoch);
            }
            else
            {
                // What was written earlier in the same revision is in the queue itself, and goes with it.
                var row = _superseded.RowAt(_trimmed);
                var older = Rows.Head(row).Older;
                if (older != 0 && Rows.Head(older).Main < revision)
                {
                    DropOlder(row, epoch);
                }

                _trimmed++;
            }
        }

        return HasWork(revision);
    }

    /// <summary>Moves some rows out of a sparse chunk, so that it can be used again.</summary>
    /// <returns>Whether there is more to move.</returns>
    public bool MoveSlice(long epoch)
    {
        Tree.Epoch = epoch;
        for (var done = 0; done < MovedPerSliceMax; done++)
        {
            var row = Rows.NextToMove();
            if (row == 0)
            {
                return false;
            }

            Move(row, epoch);
        }

        return true;
    }

    /// <summary>Rows before the revision, or some at it behind which nothing was dropped yet.</summary>
    private bool HasWork(long revision) =>
        (_superseded.Count > 0 && _superseded.MainAt(0) < revision)
        || (_superseded.Count > _trimmed && _superseded.MainAt(_trimmed) <= revision);

    /// <summary>Adds a version of a key and returns the one before it.</summary>
    private ulong Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header)
    {
        Invariant.Holds(key.Length <= ushort.MaxValue, "A key has at most 65,535 bytes.");
        var newest = Tree.Locate(key);
        var row = Rows.AllocateRow(key.Length, value.Length);
        ref var head = ref Rows.Head(row);
        head.Older = newest;
        head.Newer = 0;
        head.Main = header.Mod.Main;
        head.CreateRevision = header.CreateRevision;
        head.Version = header.Version;
        head.Lease = header.Lease;
        head.Sub = header.Mod.Sub;
        head.ValueLength = value.Length;
        head.KeyLength = (ushort)key.Length;
        head.Kind = header.IsTombstone ? RowKind.Tombstone : RowKind.Value;
        head.Marks = RowMarks.None;
        var body = Rows.Body(row);
        key.CopyTo(body);
        value.CopyTo(body[key.Length..]);

        var wasLive = false;
        if (newest == 0)
        {
            Tree.InsertLocated(row);
        }
        else
        {
            ref var before = ref Rows.Head(newest);
            Invariant.Holds(
                (head.Main, head.Sub).CompareTo((before.Main, before.Sub)) > 0, "Versions of a key rise.");
            before.Newer = row;
            wasLive = before.Kind == RowKind.Value;
            Tree.ReplaceLocated(row);
        }

        LiveKeys += (header.IsTombstone ? 0 : 1) - (wasLive ? 1 : 0);
        if (newest != 0 || header.IsTombstone)
        {
            head.Marks = RowMarks.Queued;
            _superseded.Add(head.Main, row);
        }

        return newest;
    }

    /// <summary>Drops what a row superseded.</summary>
    private void DropOlder(ulong row, long epoch)
    {
        ref var head = ref Rows.Head(row);
        var older = head.Older;
        Volatile.Write(ref head.Older, 0);
        while (older != 0)
        {
            var next = Rows.Head(older).Older;
            Rows.ReleaseRow(older, epoch);
            older = next;
        }
    }

    private void DropTombstone(ulong row, long epoch)
    {
        ref var head = ref Rows.Head(row);
        if (head.Kind != RowKind.Tombstone)
        {
            return;
        }

        if (head.Newer != 0)
        {
            Volatile.Write(ref Rows.Head(head.Newer).Older, 0);
        }
        else
        {
            var newest = Tree.Locate(Rows.Key(row));
            Invariant.Holds(newest == row, "A row without a newer one is the newest of its key.");
            Tree.RemoveLocated();
        }

        Rows.ReleaseRow(row, epoch);
    }

    private void Move(ulong from, long epoch)
    {
        ref var head = ref Rows.Head(from);
        var to = Rows.AllocateRow(head.KeyLength, head.ValueLength);
        ref var copy = ref Rows.Head(to);
        copy = head;
        var body = Rows.Body(from);
        body.CopyTo(Rows.Body(to));
        if (head.Kind == RowKind.Separator)
        {
            Tree.MoveSeparator(from, to);
            Rows.ReleaseRow(from, epoch);
            return;
        }

        if (head.Older != 0)
        {
            Rows.Head(head.Older).Newer = to;
        }

        if (head.Newer != 0)
        {
            Volatile.Write(ref Rows.Head(head.Newer).Older, to);
        }
        else
        {
            Invariant.Holds(Tree.Locate(Rows.Key(from)) == from, "A row without a newer one is the newest of its key.");
            Tree.ReplaceLocated(to);
        }

        if ((head.Marks & RowMarks.Queued) != 0)
        {
            _superseded.Move(head, from, to);
            head.Marks &= ~RowMarks.Queued;
        }

        Rows.ReleaseRow(from, epoch);
    }
}
