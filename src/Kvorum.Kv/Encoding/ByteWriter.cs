using System.Buffers.Binary;

namespace Kvorum.Kv;

/// <summary>Writes little-endian fields into a span of known size.</summary>
internal ref struct ByteWriter(Span<byte> output)
{
    private readonly Span<byte> _output = output;

    public int Position { get; private set; }

    public void U8(byte value) => _output[Position++] = value;

    public void U16(int value)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(value, ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(_output[Position..], (ushort)value);
        Position += 2;
    }

    public void Length(int value)
    {
        BinaryPrimitives.WriteInt32LittleEndian(_output[Position..], value);
        Position += 4;
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_output[Position..], value);
        Position += 8;
    }

    public void I64(long value) => U64((ulong)value);

    public void Bytes(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_output[Position..]);
        Position += bytes.Length;
    }
}
