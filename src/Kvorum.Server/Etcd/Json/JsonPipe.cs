using System.Buffers;
using System.IO.Pipelines;
using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Etcd.Json;

/// <summary>Messages as JSON: one object in a body, or, in a stream, one after the other.</summary>
internal sealed class JsonPipe(HttpContext http, bool isStream) : MessagePipe
{
    /// <summary>Answers are JSON, not part of a page: quotes and the like stand as they are.</summary>
    public static readonly JsonWriterOptions WriterOptions =
        new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private const int DepthMax = 64;

    private readonly PipeReader _input = http.Request.BodyReader;
    private readonly PipeWriter _output = http.Response.BodyWriter;

    public override async ValueTask<TRequest?> ReadAsync<TRequest>(
        MessageParser<TRequest> parser, CancellationToken cancel)
        where TRequest : class
    {
        while (true)
        {
            var read = await _input.ReadAsync(cancel).ConfigureAwait(false);
            TRequest? request;
            SequencePosition consumed;
            try
            {
                request = Take(read, parser, out consumed);
            }
            catch (GrpcException)
            {
                _input.AdvanceTo(read.Buffer.End); // Or the connection could not go on with the next request.
                throw;
            }

            _input.AdvanceTo(consumed, request is null ? read.Buffer.End : consumed);
            if (request is not null || read.IsCompleted)
            {
                return request;
            }
        }
    }

    /// <summary>A body that is missing or empty stands for an empty object.</summary>
    public override async ValueTask<TRequest> ReadOnlyAsync<TRequest>(MessageParser<TRequest> parser)
    {
        var request = await ReadAsync(parser, http.RequestAborted).ConfigureAwait(false);
        return request ?? parser.ParseFrom(ByteString.Empty);
    }

    public override void Add(IMessage message)
    {
        using (var json = new Utf8JsonWriter((IBufferWriter<byte>)_output, WriterOptions))
        {
            if (isStream)
            {
                json.WriteStartObject();
                json.WritePropertyName("result"u8);
            }

            MessageJsonWriter.Write(json, message);
            if (isStream)
            {
                json.WriteEndObject();
            }
        }

        if (isStream)
        {
            _output.Write("\n"u8);
        }
    }

    public override async ValueTask FlushAsync(CancellationToken cancel)
    {
        var flushed = await _output.FlushAsync(cancel).ConfigureAwait(false);
        if (flushed.IsCompleted)
        {
            throw new OperationCanceledException("The caller reads no more.", cancel);
        }
    }

    private static TRequest? Take<TRequest>(
        in ReadResult read, MessageParser<TRequest> parser, out SequencePosition consumed)
        where TRequest : class, IMessage<TRequest>
    {
        if (read.Buffer.Length > GrpcLimits.JsonBytesMax)
        {
            throw EtcdErrors.RequestTooLarge();
        }

        if (!TryTake(read, out var document, out consumed) || document is null)
        {
            return null;
        }

        using (document)
        {
            var request = parser.ParseFrom(ByteString.Empty);
            MessageJsonReader.Read(document.RootElement, request);
            return request;
        }
    }

    private static bool TryTake(in ReadResult read, out JsonDocument? document, out SequencePosition consumed)
    {
        document = null;
        consumed = read.Buffer.Start;
        var reader = new Utf8JsonReader(
            read.Buffer,
            read.IsCompleted,
            new JsonReaderState(new JsonReaderOptions { AllowMultipleValues = true, MaxDepth = DepthMax }));
        try
        {
            if (IsBlank(read.Buffer) || !JsonDocument.TryParseValue(ref reader, out document))
            {
                return false;
            }
        }
        catch (JsonException e)
        {
            throw new GrpcException(
                GrpcStatusCode.InvalidArgument, $"Body: expected JSON, found something else: {e.Message}", e);
        }

        consumed = reader.Position;
        return true;
    }

    private static bool IsBlank(in ReadOnlySequence<byte> bytes)
    {
        foreach (var part in bytes)
        {
            if (part.Span.ContainsAnyExcept(" \t\r\n"u8))
            {
                return false;
            }
        }

        return true;
    }
}
