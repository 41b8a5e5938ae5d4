using System.Numerics;

namespace Kvorum.Cli.Bench;

/// <summary>
/// Counts durations in buckets that are at most 3 % wide, from nanoseconds to hours. One thread at a time.
/// </summary>
internal sealed class LatencyHistogram
{
    private const int StepBits = 5;
    private const int Steps = 1 << StepBits;
    private const int Octaves = 44 - StepBits; // Up to 2^44 ns, nearly five hours; longer ones count as that.

    private readonly int[] _counts = new int[(Octaves + 1) * Steps];

    public long Count { get; private set; }

    public TimeSpan Max => TimeSpan.FromMicroseconds(MaxNanoseconds / 1000.0);

    private long MaxNanoseconds { get; set; }

    public void Record(TimeSpan duration)
    {
        var nanoseconds = Math.Max(duration.Ticks * TimeSpan.NanosecondsPerTick, 0);
        _counts[BucketOf(nanoseconds)]++;
        Count++;
        MaxNanoseconds = Math.Max(MaxNanoseconds, nanoseconds);
    }

    public void Add(LatencyHistogram other)
    {
        for (var i = 0; i < _counts.Length; i++)
        {
            _counts[i] += other._counts[i];
        }

        Count += other.Count;
        MaxNanoseconds = Math.Max(MaxNanoseconds, other.MaxNanoseconds);
    }

    /// <summary>
    /// A duration that <paramref name="share"/> of all durations do not pass; zero when there are none.
    /// </summary>
    public TimeSpan Quantile(double share)
    {
        var rank = (long)Math.Ceiling(share * Count);
        for (var (i, seen) = (0, 0L); i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0)
            {
                return TimeSpan.FromMicroseconds(Math.Min(UpperBound(i), MaxNanoseconds) / 1000.0);
            }
        }

        return TimeSpan.Zero;
    }

    /// <summary>Small values have a bucket each; above, every power of two has the same number of steps.</summary>
    private static int BucketOf(long nanoseconds)
    {
        if (nanoseconds < Steps)
        {
            return (int)nanoseconds;
        }

        var octave = Math.Min(BitOperations.Log2((ulong)nanoseconds) - StepBits, Octaves - 1);
        var step = Math.Min((nanoseconds >> octave) - Steps, Steps - 1);
        return ((octave + 1) * Steps) + (int)step;
    }

    private static long UpperBound(int bucket)
    {
        var octave = (bucket / Steps) - 1;
        return octave < 0 ? bucket : ((long)(bucket % Steps) + Steps + 1) << octave;
    }
}
