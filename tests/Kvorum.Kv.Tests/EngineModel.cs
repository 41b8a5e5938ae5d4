namespace Kvorum.Kv.Tests;

/// <summary>
/// The simplest engine that could be right: every row of every key in a sorted map, copied for each view.
/// </summary>
internal sealed class EngineModel
{
    private readonly SortedDictionary<byte[], List<ModelRow>> _rows = new(KeyOrder.Instance);

    public long Revision { get; private set; } = 1;

    public long Compacted { get; private set; }

    public long KeyCount => _rows.Values.Count(versions => !versions[^1].Header.IsTombstone);

    public ModelRow? Newest(byte[] key) =>
        _rows.TryGetValue(key, out var versions) && !versions[^1].Header.IsTombstone ? versions[^1] : null;

    public void Add(byte[] key, byte[] value, RowHeader header)
    {
        if (!_rows.TryGetValue(key, out var versions))
        {
            _rows.Add(key, versions = []);
        }

        versions.Add(new ModelRow(key, value, header));
    }

    public void Publish(long revision, long compacted)
    {
        Revision = revision;
        Compacted = compacted;
    }

    /// <summary>A moment that stays as it is.</summary>
    public EngineModel Copy()
    {
        var copy = new EngineModel();
        copy.Publish(Revision, Compacted);
        foreach (var (key, versions) in _rows)
        {
            copy._rows.Add(key, [.. versions]);
        }

        return copy;
    }

    public List<ModelRow> Range(byte[] start, byte[]? end, long revision)
    {
        var found = new List<ModelRow>();
        foreach (var (key, versions) in _rows)
        {
            var isInside = KeyOrder.Instance.Compare(key, start) >= 0
                && (end is null || KeyOrder.Instance.Compare(key, end) < 0);
            var row = versions.LastOrDefault(version => version.Header.Mod.Main <= revision);
            if (isInside && row is { Header.IsTombstone: false })
            {
                found.Add(row);
            }
        }

        return found;
    }

    /// <summary>Every row that compaction keeps.</summary>
    public List<ModelRow> All()
    {
        var found = new List<ModelRow>();
        foreach (var versions in _rows.Values)
        {
            var kept = versions.LastOrDefault(version => version.Header.Mod.Main <= Compacted);
            found.AddRange(versions.Where(version =>
                version.Header.Mod.Main <= Revision
                && (version.Header.Mod.Main > Compacted || (version == kept
                    && (!version.Header.IsTombstone || version.Header.Mod.Main == Compacted)))));
        }

        return found;
    }
}

internal sealed record ModelRow(byte[] Key, byte[] Value, RowHeader Header)
{
    public static ModelRow Of(in Row row) => new(row.Key.ToArray(), row.Value.ToArray(), row.Header);

    public bool SameAs(ModelRow other) =>
        Header == other.Header && Key.AsSpan().SequenceEqual(other.Key) && Value.AsSpan().SequenceEqual(other.Value);
}

/// <summary>Collects rows, as many as wanted.</summary>
internal sealed class RowCollector(int rowsMax = int.MaxValue) : IRowVisitor
{
    public List<ModelRow> Rows { get; } = [];

    public bool Visit(in Row row)
    {
        Rows.Add(ModelRow.Of(row));
        return Rows.Count < rowsMax;
    }
}

internal sealed class KeyOrder : IComparer<byte[]>
{
    public static KeyOrder Instance { get; } = new();

    public int Compare(byte[]? x, byte[]? y) => x.AsSpan().SequenceCompareTo(y);
}
