using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>
/// The description of everything the client port answers: <c>GET /openapi.json</c>, kept by hand, held by a test.
/// </summary>
internal static class OpenApiDocument
{
    private static readonly byte[] Json = Load();

    public static async Task GetAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        http.Response.ContentType = "application/json";
        http.Response.ContentLength = Json.Length;
        await http.Response.BodyWriter.WriteAsync(Json, http.RequestAborted).ConfigureAwait(false);
    }

    private static byte[] Load()
    {
        const string Name = "Kvorum.Server.Rest.openapi.json";
        using var stream = typeof(OpenApiDocument).Assembly.GetManifestResourceStream(Name)
            ?? throw new InvalidOperationException($"The resource {Name} is missing from the assembly.");
        var json = new byte[stream.Length];
        stream.ReadExactly(json);
        return json;
    }
}
