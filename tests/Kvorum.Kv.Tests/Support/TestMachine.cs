using System.Text;
using Kvorum.Raft;

namespace Kvorum.Kv.Tests;

/// <summary>
/// A state machine with a log: encodes commands, applies them at the next index and remembers the entries.
/// </summary>
internal sealed class TestMachine : IDisposable
{
    public TestMachine(KvOptions? options = null, IEngine? engine = null)
    {
        Engine = engine ?? new OracleEngine();
        Options = options ?? new KvOptions();
        Machine = new KvMachine(Engine, Options);
    }

    public IEngine Engine { get; }

    public KvOptions Options { get; }

    public KvMachine Machine { get; }

    public List<LogEntry> Log { get; } = [];

    /// <summary>The term of every entry.</summary>
    public ulong Term => 1;

    public static byte[] Encode(Command command)
    {
        var bytes = new byte[CommandCodec.Size(command)];
        CommandCodec.Encode(command, bytes);
        return bytes;
    }

    public CommandResult Apply(Command command) => Apply(EntryKind.Command, Encode(command));

    public CommandResult Apply(EntryKind kind, byte[] payload)
    {
        var entry = new LogEntry(new EntryId(new Term(1), Machine.Applied.Next), kind, payload);
        var result = Machine.Apply(entry);
        Log.Add(entry);
        return result;
    }

    public CommandResult Put(string key, string value, SessionStamp? session = null) =>
        Apply(new Put(Bytes(key), Bytes(value)) { Session = session });

    public CommandResult Append(string key, string item) => Apply(new Append(Bytes(key), Bytes(item)));

    public CommandResult Delete(string key, string rangeEnd = "") =>
        Apply(new DeleteRange(Bytes(key), Bytes(rangeEnd)));

    public RangeResult Query(RangeQuery query)
    {
        Machine.Publish();
        using var view = Engine.OpenView();
        return query.Execute(view);
    }

    /// <summary>The value of a key as text; null when there is no such key.</summary>
    public string? Get(string key, long atRevision = 0) => Row(key, atRevision) is { } row ? Text(row.Value) : null;

    public KeyValue? Row(string key, long atRevision = 0) =>
        Query(new RangeQuery(Bytes(key), default) { AtRevision = atRevision }).Rows.SingleOrDefault();

    public byte[] Snapshot()
    {
        using var capture = Machine.Capture();
        return Snapshot(capture);
    }

    public static byte[] Snapshot(KvCapture capture)
    {
        var bytes = new List<byte>();
        capture.WriteTo(chunk => bytes.AddRange(chunk));
        return [.. bytes];
    }

    public void Dispose() => Engine.Dispose();

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public static string Text(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    /// <summary>A source that hands out at most <paramref name="chunk"/> bytes at a time.</summary>
    public static ByteSource Source(byte[] bytes, int chunk = int.MaxValue)
    {
        var position = 0;
        return buffer =>
        {
            var length = Math.Min(Math.Min(chunk, buffer.Length), bytes.Length - position);
            bytes.AsSpan(position, length).CopyTo(buffer);
            position += length;
            return length;
        };
    }
}
