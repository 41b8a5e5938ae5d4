using System.Buffers.Binary;

namespace Kvorum.Kv;

/// <summary>
/// Reads little-endian fields. A field that is not there or out of bounds marks the reader as failed and reads as zero
/// or empty, so that a decoder checks once, at the end, and never throws.
/// </summary>
internal ref struct ByteReader(ReadOnlyMemory<byte> input)
{
    private readonly ReadOnlyMemory<byte> _memory = input;
    private readonly ReadOnlySpan<byte> _span = input.Span;
    private int _position;

    public bool IsFailed { get; private set; }

    /// <summary>Everything was read and nothing failed.</summary>
    public readonly bool IsComplete => !IsFailed && _position == _span.Length;

    public readonly int Remaining => _span.Length - _position;

    /// <summary>What was not read yet; does not move.</summary>
    public readonly ReadOnlySpan<byte> Rest => _span[_position..];

    public byte U8() => Take(1) is { Length: 1 } bytes ? bytes[0] : (byte)0;

    /// <summary>A byte that is an enumeration's number: fails above the largest one known.</summary>
    public byte U8AtMost(byte max)
    {
        var value = U8();
        if (value > max)
        {
            Fail();
            return 0;
        }

        return value;
    }

    public int U16() => Take(2) is { Length: 2 } bytes ? BinaryPrimitives.ReadUInt16LittleEndian(bytes) : 0;

    public ulong U64() => Take(8) is { Length: 8 } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    public long I64() => (long)U64();

    /// <summary>A 32-bit length: fails above <paramref name="max"/>.</summary>
    public int Length(int max)
    {
        var value = Take(4) is { Length: 4 } bytes ? BinaryPrimitives.ReadUInt32LittleEndian(bytes) : 0;
        if (value > (uint)max)
        {
            Fail();
            return 0;
        }

        return (int)value;
    }

    /// <summary>
    /// A 16-bit count of things of at least <paramref name="bytesMin"/> each: fails above <paramref name="max"/>, and
    /// when so many cannot be there.
    /// </summary>
    public int Count(int max, int bytesMin)
    {
        var count = U16();
        if (count > max || (long)count * bytesMin > Remaining)
        {
            Fail();
            return 0;
        }

        return count;
    }

    public ReadOnlySpan<byte> Span(int length) => Take(length);

    public ReadOnlyMemory<byte> Memory(int length)
    {
        var start = _position;
        return Take(length).Length == length ? _memory.Slice(start, length) : default;
    }

    public void Fail() => IsFailed = true;

    private ReadOnlySpan<byte> Take(int length)
    {
        if (IsFailed || length > _span.Length - _position)
        {
            IsFailed = true;
            return default;
        }

        var bytes = _span.Slice(_position, length);
        _position += length;
        return bytes;
    }
}
