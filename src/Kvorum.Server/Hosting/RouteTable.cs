using Kvorum.Server.Etcd;
using Kvorum.Server.Rest;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;

namespace Kvorum.Server;

/// <summary>The one list of everything the client port answers.</summary>
internal static class RouteTable
{
    /// <summary>An HTTP/1.1 caller that takes its answer more slowly is cut off.</summary>
    private static readonly MinDataRate SlowestReader = new(bytesPerSecond: 240, TimeSpan.FromSeconds(5));

    /// <summary>Maps every route; called once, before the port opens.</summary>
    public static void Map(WebApplication app, ServerContext context)
    {
        app.Use(next => request => CountAsync(request, next, context.Requests));
        app.UseEtcd(context, app.Logger);
        app.UseRouting();
        EtcdVersion.Map(app);
        HealthRoutes.Map(app, context);
        MetricsRoutes.Map(app, context);
        app.UseRest(context);
    }

    private static Task CountAsync(HttpContext request, RequestDelegate next, RequestCounters counters)
    {
        // HTTP/2 has no such feature. A stream that is not read waits there, alone, within its window.
        if (request.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
        {
            rate.MinDataRate = SlowestReader;
        }

        var answer = next(request);
        if (!answer.IsCompletedSuccessfully)
        {
            return AwaitAndCountAsync(answer, request, counters);
        }

        counters.Count(request.Request.Path, request.Response.StatusCode);
        return answer;
    }

    private static async Task AwaitAndCountAsync(Task answer, HttpContext request, RequestCounters counters)
    {
        try
        {
            await answer.ConfigureAwait(false);
        }
        finally
        {
            counters.Count(request.Request.Path, request.Response.StatusCode);
        }
    }
}
