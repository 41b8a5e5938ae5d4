using Kvorum.Server.Rest;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server;

/// <summary>The one list of everything the client port answers.</summary>
internal static class RouteTable
{
    /// <summary>Maps every route; called once, before the port opens.</summary>
    public static void Map(WebApplication app, ServerContext context)
    {
        app.Use(next => request => CountAsync(request, next, context.Requests));
        app.UseRouting();
        HealthRoutes.Map(app, context);
        MetricsRoutes.Map(app, context);
        app.UseRest(context);
    }

    private static Task CountAsync(HttpContext request, RequestDelegate next, RequestCounters counters)
    {
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
