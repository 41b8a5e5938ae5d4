using System.Diagnostics;

namespace Kvorum.Cli.Bench;

/// <summary>Puts every key in once, before reads or a start are measured.</summary>
internal static class Filling
{
    private const int WritersMax = 1000;

    /// <summary>A value that does not compress and is the same in every run.</summary>
    public static byte[] Value(int bytes)
    {
        var value = new byte[bytes];
#pragma warning disable CA5394 // Filler, not a secret.
        new Random(bytes).NextBytes(value);
#pragma warning restore CA5394
        return value;
    }

    /// <summary>Writes all keys, and says how long it took.</summary>
    public static async Task<TimeSpan> FillAsync(LoadTarget target, CancellationToken cancel)
    {
        target.Prepare();
        var began = Stopwatch.GetTimestamp();
        var last = -1;
        int Next() => Interlocked.Increment(ref last);
        await Task.WhenAll(Enumerable.Range(0, Math.Min(WritersMax, target.Keys)).Select(writer => Task.Run(
            async () =>
            {
                for (var key = Next(); key < target.Keys; key = Next())
                {
                    cancel.ThrowIfCancellationRequested();
                    await target.WriteAsync(writer, key).ConfigureAwait(false);
                }
            },
            cancel))).ConfigureAwait(false);
        return Stopwatch.GetElapsedTime(began);
    }
}
