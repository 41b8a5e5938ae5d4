using Google.Protobuf;

namespace Kvorum.Server.Grpc;

/// <summary>How a call's messages travel: as gRPC frames, or as JSON.</summary>
internal abstract class MessagePipe
{
    /// <summary>The next message; null at the end of the caller's stream.</summary>
    public abstract ValueTask<TRequest?> ReadAsync<TRequest>(
        MessageParser<TRequest> parser, CancellationToken cancel)
        where TRequest : class, IMessage<TRequest>;

    /// <summary>The only message of a call.</summary>
    public abstract ValueTask<TRequest> ReadOnlyAsync<TRequest>(MessageParser<TRequest> parser)
        where TRequest : class, IMessage<TRequest>;

    /// <summary>Puts a message into the buffer of what is to be sent.</summary>
    public abstract void Add(IMessage message);

    /// <summary>Sends what was added; waits while the caller does not read.</summary>
    public abstract ValueTask FlushAsync(CancellationToken cancel);
}
