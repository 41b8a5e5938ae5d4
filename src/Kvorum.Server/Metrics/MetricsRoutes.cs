using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvorum.Server;

/// <summary>/metrics for Prometheus.</summary>
internal static class MetricsRoutes
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder routes, ServerContext context) =>
        routes.MapMethods("/metrics", Methods, (RequestDelegate)(request => AnswerAsync(request, context)));

    private static async Task AnswerAsync(HttpContext request, ServerContext context)
    {
        request.Response.ContentType = PrometheusWriter.ContentType;
        request.Response.Headers.CacheControl = "no-store";
        MetricsPage.Write(new PrometheusWriter(request.Response.BodyWriter), context);
        await request.Response.BodyWriter.FlushAsync(request.RequestAborted).ConfigureAwait(false);
    }
}
