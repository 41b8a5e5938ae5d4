using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvorum.Server.Etcd;

/// <summary>The version of etcd whose interface this is: clients switch features on by it.</summary>
internal static class EtcdVersion
{
    public const string Server = "3.5.21";

    private const string Body = """{"etcdserver":"3.5.21","etcdcluster":"3.5.0"}""";

    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder routes) =>
        routes.MapMethods("/version", Methods, (RequestDelegate)(http =>
        {
            http.Response.ContentType = "application/json";
            http.Response.ContentLength = Body.Length;
            return HttpMethods.IsHead(http.Request.Method)
                ? Task.CompletedTask
                : http.Response.WriteAsync(Body, http.RequestAborted);
        }));
}
