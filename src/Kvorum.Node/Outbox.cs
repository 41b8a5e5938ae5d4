using System.Buffers;
using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// Encodes messages and gives them to the transport. One per thread that sends: it reuses one buffer.
/// </summary>
internal sealed class Outbox(ITransport transport)
{
    private readonly ArrayBufferWriter<byte> _frame = new(64 * 1024);

    public void Send(Message message)
    {
        _frame.ResetWrittenCount();
        MessageCodec.Encode(message, _frame);
        Invariant.Holds(_frame.WrittenCount <= PeerGate.FrameBytesMax, "A message fits a frame.");
        transport.Send(message.To.Value, _frame.WrittenSpan);
    }

    public void Send(IReadOnlyList<Message> messages)
    {
        for (var i = 0; i < messages.Count; i++)
        {
            Send(messages[i]);
        }
    }
}
