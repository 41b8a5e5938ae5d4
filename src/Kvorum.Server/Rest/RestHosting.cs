using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Rest;

/// <summary>Puts the HTTP interface into a host.</summary>
internal static class RestHosting
{
    /// <summary>
    /// Answers everything that no mapped endpoint answers; comes after routing. The host must allow request lines of
    /// <see cref="RestLimits.RequestLineBytesMax"/>, or long keys are refused with 414 before they get here.
    /// </summary>
    public static void UseRest(this WebApplication app, ServerContext context)
    {
        var rest = new RestApi(context, app.Services.GetRequiredService<ILoggerFactory>());

        // A mapped path with another method is given an endpoint that is no route and answers without a body.
        app.Use(next => http => http.GetEndpoint() is RouteEndpoint ? next(http) : rest.HandleAsync(http));
    }
}
