using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>
/// An engine too simple to be wrong: every version of every key in a sorted dictionary, views by copying. What other
/// engines are compared with.
/// </summary>
internal sealed class OracleEngine : IEngine
{
    private readonly SortedDictionary<byte[], List<Version>> _staged = new(ByteOrder.Instance);
    private long _stagedCompacted;

    public LogIndex Applied { get; private set; }

    public long Revision { get; private set; } = 1;

    public long CompactedRevision { get; private set; }

    public long KeyCount { get; private set; }

    public long BytesUsed => _staged.Sum(key => key.Key.Length + key.Value.Sum(version => version.Value.Length));

    public bool TryGetNewest(ReadOnlySpan<byte> key, out Row row)
    {
        var bytes = key.ToArray();
        if (_staged.TryGetValue(bytes, out var versions) && !versions[^1].Header.IsTombstone)
        {
            row = new Row(bytes, versions[^1].Value, versions[^1].Header);
            return true;
        }

        row = default;
        return false;
    }

    public void ScanNewest<TVisitor>(in KeyRange range, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct => Scan(_staged, range, long.MaxValue, ref visitor);

    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header) =>
        Add(key, value, header);

    public void Delete(ReadOnlySpan<byte> key, Revision revision)
    {
        if (!TryGetNewest(key, out _))
        {
            throw new InvalidOperationException("Only an existing key is deleted.");
        }

        Add(key, default, new RowHeader(revision, 0, 0, 0, true));
    }

    public void Compact(long revision) => _stagedCompacted = revision;

    public void Publish(LogIndex applied, long revision)
    {
        Drop();
        Applied = applied;
        Revision = revision;
        CompactedRevision = _stagedCompacted;
        KeyCount = _staged.Count(key => !key.Value[^1].Header.IsTombstone);
    }

    public bool DoMaintenance() => false;

    public LogIndex Flush() => LogIndex.Zero;

    public IEngineView OpenView()
    {
        var copy = new SortedDictionary<byte[], List<Version>>(ByteOrder.Instance);
        foreach (var (key, versions) in _staged)
        {
            var published = versions.Where(version => version.Header.Mod.Main <= Revision).ToList();
            if (published.Count > 0)
            {
                copy.Add(key, published);
            }
        }

        return new View(copy, Applied, Revision, CompactedRevision);
    }

    public void Clear()
    {
        _staged.Clear();
        _stagedCompacted = 0;
        Applied = LogIndex.Zero;
        Revision = 1;
        CompactedRevision = 0;
        KeyCount = 0;
    }

    public void Load(in Row row) => Add(row.Key, row.Value, row.Header);

    public void LoadCompacted(long revision) => _stagedCompacted = revision;

    public void Dispose()
    {
    }

    private void Add(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header)
    {
        var bytes = key.ToArray();
        if (!_staged.TryGetValue(bytes, out var versions))
        {
            _staged.Add(bytes, versions = []);
        }

        if (versions.Count > 0 && versions[^1].Header.Mod.CompareTo(header.Mod) >= 0)
        {
            throw new InvalidOperationException("Revisions of a key rise.");
        }

        versions.Add(new Version(header, value.ToArray()));
    }

    /// <summary>
    /// Keeps, per key, the newest version at or before the compacted revision unless it is a tombstone before it.
    /// </summary>
    private void Drop()
    {
        foreach (var (key, versions) in _staged.ToList())
        {
            var newest = versions.FindLastIndex(version => version.Header.Mod.Main <= _stagedCompacted);
            if (newest >= 0)
            {
                var (mod, isTombstone) = (versions[newest].Header.Mod.Main, versions[newest].Header.IsTombstone);
                versions.RemoveRange(0, isTombstone && mod < _stagedCompacted ? newest + 1 : newest);
            }

            if (versions.Count == 0)
            {
                _staged.Remove(key);
            }
        }
    }

    private static void Scan<TVisitor>(
        SortedDictionary<byte[], List<Version>> rows, in KeyRange range, long atRevision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct
    {
        foreach (var (key, versions) in rows)
        {
            if (key.AsSpan().SequenceCompareTo(range.Start) < 0 || range.EndsBefore(key))
            {
                continue;
            }

            var version = versions.FindLast(version => version.Header.Mod.Main <= atRevision);
            if (version is { Header.IsTombstone: false } && !visitor.Visit(new Row(key, version.Value, version.Header)))
            {
                return;
            }
        }
    }

    private sealed record Version(RowHeader Header, byte[] Value);

    private sealed class View(
        SortedDictionary<byte[], List<Version>> rows, LogIndex applied, long revision, long compactedRevision)
        : IEngineView
    {
        public LogIndex Applied => applied;

        public long Revision => revision;

        public long CompactedRevision => compactedRevision;

        public bool TryGet(ReadOnlySpan<byte> key, long atRevision, out Row row)
        {
            var bytes = key.ToArray();
            row = default;
            var version = rows.TryGetValue(bytes, out var versions)
                ? versions.FindLast(version => version.Header.Mod.Main <= atRevision)
                : null;
            if (version is not { Header.IsTombstone: false })
            {
                return false;
            }

            row = new Row(bytes, version.Value, version.Header);
            return true;
        }

        public void Scan<TVisitor>(in KeyRange range, long atRevision, ref TVisitor visitor)
            where TVisitor : IRowVisitor, allows ref struct =>
            OracleEngine.Scan(rows, range, atRevision, ref visitor);

        public void ScanAll<TVisitor>(ref TVisitor visitor)
            where TVisitor : IRowVisitor, allows ref struct
        {
            foreach (var (key, versions) in rows)
            {
                foreach (var version in versions)
                {
                    if (!visitor.Visit(new Row(key, version.Value, version.Header)))
                    {
                        return;
                    }
                }
            }
        }

        public void ScanHistory<TVisitor>(in KeyRange range, long fromRevision, ref TVisitor visitor)
            where TVisitor : IRowVisitor, allows ref struct
        {
            foreach (var (key, versions) in rows)
            {
                if (key.AsSpan().SequenceCompareTo(range.Start) < 0 || range.EndsBefore(key))
                {
                    continue;
                }

                foreach (var version in versions)
                {
                    if (version.Header.Mod.Main >= fromRevision
                        && !visitor.Visit(new Row(key, version.Value, version.Header)))
                    {
                        return;
                    }
                }
            }
        }

        public void Dispose()
        {
        }
    }

    private sealed class ByteOrder : IComparer<byte[]>
    {
        public static readonly ByteOrder Instance = new();

        public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
    }
}
