using System.Buffers;
using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>
/// Cuts frames out of what a peer sent and hands them to the gate. One per connection, one thread at a time.
/// </summary>
internal sealed class FrameReader(ulong peer, PeerGate gate)
{
    private byte[] _shared = [];
    private int _sharedUsed;

    /// <summary>Delivers every whole frame at the front of <paramref name="input"/> and moves it behind them.</summary>
    /// <returns>Null to go on, else why the connection must be closed.</returns>
    public string? Deliver(ref ReadOnlySequence<byte> input)
    {
        Span<byte> header = stackalloc byte[PeerWire.FrameHeaderBytes];
        while (input.Length >= PeerWire.FrameHeaderBytes)
        {
            input.Slice(0, PeerWire.FrameHeaderBytes).CopyTo(header);
            if (!PeerWire.TryReadFrameHeader(header, out var length, out var checksum))
            {
                return $"a frame of {length} bytes where 1 to {PeerLimits.FrameBytesMax} were expected";
            }

            if (input.Length < PeerWire.FrameHeaderBytes + length)
            {
                return null;
            }

            var frame = Rent(length);
            input.Slice(PeerWire.FrameHeaderBytes, length).CopyTo(frame.Span);
            if (PeerWire.FrameChecksum(frame.Span) != checksum)
            {
                return $"a damaged frame of {length} bytes: its checksum does not match";
            }

            if (!gate.Receive(peer, frame))
            {
                return $"a frame of {length} bytes that is no message";
            }

            input = input.Slice(PeerWire.FrameHeaderBytes + length);
        }

        return null;
    }

    /// <summary>
    /// Memory the gate may keep: a slice of a shared array for a small frame, an array of its own for others.
    /// </summary>
    private Memory<byte> Rent(int length)
    {
        if (length > PeerLimits.SharedFrameBytesMax)
        {
            return GC.AllocateUninitializedArray<byte>(length);
        }

        if (_shared.Length - _sharedUsed < length)
        {
            _shared = GC.AllocateUninitializedArray<byte>(PeerLimits.SharedArrayBytes);
            _sharedUsed = 0;
        }

        var frame = _shared.AsMemory(_sharedUsed, length);
        _sharedUsed += length;
        return frame;
    }
}
