using Kvorum.Protocol.Grpc;

namespace Kvorum.Server.Grpc;

/// <summary>How many calls of each method ended how. Thread-safe.</summary>
internal sealed class GrpcCounters
{
    private const int Codes = (int)GrpcStatusCode.Unauthenticated + 1;

    private readonly Lock _lock = new();
    private readonly SortedList<string, (GrpcMethod Method, long[] Counts)> _methods = new(StringComparer.Ordinal);

    public void Register(IEnumerable<GrpcMethod> methods)
    {
        lock (_lock)
        {
            foreach (var method in methods)
            {
                _methods[method.Path] = (method, new long[Codes]);
            }
        }
    }

    public void Count(GrpcMethod method, GrpcStatusCode code)
    {
        if (_methods.TryGetValue(method.Path, out var entry))
        {
            Interlocked.Increment(ref entry.Counts[(int)code]);
        }
    }

    /// <summary>Each method with a count above 0, by path and code.</summary>
    public IEnumerable<(GrpcMethod Method, GrpcStatusCode Code, long Count)> Read()
    {
        foreach (var (method, counts) in _methods.Values)
        {
            for (var code = 0; code < Codes; code++)
            {
                if (Interlocked.Read(ref counts[code]) is > 0 and var count)
                {
                    yield return (method, (GrpcStatusCode)code, count);
                }
            }
        }
    }
}
