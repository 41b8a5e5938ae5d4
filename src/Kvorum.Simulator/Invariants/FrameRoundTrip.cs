using System.Buffers;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>R13: a decoded frame encodes to the same bytes again. Checked on one frame in eight.</summary>
internal sealed class FrameRoundTrip
{
    private const int Every = 8;

    private readonly ArrayBufferWriter<byte> _buffer = new();
    private int _frames;

    public string? Sent(int from, Message message, ReadOnlySpan<byte> frame)
    {
        if (_frames++ % Every != 0)
        {
            return null;
        }

        _buffer.ResetWrittenCount();
        MessageCodec.Encode(message, _buffer);
        return _buffer.WrittenSpan.SequenceEqual(frame)
            ? null
            : $"Node {from} sent a {message.GetType().Name} that decodes and encodes to other bytes.";
    }
}
