using Google.Protobuf;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Grpc;

/// <summary>A method of a service, to be called as gRPC or as JSON.</summary>
internal abstract class GrpcMethod(string service, string name)
{
    public string Service { get; } = service;

    public string Name { get; } = name;

    /// <summary>The path of its requests.</summary>
    public string Path { get; } = $"/{service}/{name}";

    /// <summary>It may send more than one message, at any time.</summary>
    public abstract bool IsStreaming { get; }

    /// <summary>What kind of call it is, as the metrics of gRPC's own libraries name them.</summary>
    public abstract string Kind { get; }

    /// <summary>It may take longer than a request does: it ends when the server stops.</summary>
    public virtual bool MayLast => IsStreaming;

    /// <summary>One message in, one out.</summary>
    public static GrpcMethod Unary<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> parser,
        Func<TRequest, GrpcCall, ValueTask<TResponse>> handle, bool mayLast = false)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new UnaryMethod<TRequest, TResponse>(service, name, parser, handle, mayLast);

    /// <summary>Messages in and out as both sides like.</summary>
    public static GrpcMethod Stream<TRequest, TResponse>(
        string service, string name, MessageParser<TRequest> parser,
        Func<MessageReader<TRequest>, MessageWriter<TResponse>, GrpcCall, Task> handle, bool hasOneRequest = false)
        where TRequest : class, IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new StreamMethod<TRequest, TResponse>(service, name, parser, handle, hasOneRequest);

    /// <summary>Runs a call. Failures are thrown; the host makes a status of them.</summary>
    public abstract Task RunAsync(HttpContext http, GrpcCall call, MessagePipe pipe);
}

/// <summary>One message in, one out.</summary>
internal sealed class UnaryMethod<TRequest, TResponse>(
    string service, string name, MessageParser<TRequest> parser,
    Func<TRequest, GrpcCall, ValueTask<TResponse>> handle, bool mayLast)
    : GrpcMethod(service, name)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override bool IsStreaming => false;

    public override bool MayLast => mayLast;

    public override string Kind => "unary";

    public override async Task RunAsync(HttpContext http, GrpcCall call, MessagePipe pipe)
    {
        var request = await pipe.ReadOnlyAsync(parser).ConfigureAwait(false);
        var response = await handle(request, call).ConfigureAwait(false);
        pipe.Add(response);
    }
}

/// <summary>
/// Messages in and out as both sides like. The service reads through <see cref="MessageReader{T}"/> and writes
/// through the pipe; when it returns, the stream ends well.
/// </summary>
internal sealed class StreamMethod<TRequest, TResponse>(
    string service, string name, MessageParser<TRequest> parser,
    Func<MessageReader<TRequest>, MessageWriter<TResponse>, GrpcCall, Task> handle, bool hasOneRequest)
    : GrpcMethod(service, name)
    where TRequest : class, IMessage<TRequest>
    where TResponse : class, IMessage<TResponse>
{
    public override bool IsStreaming => true;

    public override string Kind => hasOneRequest ? "server_stream" : "bidi_stream";

    public override Task RunAsync(HttpContext http, GrpcCall call, MessagePipe pipe) =>
        handle(new MessageReader<TRequest>(pipe, parser), new MessageWriter<TResponse>(pipe), call);
}

/// <summary>The messages a caller sends, one after the other.</summary>
internal readonly struct MessageReader<TRequest>(MessagePipe pipe, MessageParser<TRequest> parser)
    where TRequest : class, IMessage<TRequest>
{
    /// <summary>The next one; null when the caller sends no more.</summary>
    public ValueTask<TRequest?> ReadAsync(CancellationToken cancel) => pipe.ReadAsync(parser, cancel);

    /// <summary>The one and only message of a call that answers with a stream.</summary>
    public ValueTask<TRequest> ReadOnlyAsync() => pipe.ReadOnlyAsync(parser);
}

/// <summary>The messages a caller is sent. One writer at a time.</summary>
internal readonly struct MessageWriter<TResponse>(MessagePipe pipe)
    where TResponse : class, IMessage<TResponse>
{
    /// <summary>Puts a message into the buffer; it leaves with the next flush.</summary>
    public void Add(TResponse message) => pipe.Add(message);

    /// <summary>Sends what was added; waits while the caller does not read.</summary>
    public ValueTask FlushAsync(CancellationToken cancel) => pipe.FlushAsync(cancel);
}
