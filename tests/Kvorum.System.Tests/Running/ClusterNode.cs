using System.Net;
using System.Text;

namespace Kvorum.SystemTests.Running;

/// <summary>One node of a test cluster: a 'serve' process that can be started, hurt and asked.</summary>
public sealed class ClusterNode : IDisposable
{
    private static readonly TimeSpan AskMax = TimeSpan.FromSeconds(2);

    private readonly HttpClient _http;
    private readonly List<KvorumProcess> _former = [];
    private readonly Func<ClusterNode, IReadOnlyList<string>> _arguments;
    private KvorumProcess? _process;

    internal ClusterNode(
        string name, int clientPort, string dataDir, HttpClient http, Func<ClusterNode, IReadOnlyList<string>> arguments)
    {
        Name = name;
        ClientUrl = $"http://127.0.0.1:{clientPort}";
        PeerUrl = $"http://127.0.0.1:{clientPort + 1}";
        DataDir = dataDir;
        _http = http;
        _arguments = arguments;
    }

    public string Name { get; }

    public string ClientUrl { get; }

    public string PeerUrl { get; }

    public string DataDir { get; }

    public KvorumProcess Process => _process ?? throw new InvalidOperationException($"{Name} was never started.");

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>The last log lines of the process that runs now, or ran last.</summary>
    public string Log => _process?.Errors ?? "";

    /// <summary>The 'serve' command line of this node.</summary>
    public IReadOnlyList<string> Arguments => _arguments(this);

    public void Start()
    {
        if (IsRunning)
        {
            throw new InvalidOperationException($"{Name} runs already.");
        }

        if (_process is not null)
        {
            _former.Add(_process);
        }

        _process = KvorumProcess.Start([.. Arguments]);
    }

    public void Kill() => Process.Kill();

    public void Pause() => Process.Signal(KvorumProcess.SigStop);

    public void Continue() => Process.Signal(KvorumProcess.SigCont);

    /// <summary>SIGTERM; the exit code.</summary>
    public async Task<int> StopAsync()
    {
        Process.Signal(KvorumProcess.SigTerm);
        return await Process.WaitForExitAsync(Wait.Usual);
    }

    /// <summary>What a broken disk does: the directory is there again, empty.</summary>
    public void WipeDirectory()
    {
        Directory.Delete(DataDir, recursive: true);
        Directory.CreateDirectory(DataDir);
    }

    /// <summary>Null when the node does not answer.</summary>
    public async Task<NodeState?> StateAsync()
    {
        using var limited = new CancellationTokenSource(AskMax);
        try
        {
            return NodeState.Parse(await _http.GetStringAsync(new Uri($"{ClientUrl}/"), limited.Token));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>Any request; status 0 when no answer came within <paramref name="timeout"/>.</summary>
    public async Task<(int Status, string Body)> SendAsync(
        HttpMethod method, string path, string? body = null, string? idempotencyKey = null, TimeSpan? timeout = null)
    {
        using var limited = new CancellationTokenSource(timeout ?? Wait.Usual);
        using var request = new HttpRequestMessage(method, new Uri($"{ClientUrl}{path}"));
        if (body is not null)
        {
            var type = path.StartsWith("/keys/", StringComparison.Ordinal) ? "application/json" : "text/plain";
            request.Content = new StringContent(body, Encoding.UTF8, type);
        }

        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        try
        {
            using var response = await _http.SendAsync(request, limited.Token);
            return ((int)response.StatusCode, await response.Content.ReadAsStringAsync(limited.Token));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return (0, e.Message);
        }
    }

    public async Task PutAsync(string key, string value)
    {
        var (status, body) = await SendAsync(HttpMethod.Put, $"/v1/kv/{key}", value);
        Assert.True(status == (int)HttpStatusCode.NoContent, $"PUT {key} on {Name}: {status} {body}");
    }

    public async Task<string?> GetAsync(string key)
    {
        var (status, body) = await SendAsync(HttpMethod.Get, $"/v1/kv/{key}");
        Assert.True(status is 200 or 404, $"GET {key} on {Name}: {status} {body}");
        return status == 200 ? body : null;
    }

    public void Dispose()
    {
        _process?.Dispose();
        foreach (var process in _former)
        {
            process.Dispose();
        }
    }
}
