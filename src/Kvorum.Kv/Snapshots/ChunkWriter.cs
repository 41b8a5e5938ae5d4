using System.Buffers.Binary;

namespace Kvorum.Kv;

/// <summary>Gathers little-endian fields in one buffer that is used again, and hands it on when it is full.</summary>
internal sealed class ChunkWriter(ByteSink sink)
{
    private readonly byte[] _buffer = new byte[SnapshotFormat.ChunkBytes];
    private int _used;

    public void U8(byte value) => Room(1)[0] = value;

    public void U16(int value) => BinaryPrimitives.WriteUInt16LittleEndian(Room(2), checked((ushort)value));

    public void U32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Room(4), value);

    public void U64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Room(8), value);

    public void I64(long value) => U64((ulong)value);

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > _buffer.Length - _used)
        {
            var room = _buffer.Length - _used;
            bytes[..room].CopyTo(_buffer.AsSpan(_used));
            _used += room;
            bytes = bytes[room..];
            Flush();
        }

        bytes.CopyTo(_buffer.AsSpan(_used));
        _used += bytes.Length;
    }

    /// <summary>Hands on what is gathered.</summary>
    public void Flush()
    {
        sink(_buffer.AsSpan(0, _used));
        _used = 0;
    }

    private Span<byte> Room(int length)
    {
        if (length > _buffer.Length - _used)
        {
            Flush();
        }

        var room = _buffer.AsSpan(_used, length);
        _used += length;
        return room;
    }
}
