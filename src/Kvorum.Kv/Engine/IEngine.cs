using Kvorum.Raft;

namespace Kvorum.Kv;

/// <summary>
/// Multi-version rows under byte keys: all a storage engine must be. The port stands at the level of MVCC rows, not of
/// ordered bytes, because (why: src/Kvorum.Kv/DESIGN.md).
/// </summary>
/// <remarks>
/// Writer calls (all but <see cref="OpenView"/>) come from one thread. Keys order as unsigned bytes. What is put or
/// deleted is staged: the writer's own reads see it at once, views only after <see cref="Publish"/>. Any exception but
/// <see cref="EngineCorruptException"/> is a bug in the engine. The contract is executable: subclass
/// <c>EngineContractTests</c>.
/// </remarks>
public interface IEngine : IDisposable
{
    /// <summary>The log index published last; 0 when empty. An engine in memory always starts at 0.</summary>
    LogIndex Applied { get; }

    /// <summary>The revision published last; etcd's counting: 1 when empty, the first write makes 2.</summary>
    long Revision { get; }

    /// <summary>Rows superseded at or before this revision may be gone; 0 when never compacted.</summary>
    long CompactedRevision { get; }

    /// <summary>Number of live keys as of the last publish.</summary>
    long KeyCount { get; }

    /// <summary>Approximate bytes held, rows and structure, in memory or on disk.</summary>
    long BytesUsed { get; }

    /// <summary>
    /// The newest row of a key, staged ones included. False when the key does not exist (or was deleted last).
    /// </summary>
    /// <param name="row">Its spans stay valid until the next writer call.</param>
    bool TryGetNewest(ReadOnlySpan<byte> key, out Row row);

    /// <summary>Visits the newest rows of a range in key order, staged ones included.</summary>
    void ScanNewest<TVisitor>(in KeyRange range, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct;

    /// <summary>Stages a new version of a key. Its revision is above all earlier ones.</summary>
    void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, in RowHeader header);

    /// <summary>Stages a tombstone for an existing key.</summary>
    void Delete(ReadOnlySpan<byte> key, Revision revision);

    /// <summary>
    /// Stages: drop every row superseded at or before <paramref name="revision"/> and every tombstone before it, now or
    /// little by little.
    /// </summary>
    void Compact(long revision);

    /// <summary>Makes everything staged visible to new views at once, with the log index it belongs to.</summary>
    void Publish(LogIndex applied, long revision);

    /// <summary>
    /// Does a bounded piece of background work (dropping old rows, reusing their memory). False: nothing left to do.
    /// </summary>
    bool DoMaintenance();

    /// <summary>Makes what was published survive a power failure, as far as this engine can.</summary>
    /// <returns>The log index the engine will still have after one; 0 for an engine in memory.</returns>
    LogIndex Flush();

    /// <summary>
    /// Opens a read-only view of the last publish. Any thread. Costs nothing, never blocks the writer; holds memory
    /// until disposed.
    /// </summary>
    IEngineView OpenView();

    /// <summary>
    /// Empties the engine, for loading a snapshot. No view may be open on the new state before the next publish; open
    /// views stay as they are.
    /// </summary>
    void Clear();

    /// <summary>
    /// Loads one row of a snapshot: rows come by key, then by rising revision, tombstones included; ends with
    /// <see cref="Publish"/>. Faster than <see cref="Put"/> because rows come in order.
    /// </summary>
    void Load(in Row row);

    /// <summary>Sets the compacted revision of a loaded snapshot.</summary>
    void LoadCompacted(long revision);
}

/// <summary>
/// A consistent read-only moment of an engine. Any thread, several at a time; disposing twice is harmless.
/// </summary>
public interface IEngineView : IDisposable
{
    LogIndex Applied { get; }

    long Revision { get; }

    long CompactedRevision { get; }

    /// <summary>
    /// The row of <paramref name="key"/> as of <paramref name="atRevision"/> (at most <see cref="Revision"/>, at least
    /// the compacted one).
    /// </summary>
    /// <param name="row">Its spans stay valid while the view is open.</param>
    bool TryGet(ReadOnlySpan<byte> key, long atRevision, out Row row);

    /// <summary>Visits live rows of a range in key order as of a revision.</summary>
    void Scan<TVisitor>(in KeyRange range, long atRevision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct;

    /// <summary>
    /// Visits every stored row with a revision up to the view's, by key, then rising revision, tombstones included (for
    /// snapshots).
    /// </summary>
    void ScanAll<TVisitor>(ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct;

    /// <summary>
    /// Visits every stored row of a range with a revision from <paramref name="fromRevision"/> up to the view's, by
    /// key, then rising revision, tombstones included (for watchers that catch up).
    /// </summary>
    /// <param name="fromRevision">At least the compacted revision, or rows are missing.</param>
    void ScanHistory<TVisitor>(in KeyRange range, long fromRevision, ref TVisitor visitor)
        where TVisitor : IRowVisitor, allows ref struct;
}

/// <summary>Receives rows.</summary>
public interface IRowVisitor
{
    /// <returns>False to stop.</returns>
    bool Visit(in Row row);
}

/// <summary>
/// A version of the whole key space: the number of the command, and the number of the write inside it (etcd's main and
/// sub).
/// </summary>
public readonly record struct Revision(long Main, int Sub) : IComparable<Revision>
{
    public int CompareTo(Revision other)
    {
        var main = Main.CompareTo(other.Main);
        return main != 0 ? main : Sub.CompareTo(other.Sub);
    }
}

/// <summary>What is known about one version of a key (etcd's KeyValue).</summary>
/// <param name="Mod">Revision of this version.</param>
/// <param name="CreateRevision">Revision (main) of the first version since the key last did not exist.</param>
/// <param name="Version">1 for the first version, one more for each.</param>
/// <param name="Lease">0 for none.</param>
/// <param name="IsTombstone">The key was deleted at <paramref name="Mod"/>; the value is empty.</param>
public readonly record struct RowHeader(Revision Mod, long CreateRevision, long Version, long Lease, bool IsTombstone);

/// <summary>One version of a key; spans point into the engine.</summary>
public readonly ref struct Row(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, RowHeader header)
{
    public ReadOnlySpan<byte> Key { get; } = key;

    public ReadOnlySpan<byte> Value { get; } = value;

    public RowHeader Header { get; } = header;
}

/// <summary>Keys from <see cref="Start"/> (included) to <see cref="End"/> (excluded).</summary>
public readonly ref struct KeyRange
{
    private KeyRange(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end, bool isUnbounded)
    {
        Start = start;
        End = end;
        IsUnbounded = isUnbounded;
    }

    public ReadOnlySpan<byte> Start { get; }

    /// <summary>Meaningless when <see cref="IsUnbounded"/>.</summary>
    public ReadOnlySpan<byte> End { get; }

    /// <summary>There is no end: every key from <see cref="Start"/> on.</summary>
    public bool IsUnbounded { get; }

    public static KeyRange Between(ReadOnlySpan<byte> start, ReadOnlySpan<byte> end) => new(start, end, false);

    public static KeyRange From(ReadOnlySpan<byte> start) => new(start, default, true);

    /// <summary>Whether <paramref name="key"/>, which is at or after <see cref="Start"/>, is past the end.</summary>
    public bool EndsBefore(ReadOnlySpan<byte> key) => !IsUnbounded && key.SequenceCompareTo(End) >= 0;
}

/// <summary>Stored bytes of an engine are damaged.</summary>
public sealed class EngineCorruptException(string message) : Exception(message);
