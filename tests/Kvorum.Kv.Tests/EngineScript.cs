using System.Text;
using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>
/// Writes to an engine as the state machine does, and shows what is in it as text: keys and values are Latin-1.
/// </summary>
internal sealed class EngineScript(IEngine engine) : IDisposable
{
    private const int MaintenanceCallsMax = 1_000_000;

    private int _sub;

    public IEngine Engine => engine;

    /// <summary>The main revision of the last write, published or not.</summary>
    public long Revision { get; private set; } = engine.Revision;

    public ulong Applied { get; private set; } = engine.Applied.Value;

    public static byte[] Bytes(string text) => Encoding.Latin1.GetBytes(text);

    /// <summary>Stages one write with a revision of its own.</summary>
    public long Put(string key, string value, long lease = 0)
    {
        Revision++;
        _sub = 0;
        return PutMore(key, value, lease);
    }

    /// <summary>Stages one more write in the revision of the last.</summary>
    public long PutMore(string key, string value, long lease = 0)
    {
        var isOld = engine.TryGetNewest(Bytes(key), out var row);
        var header = isOld
            ? new RowHeader(NextInside(), row.Header.CreateRevision, row.Header.Version + 1, lease, false)
            : new RowHeader(NextInside(), Revision, 1, lease, false);
        engine.Put(Bytes(key), Bytes(value), header);
        return Revision;
    }

    public long Delete(string key)
    {
        Revision++;
        _sub = 0;
        return DeleteMore(key);
    }

    public long DeleteMore(string key)
    {
        engine.Delete(Bytes(key), NextInside());
        return Revision;
    }

    public void Publish() => engine.Publish(new LogIndex(++Applied), Revision);

    public void Compact(long revision)
    {
        engine.Compact(revision);
        Publish();
        Maintain();
    }

    public void Maintain()
    {
        var calls = 0;
        while (engine.DoMaintenance())
        {
            Assert.True(++calls < MaintenanceCallsMax, "Maintenance comes to an end.");
        }
    }

    /// <summary>Publishes, and shows what a new view sees.</summary>
    public string Show()
    {
        Publish();
        using var view = engine.OpenView();
        return Show(view);
    }

    public string ShowAll()
    {
        Publish();
        using var view = engine.OpenView();
        return ShowAll(view);
    }

    public static string Show(IEngineView view) => Show(view, view.Revision);

    public static string Show(IEngineView view, long revision) => Show(view, KeyRange.From(default), revision);

    public static string Show(IEngineView view, KeyRange range, long revision)
    {
        var collector = new RowCollector();
        view.Scan(range, revision, ref collector);
        return string.Join(' ', collector.Rows.Select(row => $"{Text(row.Key)}={Text(row.Value)}"));
    }

    public static string ShowAll(IEngineView view)
    {
        var collector = new RowCollector();
        view.ScanAll(ref collector);
        return string.Join(' ', collector.Rows.Select(
            row => $"{Text(row.Key)}@{row.Header.Mod.Main}{(row.Header.IsTombstone ? "-" : "=" + Text(row.Value))}"));
    }

    /// <summary>The value of a key at a revision, "-" when there is none.</summary>
    public static string Get(IEngineView view, string key, long revision) =>
        view.TryGet(Bytes(key), revision, out var row) ? Text(row.Value) : "-";

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.Latin1.GetString(bytes);

    public void Dispose() => engine.Dispose();

    private Revision NextInside() => new(Revision, _sub++);
}
