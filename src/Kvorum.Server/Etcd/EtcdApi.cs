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
        var methods = Methods(new EtcdNode(context)).ToList();
        context.GrpcCalls.Register(methods);
        var host = new GrpcHost(methods, context, logger);
        var gateway = new JsonGateway(methods, context, logger);
        app.Use(next => http =>
            GrpcHost.IsCall(http.Request) ? host.HandleAsync(http)
            : JsonGateway.IsCall(http.Request) ? gateway.HandleAsync(http)
            : next(http));
    }

    private static IEnumerable<GrpcMethod> Methods(EtcdNode node) =>
        [
            .. new KvService(node).Methods(),
            .. new LeaseService(node).Methods(),
            .. new WatchService(node).Methods(),
        ];
}
