using System.Collections.Concurrent;
using Kvorum.SystemTests.Running;

namespace Kvorum.SystemTests.Checking;

/// <summary>
/// Concurrent writers over HTTP. Each write has a value of its own and an Idempotency-Key; it is tried, with the same
/// key, on one node after the other until it is acknowledged or the load stops. What was acknowledged is recorded
/// exactly.
/// </summary>
public sealed class Load
{
    public const string KeyPrefix = "load/";
    public const string ListPrefix = "list/";

    private const int WritersDefault = 8;

    /// <summary>Every so many writes one is an append.</summary>
    private const int AppendEvery = 4;

    /// <summary>Writes per list and writer: a list is rewritten whole with each append.</summary>
    private const int WritesPerList = 400;

    private static readonly TimeSpan AttemptMax = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan RetryPause = TimeSpan.FromMilliseconds(5);

    private readonly Cluster _cluster;
    private readonly string _value;
    private readonly string _run = Guid.NewGuid().ToString("N")[..8];
    private readonly Task[] _writers;
    private long _acknowledgedCount;
    private volatile bool _isStopping;

    private Load(Cluster cluster, int writers, int valueBytes)
    {
        _cluster = cluster;
        _value = new string('v', valueBytes);
        _writers = [.. Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(writer)))];
    }

    /// <summary>Acknowledged values by key.</summary>
    public ConcurrentDictionary<string, string> Puts { get; } = new();

    /// <summary>Acknowledged items and the list each belongs to.</summary>
    public ConcurrentDictionary<string, string> Items { get; } = new();

    /// <summary>Everything ever sent: nothing else may be found in the store.</summary>
    public ConcurrentDictionary<string, string> Sent { get; } = new();

    /// <summary>Answers that are neither success nor "try again": there must be none.</summary>
    public ConcurrentQueue<string> Refusals { get; } = new();

    public long AcknowledgedCount => Interlocked.Read(ref _acknowledgedCount);

    /// <param name="valueBytes">Padding of each value, beside what makes it unique.</param>
    public static Load Start(Cluster cluster, int writers = WritersDefault, int valueBytes = 32) =>
        new(cluster, writers, valueBytes);

    /// <summary>Waits until <paramref name="count"/> more writes than now are acknowledged.</summary>
    public Task MoreAsync(long count, TimeSpan? limit = null)
    {
        var goal = AcknowledgedCount + count;
        return Wait.UntilAsync(
            $"{count} more acknowledged writes", limit ?? Wait.Usual, () => AcknowledgedCount >= goal);
    }

    /// <summary>Ends the load; a write without an answer stays unknown: it may be in the store or not.</summary>
    public async Task StopAsync()
    {
        _isStopping = true;
        await Task.WhenAll(_writers);
        Assert.Empty(Refusals);
    }

    private async Task WriteAsync(int writer)
    {
        // Like a real client, a writer stays with a node that serves it: a paused one costs it one attempt, not each.
        var place = new Place { Index = writer };
        for (var n = 0; !_isStopping; n++)
        {
            var id = $"{writer}-{n}";
            if (n % AppendEvery == 0)
            {
                var list = $"{ListPrefix}{_run}-{writer}-{n / WritesPerList}";
                Sent[id] = list;
                if (await TryAsync(place, id, HttpMethod.Post, $"/keys/{Uri.EscapeDataString(list)}", AppendBody(id)))
                {
                    Items[id] = list;
                }
            }
            else
            {
                var key = $"{KeyPrefix}{_run}-{id}";
                var value = $"{id}-{_value}";
                Sent[key] = value;
                if (await TryAsync(place, id, HttpMethod.Put, $"/v1/kv/{Uri.EscapeDataString(key)}", value))
                {
                    Puts[key] = value;
                }
            }
        }
    }

    private static string AppendBody(string item) => $$"""{"type":"APPEND","value":"{{item}}"}""";

    private async Task<bool> TryAsync(Place place, string id, HttpMethod method, string path, string body)
    {
        for (; !_isStopping; place.Index++)
        {
            var node = _cluster.Nodes[place.Index % _cluster.Nodes.Count];
            if (!node.IsRunning)
            {
                await Task.Delay(RetryPause);
                continue;
            }

            var (status, answer) = await node.SendAsync(method, path, body, $"{_run}-{id}", AttemptMax);
            switch (status)
            {
                case 204:
                    Interlocked.Increment(ref _acknowledgedCount);
                    return true;
                case 0 or 429 or 503:
                    await Task.Delay(RetryPause); // Another node, the same Idempotency-Key.
                    break;
                default:
                    Refusals.Enqueue($"{method} {path} on {node.Name}: {status} {answer}");
                    return false;
            }
        }

        return false;
    }

    /// <summary>The node a writer speaks to.</summary>
    private sealed class Place
    {
        public int Index;
    }
}
