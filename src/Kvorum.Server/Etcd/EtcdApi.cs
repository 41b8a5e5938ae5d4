using Kvorum.Server.Etcd.Json;
using Kvorum.Server.Grpc;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Etcd;

/// <summary>All of etcd's services on one node.</summary>
internal static class EtcdApi
{
    /// <summary>Takes gRPC calls and those of the JSON gateway out of the pipeline; all else goes on.</summary>
    public static void UseEtcd(this IApplicationBuilder app, ServerContext context, ILogger logger)
    {
        var methods = Methods(context);
        context.GrpcCalls.Register(methods);
        var host = new GrpcHost(methods, context, logger);
        var gateway = new JsonGateway(methods, context, logger);
        app.Use(next => http =>
            GrpcHost.IsCall(http.Request) ? host.HandleAsync(http)
            : JsonGateway.IsCall(http.Request) ? gateway.HandleAsync(http)
            : next(http));
    }

    private static List<GrpcMethod> Methods(ServerContext context)
    {
        var node = new EtcdNode(context);
        List<GrpcMethod> methods =
        [
            .. new KvService(node).Methods(),
            .. new LeaseService(node).Methods(),
            .. new WatchService(node).Methods(),
            .. new ClusterService(node).Methods(),
            .. new MaintenanceService(node).Methods(),
            .. new AuthService(node).Methods(),
            .. new LockService(node).Methods(),
            .. new ElectionService(node).Methods(),
        ];
        methods.AddRange(new HealthService(context, Services(methods)).Methods());
        methods.AddRange(new ReflectionService(Services(methods)).Methods());
        return methods;
    }

    private static SortedSet<string> Services(List<GrpcMethod> methods) =>
        new(methods.Select(method => method.Service), StringComparer.Ordinal);
}
