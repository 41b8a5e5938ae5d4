namespace Kvorum.Protocol.Grpc;

/// <summary>A call that did not end well: thrown by services, and by the client when it hears of it.</summary>
public sealed class GrpcException(GrpcStatusCode code, string detail, Exception? inner = null)
    : Exception(detail, inner)
{
    public GrpcStatusCode Code { get; } = code;

    /// <summary>What stands in <c>grpc-message</c>; clients may match it.</summary>
    public string Detail => Message;
}
