using System.Net;
using System.Runtime.CompilerServices;
using System.Text;

namespace Kvorum.Cli.Bench;

/// <summary>Calls a running cluster over HTTP, each caller on the next endpoint.</summary>
internal sealed class HttpTarget : LoadTarget, IDisposable
{
    private readonly Uri[] _bases;
    private readonly byte[] _value;
    private readonly HttpClient _http;

    public HttpTarget(IReadOnlyList<Uri> endpoints, BenchSettings settings)
        : base(settings.Keys)
    {
        _bases = [.. endpoints.Select(url => new Uri(url, "/v1/kv/"))];
        _value = Filling.Value(settings.ValueBytes);
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            MaxConnectionsPerServer = settings.InFlight.Max(),
        };
        _http = new HttpClient(handler) { Timeout = settings.CallTimeout };
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(int caller, int key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, Url(caller, key));
        request.Content = new ByteArrayContent(_value);
        await SendAsync(request).ConfigureAwait(false);
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask ReadAsync(int caller, int key)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, Url(caller, key));
        await SendAsync(request).ConfigureAwait(false);
    }

    public void Dispose() => _http.Dispose();

    private Uri Url(int caller, int key) =>
        new(_bases[caller % _bases.Length], Encoding.ASCII.GetString(Key(key).Span));

    private async Task SendAsync(HttpRequestMessage request)
    {
        using var response = await _http.SendAsync(request).ConfigureAwait(false);
        _ = await response.Content.ReadAsByteArrayAsync().ConfigureAwait(false);
        if (response.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Created or HttpStatusCode.NoContent))
        {
            throw new HttpRequestException($"HTTP status {(int)response.StatusCode}", null, response.StatusCode);
        }
    }
}
