namespace Kvorum.Kv;

/// <summary>Bytes that are used again for each list an append builds; grows to the largest one.</summary>
internal sealed class ListBuffer
{
    private byte[] _bytes = [];

    /// <summary>At least <paramref name="length"/> bytes, valid until the next call.</summary>
    public Span<byte> Take(int length)
    {
        if (_bytes.Length < length)
        {
            _bytes = new byte[Math.Max(length, Math.Min(2 * _bytes.Length, KvLimits.ValueBytesMax))];
        }

        return _bytes.AsSpan(0, length);
    }
}
