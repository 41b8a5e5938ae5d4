using System.IO.Pipelines;
using Google.Protobuf;
using Kvorum.Protocol.Grpc;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Grpc;

/// <summary>Messages as gRPC frames on an HTTP/2 stream.</summary>
internal sealed class FramePipe(HttpContext http) : MessagePipe
{
    private readonly PipeReader _input = http.Request.BodyReader;
    private readonly PipeWriter _output = http.Response.BodyWriter;

    public override async ValueTask<TRequest?> ReadAsync<TRequest>(
        MessageParser<TRequest> parser, CancellationToken cancel)
        where TRequest : class
    {
        while (true)
        {
            var read = await _input.ReadAsync(cancel).ConfigureAwait(false);
            var rest = read.Buffer;
            if (GrpcFraming.TryTake(ref rest, GrpcLimits.MessageBytesMax, out var message))
            {
                var request = GrpcFraming.Parse(parser, message);
                _input.AdvanceTo(rest.Start);
                return request;
            }

            if (read.IsCompleted)
            {
                var isCut = !rest.IsEmpty;
                _input.AdvanceTo(rest.End);
                return isCut ? throw CutShort() : null;
            }

            _input.AdvanceTo(rest.Start, rest.End);
        }
    }

    public override async ValueTask<TRequest> ReadOnlyAsync<TRequest>(MessageParser<TRequest> parser)
    {
        TRequest? request = null;
        while (true)
        {
            var read = await _input.ReadAsync(http.RequestAborted).ConfigureAwait(false);
            var rest = read.Buffer;
            if (GrpcFraming.TryTake(ref rest, GrpcLimits.MessageBytesMax, out var message))
            {
                request = request is null
                    ? GrpcFraming.Parse(parser, message)
                    : throw new GrpcException(GrpcStatusCode.Internal, "Call: expected one message, found more.");
            }

            if (read.IsCompleted && rest.IsEmpty)
            {
                _input.AdvanceTo(rest.End);
                return request
                    ?? throw new GrpcException(GrpcStatusCode.Internal, "Call: expected one message, found none.");
            }

            if (read.IsCompleted)
            {
                throw CutShort();
            }

            // What is left may hold the next message already: look at it again only when more has come.
            _input.AdvanceTo(rest.Start, rest.End);
        }
    }

    public override void Add(IMessage message) => GrpcFraming.Write(_output, message);

    public override async ValueTask FlushAsync(CancellationToken cancel)
    {
        var flushed = await _output.FlushAsync(cancel).ConfigureAwait(false);
        if (flushed.IsCompleted)
        {
            throw new OperationCanceledException("The caller reads no more.", cancel);
        }
    }

    private static GrpcException CutShort() =>
        new(GrpcStatusCode.Internal, "Message: expected it whole, found the end of the stream in it.");
}
