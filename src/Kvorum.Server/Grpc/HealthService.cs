using Kvorum.Protocol.Grpc;
using Kvorum.Protocol.Health;
using Status = Kvorum.Protocol.Health.HealthCheckResponse.Types.ServingStatus;

namespace Kvorum.Server.Grpc;

/// <summary>The gRPC project's health service: serving while the node runs and the server does not stop.</summary>
/// <remarks>Not whether there is a leader: a supervisor that restarts nodes without a quorum helps nobody.</remarks>
internal sealed class HealthService(ServerContext context, IReadOnlySet<string> services)
{
    private const string Name = "grpc.health.v1.Health";

    private readonly Readiness _readiness = new(context);

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "Check", HealthCheckRequest.Parser, Check),
        GrpcMethod.Stream<HealthCheckRequest, HealthCheckResponse>(
            Name, "Watch", HealthCheckRequest.Parser, WatchAsync, hasOneRequest: true),
    ];

    private ValueTask<HealthCheckResponse> Check(HealthCheckRequest request, GrpcCall call) =>
        IsKnown(request.Service)
            ? new ValueTask<HealthCheckResponse>(new HealthCheckResponse { Status = Current() })
            : throw new GrpcException(GrpcStatusCode.NotFound, "unknown service");

    /// <summary>Tells the status; it changes when the server stops, and the stream ends with it.</summary>
    private async Task WatchAsync(
        MessageReader<HealthCheckRequest> requests, MessageWriter<HealthCheckResponse> responses, GrpcCall call)
    {
        var request = await requests.ReadOnlyAsync().ConfigureAwait(false);
        responses.Add(new HealthCheckResponse
        {
            Status = IsKnown(request.Service) ? Current() : Status.ServiceUnknown,
        });
        await responses.FlushAsync(call.Cancel).ConfigureAwait(false);
        await Task.Delay(Timeout.InfiniteTimeSpan, context.Time, call.Cancel).ConfigureAwait(false);
    }

    private bool IsKnown(string service) => service.Length == 0 || services.Contains(service);

    private Status Current() =>
        _readiness.Live().Holds && !context.IsDraining ? Status.Serving : Status.NotServing;
}
