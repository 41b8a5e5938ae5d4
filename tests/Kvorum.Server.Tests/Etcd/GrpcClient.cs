using System.IO.Pipelines;
using System.Net;
using Google.Protobuf;
using Kvorum.Protocol.Grpc;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>A gRPC client of its own, over the framework's HTTP/2: what it sends is known to the byte.</summary>
internal sealed class GrpcClient(Uri server) : IDisposable
{
    private const int AnswerBytesMax = 256 << 20;

    private readonly HttpClient _http = new(new SocketsHttpHandler { EnableMultipleHttp2Connections = true })
    {
        BaseAddress = server,
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Timeout = Timeout.InfiniteTimeSpan,
    };

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <exception cref="GrpcException">The call did not end with status 0.</exception>
    public async Task<TResponse> UnaryAsync<TRequest, TResponse>(
        string path, TRequest request, MessageParser<TResponse> parser, params (string Name, string Value)[] metadata)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        using var call = await OpenAsync(path, parser, metadata);
        await call.WriteAsync(request);
        call.EndRequests();
        var response = await call.ReadAsync();
        return response is not null && await call.ReadAsync() is null
            ? response
            : throw new InvalidDataException("Expected one message.");
    }

    /// <summary>Opens a stream of messages both ways; the response's headers come with the first one.</summary>
    public Task<GrpcStream<TResponse>> OpenAsync<TResponse>(
        string path, MessageParser<TResponse> parser, params (string Name, string Value)[] metadata)
        where TResponse : class, IMessage<TResponse>
    {
        var body = new PushContent();
        var message = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = body,
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        message.Headers.TryAddWithoutValidation("te", "trailers");
        foreach (var (name, value) in metadata)
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        var abort = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var response = _http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, abort.Token);
        return Task.FromResult(new GrpcStream<TResponse>(response, body, parser, AnswerBytesMax, abort));
    }

    public void Dispose() => _http.Dispose();
}

/// <summary>A body that is written as the call goes on.</summary>
internal sealed class PushContent : HttpContent
{
    private readonly Pipe _pipe = new();

    public PushContent() => Headers.TryAddWithoutValidation("Content-Type", "application/grpc");

    public PipeWriter Writer => _pipe.Writer;

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        await stream.FlushAsync(); // So that the headers leave before the first message.
        while (true)
        {
            var read = await _pipe.Reader.ReadAsync();
            foreach (var part in read.Buffer)
            {
                await stream.WriteAsync(part);
            }

            await stream.FlushAsync();
            _pipe.Reader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted)
            {
                return;
            }
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}

/// <summary>A call under way.</summary>
internal sealed class GrpcStream<TResponse>(
    Task<HttpResponseMessage> answer, PushContent body, MessageParser<TResponse> parser, int answerBytesMax,
    CancellationTokenSource abort)
    : IDisposable
    where TResponse : class, IMessage<TResponse>
{
    private PipeReader? _input;

    public async Task WriteAsync(IMessage message)
    {
        GrpcFraming.Write(body.Writer, message);
        await body.Writer.FlushAsync(GrpcClient.Cancel);
    }

    public async Task WriteRawAsync(byte[] bytes) => await body.Writer.WriteAsync(bytes, GrpcClient.Cancel);

    /// <summary>The caller gives up.</summary>
    public void Abort() => abort.Cancel();

    public void EndRequests() => body.Writer.Complete();

    /// <summary>The next message; null at an end with status 0.</summary>
    /// <exception cref="GrpcException">The call ended with another status.</exception>
    public async Task<TResponse?> ReadAsync()
    {
        var response = await answer.WaitAsync(Peers.TestNode.Patience, GrpcClient.Cancel);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        _input ??= PipeReader.Create(await response.Content.ReadAsStreamAsync(GrpcClient.Cancel));
        while (true)
        {
            var read = await _input.ReadAsync(GrpcClient.Cancel).AsTask().WaitAsync(Peers.TestNode.Patience);
            var rest = read.Buffer;
            if (GrpcFraming.TryTake(ref rest, answerBytesMax, out var message))
            {
                var parsed = parser.ParseFrom(message);
                _input.AdvanceTo(rest.Start);
                return parsed;
            }

            _input.AdvanceTo(rest.Start, rest.End);
            if (read.IsCompleted)
            {
                Assert.True(rest.IsEmpty, "The stream ended in the middle of a message.");
                Check(response);
                return null;
            }
        }
    }

    /// <summary>The next message that is one.</summary>
    public async Task<TResponse> NextAsync() =>
        await ReadAsync() ?? throw new InvalidDataException("Expected a message, found the end of the stream.");

    public void Dispose()
    {
        body.Writer.Complete(new OperationCanceledException());
        if (answer.IsCompletedSuccessfully)
        {
            answer.Result.Dispose();
        }

        abort.Cancel();
        abort.Dispose();
    }

    private static void Check(HttpResponseMessage response)
    {
        var status = Header(response, GrpcText.StatusHeader)
            ?? throw new InvalidDataException("Expected a grpc-status, found none.");
        if (status != "0")
        {
            throw new GrpcException(
                (GrpcStatusCode)int.Parse(status, null),
                Uri.UnescapeDataString(Header(response, GrpcText.MessageHeader) ?? ""));
        }
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.TrailingHeaders.TryGetValues(name, out var values) || response.Headers.TryGetValues(name, out values)
            ? values.Single()
            : null;
}
