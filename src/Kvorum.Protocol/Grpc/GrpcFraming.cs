using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;

namespace Kvorum.Protocol.Grpc;

/// <summary>
/// Messages on a gRPC stream (gRPC over HTTP/2, "Length-Prefixed-Message"): a byte that is 1 for a compressed message,
/// the length as four bytes, most significant first, then the message.
/// </summary>
public static class GrpcFraming
{
    /// <summary>Bytes before each message.</summary>
    public const int HeaderBytes = 5;

    /// <summary>Takes the next message off the front of what has been received.</summary>
    /// <param name="received">What has been received; without the message afterwards.</param>
    /// <param name="messageBytesMax">The largest message accepted, in bytes.</param>
    /// <param name="message">The message without its header; valid as long as what it was cut from.</param>
    /// <returns>False when there is no whole message yet; nothing is taken then.</returns>
    /// <exception cref="GrpcException">
    /// ResourceExhausted: the length is above the limit. Unimplemented: the message is compressed. Internal: the
    /// first byte is neither 0 nor 1. The stream cannot go on after any of them.
    /// </exception>
    public static bool TryTake(
        ref ReadOnlySequence<byte> received, int messageBytesMax, out ReadOnlySequence<byte> message)
    {
        message = default;
        if (received.Length < HeaderBytes)
        {
            return false;
        }

        Span<byte> header = stackalloc byte[HeaderBytes];
        received.Slice(0, HeaderBytes).CopyTo(header);
        if (header[0] != 0)
        {
            throw header[0] == 1
                ? new GrpcException(
                    GrpcStatusCode.Unimplemented,
                    "Message: expected one that is not compressed, found a compressed one.")
                : new GrpcException(
                    GrpcStatusCode.Internal, $"Message: expected 0 or 1 as its first byte, found {header[0]}.");
        }

        var length = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (length > messageBytesMax)
        {
            throw new GrpcException(
                GrpcStatusCode.ResourceExhausted,
                $"Message: expected at most {messageBytesMax} bytes, found one of {length}.");
        }

        if (received.Length < HeaderBytes + length)
        {
            return false;
        }

        message = received.Slice(HeaderBytes, length);
        received = received.Slice(HeaderBytes + length);
        return true;
    }

    /// <summary>Reads a message's fields.</summary>
    /// <exception cref="GrpcException">Internal: the bytes are no such message.</exception>
    public static TMessage Parse<TMessage>(MessageParser<TMessage> parser, in ReadOnlySequence<byte> message)
        where TMessage : IMessage<TMessage>
    {
        try
        {
            return parser.ParseFrom(message);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new GrpcException(
                GrpcStatusCode.Internal, $"grpc: failed to unmarshal the received message: {e.Message}", e);
        }
    }

    /// <summary>Writes a message with its header; does not flush.</summary>
    public static void Write(IBufferWriter<byte> output, IMessage message)
    {
        var size = message.CalculateSize();
        var header = output.GetSpan(HeaderBytes);
        header[0] = 0;
        BinaryPrimitives.WriteUInt32BigEndian(header[1..], (uint)size);
        output.Advance(HeaderBytes);
        message.WriteTo(output);
    }
}
