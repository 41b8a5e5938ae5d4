using Kvorum.Server.Etcd.Json;
using Kvorum.Server.Grpc;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server;

/// <summary>
/// Counts answers by class of route and status: two dimensions of fixed size, so no client can make it grow.
/// </summary>
internal sealed class RequestCounters
{
    private const int StatusMin = 100;
    private const int StatusCount = 500;

    private readonly long[] _counts = new long[RouteClasses.Length * StatusCount];

    /// <summary>The classes, in the order of <see cref="ClassOf"/>.</summary>
    public static ReadOnlySpan<string> RouteClasses => Names;

    private static readonly string[] Names = ["kv", "keys", "admin", "health", "metrics", "short", "etcd"];

    public void Count(PathString path, int status)
    {
        if (status is >= StatusMin and < StatusMin + StatusCount)
        {
            Interlocked.Increment(ref _counts[(ClassOf(path) * StatusCount) + status - StatusMin]);
        }
    }

    /// <summary>Calls <paramref name="visit"/> for every pair of class and status seen so far.</summary>
    public void Visit(Action<string, int, long> visit)
    {
        for (var index = 0; index < _counts.Length; index++)
        {
            var count = Volatile.Read(ref _counts[index]);
            if (count > 0)
            {
                visit(Names[index / StatusCount], StatusMin + (index % StatusCount), count);
            }
        }
    }

    private static int ClassOf(PathString path)
    {
        var text = path.Value.AsSpan();
        return text switch
        {
            _ when text.StartsWith("/v1/") => 0,
            _ when text.StartsWith("/keys/") => 1,
            "/metrics" => 4,
            "/health" or "/livez" or "/readyz" or "/version" => 3,
            "/" or "/openapi.json" => 2,
            _ when text.StartsWith("/admin/") => 2,
            _ when JsonGateway.IsPath(text) || GrpcHost.IsPath(text) => 6,
            _ => 5,
        };
    }
}
