using Google.Protobuf.Reflection;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using Kvorum.Protocol.Health;
using Kvorum.Protocol.Reflection;

namespace Kvorum.Server.Grpc;

/// <summary>
/// The gRPC project's reflection service, under its present and its older name: tells tools which services there are,
/// and what their messages look like.
/// </summary>
internal sealed class ReflectionService(IReadOnlyCollection<string> services)
{
    private static readonly string[] Names =
        ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

    private static readonly FileDescriptor[] Files =
    [
        .. All(
        [
            RpcReflection.Descriptor, LockReflection.Descriptor, ElectionReflection.Descriptor,
            HealthReflection.Descriptor, ReflectionReflection.Descriptor,
        ]).Distinct(),
    ];

    public IEnumerable<GrpcMethod> Methods() => Names.Select(name =>
        GrpcMethod.Stream<ServerReflectionRequest, ServerReflectionResponse>(
            name, "ServerReflectionInfo", ServerReflectionRequest.Parser, AnswerAsync));

    private async Task AnswerAsync(
        MessageReader<ServerReflectionRequest> requests, MessageWriter<ServerReflectionResponse> responses,
        GrpcCall call)
    {
        while (await requests.ReadAsync(call.Cancel).ConfigureAwait(false) is { } request)
        {
            var response = Answer(request);
            response.ValidHost = request.Host;
            response.OriginalRequest = request;
            responses.Add(response);
            await responses.FlushAsync(call.Cancel).ConfigureAwait(false);
        }
    }

    private ServerReflectionResponse Answer(ServerReflectionRequest request)
    {
        switch (request.MessageRequestCase)
        {
            case ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                var list = new ListServiceResponse();
                list.Service.AddRange(services.Concat(Names).Select(name => new ServiceResponse { Name = name }));
                return new ServerReflectionResponse { ListServicesResponse = list };
            case ServerReflectionRequest.MessageRequestOneofCase.FileByFilename:
                return File(Array.Find(Files, file => file.Name == request.FileByFilename), request.FileByFilename);
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol:
                var symbol = request.FileContainingSymbol;
                return File(Array.Find(Files, file => Symbols(file).Contains(symbol)), symbol);
            default:
                return Failure(GrpcStatusCode.Unimplemented, "There are no extensions.");
        }
    }

    /// <summary>The file, and all it builds on, so that one question is enough.</summary>
    private static ServerReflectionResponse File(FileDescriptor? file, string asked)
    {
        if (file is null)
        {
            return Failure(GrpcStatusCode.NotFound, $"Expected a file or symbol of this server, found {asked}.");
        }

        var found = new FileDescriptorResponse();
        found.FileDescriptorProto.AddRange(All([file]).Distinct().Select(part => part.SerializedData));
        return new ServerReflectionResponse { FileDescriptorResponse = found };
    }

    private static ServerReflectionResponse Failure(GrpcStatusCode code, string text) =>
        new() { ErrorResponse = new ErrorResponse { ErrorCode = (int)code, ErrorMessage = text } };

    private static IEnumerable<FileDescriptor> All(IEnumerable<FileDescriptor> files) =>
        files.SelectMany(file => All(file.Dependencies).Prepend(file));

    private static IEnumerable<string> Symbols(FileDescriptor file) =>
        file.Services.SelectMany(service => service.Methods.Select(method => method.FullName).Prepend(service.FullName))
            .Concat(file.EnumTypes.Select(type => type.FullName))
            .Concat(file.MessageTypes.SelectMany(Symbols));

    private static IEnumerable<string> Symbols(MessageDescriptor type) =>
        type.NestedTypes.SelectMany(Symbols).Concat(type.EnumTypes.Select(nested => nested.FullName))
            .Prepend(type.FullName);
}
