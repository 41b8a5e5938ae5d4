using System.Buffers.Binary;
using Kvorum.Kv;
using Kvorum.Raft;

namespace Kvorum.Benchmarks;

/// <summary>Keys, values and entries of the size all figures are given for: 16-byte keys, 256-byte values.</summary>
internal static class Filler
{
    public const int KeyBytes = 16;
    public const int ValueBytes = 256;

    private static readonly byte[] Value = MakeValue();

    public static byte[] Key(int number)
    {
        var key = new byte[KeyBytes];
        "bench-"u8.CopyTo(key);
        BinaryPrimitives.WriteInt64BigEndian(key.AsSpan(KeyBytes - sizeof(long)), number);
        return key;
    }

    public static Put Put(int number) => new(Key(number), Value);

    public static byte[] Encoded(Command command)
    {
        var bytes = new byte[CommandCodec.Size(command)];
        CommandCodec.Encode(command, bytes);
        return bytes;
    }

    public static LogEntry[] Entries(int count, ulong firstIndex)
    {
        var payload = Encoded(Put(1));
        var entries = new LogEntry[count];
        for (var i = 0; i < count; i++)
        {
            var id = new EntryId(new Term(1), new LogIndex(firstIndex + (ulong)i));
            entries[i] = new LogEntry(id, EntryKind.Command, payload);
        }

        return entries;
    }

    private static byte[] MakeValue()
    {
        var value = new byte[ValueBytes];
        for (var i = 0; i < value.Length; i++)
        {
            value[i] = (byte)(i * 167);
        }

        return value;
    }
}
