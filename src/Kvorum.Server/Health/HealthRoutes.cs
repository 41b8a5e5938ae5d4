using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvorum.Server;

/// <summary>
/// /health in etcd's shape; /livez and /readyz as text, with one line per check when asked by ?verbose.
/// </summary>
internal static class HealthRoutes
{
    private static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    public static void Map(IEndpointRouteBuilder routes, ServerContext context)
    {
        var readiness = new Readiness(context);
        routes.MapMethods("/health", Methods, (RequestDelegate)(request => HealthAsync(request, readiness)));
        routes.MapMethods("/livez", Methods, (RequestDelegate)(request =>
            AnswerAsync(request, "livez", [readiness.Live()])));
        routes.MapMethods("/readyz", Methods, (RequestDelegate)(async request =>
        {
            var checks = await readiness.ReadyAsync(request.RequestAborted).ConfigureAwait(false);
            await AnswerAsync(request, "readyz", checks).ConfigureAwait(false);
        }));
    }

    /// <summary>etcd's /health: a JSON object with "health" as a string, and the reason when it is not well.</summary>
    private static async Task HealthAsync(HttpContext request, Readiness readiness)
    {
        // Serializable, in etcd's word: only whether this node answers, with or without the others.
        var checks = request.Request.Query["serializable"] == "true"
            ? readiness.Serving()
            : await readiness.ReadyAsync(request.RequestAborted).ConfigureAwait(false);
        var failures = checks.Where(check => !check.Holds).Select(check => check.Failure).ToArray();
        var body = failures.Length == 0
            ? """{"health":"true","reason":""}"""
            : $$"""{"health":"false","reason":"{{JsonText(string.Join("; ", failures))}}"}""";
        await WriteAsync(request, failures.Length == 0, "application/json", body).ConfigureAwait(false);
    }

    private static Task AnswerAsync(HttpContext request, string name, HealthCheck[] checks)
    {
        var isWell = checks.All(check => check.Holds);
        if (isWell && !request.Request.Query.ContainsKey("verbose"))
        {
            return WriteAsync(request, isWell, "text/plain; charset=utf-8", "ok\n");
        }

        var text = new StringBuilder();
        foreach (var check in checks)
        {
            text.Append(check.Holds ? "[+]" : "[-]").Append(check.Name)
                .Append(check.Failure is { } failure ? $" failed: {failure}" : " ok").Append('\n');
        }

        text.Append(name).Append(isWell ? " check passed\n" : " check failed\n");
        return WriteAsync(request, isWell, "text/plain; charset=utf-8", text.ToString());
    }

    private static async Task WriteAsync(HttpContext request, bool isWell, string contentType, string body)
    {
        var bytes = Encoding.UTF8.GetBytes(body);
        var response = request.Response;
        response.StatusCode = isWell ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
        response.ContentType = contentType;
        response.ContentLength = bytes.Length;
        response.Headers.CacheControl = "no-store";
        response.Headers.XContentTypeOptions = "nosniff";
        if (!HttpMethods.IsHead(request.Request.Method))
        {
            await response.Body.WriteAsync(bytes, request.RequestAborted).ConfigureAwait(false);
        }
    }

    private static string JsonText(string text) => System.Text.Json.JsonEncodedText.Encode(text).ToString();
}
