using System.Diagnostics;

namespace Kvorum.Cli.Bench;

/// <summary>What this process has used up so far; two samples make a measurement.</summary>
internal readonly record struct ProcessSample(
    long Timestamp, TimeSpan Cpu, TimeSpan CollectorPauses, long AllocatedBytes, int Collections)
{
    public static ProcessSample Take()
    {
        using var process = Process.GetCurrentProcess();
        return new ProcessSample(
            Stopwatch.GetTimestamp(),
            process.TotalProcessorTime,
            GC.GetTotalPauseDuration(),
            GC.GetTotalAllocatedBytes(precise: false),
            GC.CollectionCount(0));
    }
}
