using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Rest;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Tests.Rest;

/// <summary>The real routes on a real Kestrel on loopback, over a state machine without consensus.</summary>
internal sealed class RestHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private RestHost(WebApplication app, MachineKvorum kvorum, Uri url)
    {
        _app = app;
        Kvorum = kvorum;
        Url = url;
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = url };
    }

    public MachineKvorum Kvorum { get; }

    public Uri Url { get; }

    /// <summary>Follows no redirects.</summary>
    public HttpClient Client { get; }

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <param name="leaderUrl">The client URL of every peer; null when none was heard.</param>
    public static async Task<RestHost> StartAsync(string? leaderUrl = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestLineSize = RestLimits.RequestLineBytesMax;
            kestrel.Limits.MaxRequestBufferSize = RestLimits.RequestLineBytesMax + 1024 * 1024;
        });
        var kvorum = new MachineKvorum();
        var app = builder.Build();
        RouteTable.Map(app, ContextOf(kvorum, leaderUrl));
        await app.StartAsync(Cancel);
        return new RestHost(app, kvorum, new Uri(app.Urls.Single()));
    }

    /// <summary>Sends a request whose target is not touched on the way.</summary>
    public async Task<HttpResponseMessage> SendAsync(
        string method, string target, byte[]? body = null, params (string Name, string Value)[] headers)
    {
        var uri = new Uri(
            Url.AbsoluteUri.TrimEnd('/') + target,
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        using var request = new HttpRequestMessage(new HttpMethod(method), uri);
        if (body is not null)
        {
            request.Content = new ByteArrayContent(body);
        }

        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content!.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return await Client.SendAsync(request, Cancel);
    }

    public Task<HttpResponseMessage> GetAsync(string target, params (string Name, string Value)[] headers) =>
        SendAsync("GET", target, null, headers);

    public Task<HttpResponseMessage> DeleteAsync(string target) => SendAsync("DELETE", target);

    public Task<HttpResponseMessage> PutAsync(
        string target, string value, params (string Name, string Value)[] headers) =>
        SendAsync("PUT", target, Encoding.UTF8.GetBytes(value), headers);

    public async Task<HttpResponseMessage> PostJsonAsync(
        string target, string json, string contentType = "application/json", string? idempotencyKey = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, target);
        request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(json));
        request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        return await Client.SendAsync(request, Cancel);
    }

    /// <summary>Writes bytes to a fresh connection and reads until the other side closes it.</summary>
    public async Task<string> SendRawAsync(string request)
    {
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, Url.Port, Cancel);
        var stream = tcp.GetStream();
        await stream.WriteAsync(Encoding.Latin1.GetBytes(request), Cancel);
        using var reader = new StreamReader(stream, Encoding.Latin1);
        return await reader.ReadToEndAsync(Cancel);
    }

    /// <summary>A request without a body in raw bytes, on a connection of its own.</summary>
    public Task<string> SendRawAsync(string method, string target) =>
        SendRawAsync($"{method} {target} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");

    /// <summary>What the state machine holds under a key, past all routes; null when the key does not exist.</summary>
    public async Task<byte[]?> StoredAsync(byte[] key)
    {
        var query = new RangeQuery(key, default);
        var found = await Kvorum.ReadAsync(query, Consistency.Local, TimeSpan.FromSeconds(1), Cancel);
        return found.Rows.Count > 0 ? found.Rows[0].Value : null;
    }

    public Task<byte[]?> StoredAsync(string key) => StoredAsync(Encoding.UTF8.GetBytes(key));

    public Task StoreAsync(string key, byte[] value) =>
        Kvorum.ProposeAsync(new Put(Encoding.UTF8.GetBytes(key), value), TimeSpan.FromSeconds(1), Cancel);

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.DisposeAsync();
        Kvorum.Dispose();
    }

    private static ServerContext ContextOf(MachineKvorum kvorum, string? leaderUrl)
    {
        ClusterMember[] cluster =
        [
            new("n1", new Uri("http://127.0.0.1:2380")),
            new("n2", new Uri("http://127.0.0.1:2390")),
            new("n3", new Uri("http://127.0.0.1:2400")),
        ];
        var options = new ServerOptions
        {
            Name = "n1",
            DataPath = "unused",
            ListenClientUrls = [new Uri("http://127.0.0.1:2379")],
            AdvertiseClientUrls = [new Uri("http://127.0.0.1:2379")],
            ListenPeerUrls = [cluster[0].PeerUrl],
            InitialCluster = cluster,
        };
        var members = cluster.Select(
            (member, i) => new ServerMember(member.Name, (ulong)i + 1, member.PeerUrl)).ToArray();
        return new ServerContext(kvorum, new NodeMetrics(), options, members, _ => leaderUrl, TimeProvider.System);
    }
}

/// <summary>Short ways to look at answers.</summary>
internal static class Answers
{
    public static Task<string> TextAsync(this HttpResponseMessage answer) =>
        answer.Content.ReadAsStringAsync(RestHost.Cancel);

    public static async Task<JsonElement> JsonAsync(this HttpResponseMessage answer)
    {
        using var document = JsonDocument.Parse(await answer.TextAsync());
        return document.RootElement.Clone();
    }

    public static string? Header(this HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) || answer.Content.Headers.TryGetValues(name, out values)
            ? string.Join(", ", values)
            : null;

    /// <summary>Checks that the answer is a problem of the named kind, in all its members.</summary>
    public static async Task<JsonElement> IsProblemAsync(this HttpResponseMessage answer, int status, string name)
    {
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.ToString());
        var problem = await answer.JsonAsync();
        Assert.Equal("urn:kvorum:problem:" + name, problem.GetProperty("type").GetString());
        Assert.Equal(status, problem.GetProperty("status").GetInt32());
        Assert.NotEmpty(problem.GetProperty("title").GetString()!);
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.Contains(problem.GetProperty("retry").GetString(), (string[])["safe", "unsafe"]);
        Assert.Contains(problem.GetProperty("outcome").GetString(), (string[])["not-proposed", "no-effect", "unknown"]);
        return problem;
    }
}
