using System.Net;
using System.Text.Json;
using Kvorum.Server.Rest;

namespace Kvorum.Server.Tests.Rest;

/// <summary><c>GET /openapi.json</c> says what is there, all of it, and nothing else.</summary>
public sealed class RestOpenApiTests
{
    /// <summary>Described there, answered by the host's own endpoints.</summary>
    private static readonly string[] HostPaths = ["/health", "/livez", "/metrics", "/readyz"];

    [Fact]
    public async Task The_document_is_openapi_3_1()
    {
        var document = await LoadAsync();
        Assert.Equal("3.1.0", document.GetProperty("openapi").GetString());
        Assert.NotEmpty(document.GetProperty("info").GetProperty("title").GetString()!);
        var ids = Operations(document)
            .Select(operation => operation.Content.GetProperty("operationId").GetString())
            .ToArray();
        Assert.Equal(ids.Length, ids.Distinct().Count());
    }

    [Fact]
    public async Task Every_route_and_method_is_described_and_every_described_one_is_served()
    {
        var described = Operations(await LoadAsync())
            .Where(operation => !HostPaths.Contains(operation.Path))
            .Select(operation => $"{operation.Method} {operation.Path}")
            .Order(StringComparer.Ordinal);
        var served = RestRoute.All
            .SelectMany(route => route.Allow.Split(", ").Select(method => $"{method} {route.Template}"))
            .Where(operation => !operation.StartsWith("HEAD ", StringComparison.Ordinal)
                && !operation.StartsWith("OPTIONS ", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal);
        Assert.Equal(served, described);
    }

    [Fact]
    public async Task Every_described_operation_answers_as_its_route()
    {
        await using var host = await RestHost.StartAsync();
        foreach (var (path, method, _) in Operations(await LoadAsync()).Where(o => !HostPaths.Contains(o.Path)))
        {
            using var answer = await host.SendAsync(method, PathOf(path));
            Assert.NotEqual(HttpStatusCode.MethodNotAllowed, answer.StatusCode);
            Assert.DoesNotContain("route-not-found", await answer.TextAsync(), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("/health")]
    [InlineData("/livez")]
    [InlineData("/readyz")]
    [InlineData("/metrics")]
    public async Task Paths_of_the_host_answer_every_method_like_the_others(string path)
    {
        await using var host = await RestHost.StartAsync();
        using var head = await host.SendAsync("HEAD", path);
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        using var options = await host.SendAsync("OPTIONS", path);
        Assert.Equal(HttpStatusCode.NoContent, options.StatusCode);
        Assert.Equal("GET, HEAD, OPTIONS", options.Header("Allow"));
        using var post = await host.SendAsync("POST", path);
        await post.IsProblemAsync(405, "method-not-allowed");
        Assert.Equal("GET, HEAD, OPTIONS", post.Header("Allow"));
    }

    [Fact]
    public async Task Every_reference_leads_somewhere()
    {
        var document = await LoadAsync();
        var references = References(document).ToArray();
        Assert.NotEmpty(references);
        foreach (var reference in references)
        {
            var target = document;
            foreach (var step in reference.Split('/')[1..])
            {
                Assert.True(target.TryGetProperty(step, out target), reference);
            }
        }
    }

    [Fact]
    public async Task Every_key_in_a_path_is_described_as_a_parameter()
    {
        var document = await LoadAsync();
        foreach (var path in document.GetProperty("paths").EnumerateObject().Where(path => path.Name.Contains("{key}")))
        {
            var reference = path.Value.GetProperty("parameters")[0].GetProperty("$ref").GetString()!;
            var name = reference.Split('/')[^1];
            var parameter = document.GetProperty("components").GetProperty("parameters").GetProperty(name);
            Assert.Equal("key", parameter.GetProperty("name").GetString());
            Assert.True(parameter.GetProperty("required").GetBoolean());
        }
    }

    private static string PathOf(string template) => template
        .Replace("{key}", "a", StringComparison.Ordinal)
        .Replace("{name}", "n2", StringComparison.Ordinal);

    private static async Task<JsonElement> LoadAsync()
    {
        await using var host = await RestHost.StartAsync();
        using var answer = await host.GetAsync("/openapi.json");
        Assert.Equal("application/json", answer.Header("Content-Type"));
        return await answer.JsonAsync();
    }

    private static IEnumerable<(string Path, string Method, JsonElement Content)> Operations(JsonElement document) =>
        from path in document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        where operation.Name != "parameters"
        select (path.Name, operation.Name.ToUpperInvariant(), operation.Value);

    private static IEnumerable<string> References(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().SelectMany(property =>
            property.Name == "$ref" ? [property.Value.GetString()!] : References(property.Value)),
        JsonValueKind.Array => element.EnumerateArray().SelectMany(References),
        _ => [],
    };
}
