using System.Diagnostics;

namespace Kvorum.Server;

/// <summary>The process and its runtime, under the names Prometheus users know.</summary>
internal static class ProcessMetrics
{
    public static void Write(PrometheusWriter page, DateTimeOffset startedAt)
    {
        using var process = Process.GetCurrentProcess();
        page.Counter("process_cpu_seconds_total", "User and system CPU time.", process.TotalProcessorTime.TotalSeconds);
        page.Gauge("process_resident_memory_bytes", "Resident memory.", process.WorkingSet64);
        page.Gauge("process_start_time_seconds", "Start of the server in seconds since 1970.",
            startedAt.ToUnixTimeMilliseconds() / 1000.0);
        if (OperatingSystem.IsLinux())
        {
            page.Gauge("process_open_fds", "Open file descriptors.",
                Directory.EnumerateFileSystemEntries("/proc/self/fd").Count());
        }

        page.Counter("dotnet_gc_pause_seconds_total", "Time all threads were stopped by the collector.",
            GC.GetTotalPauseDuration().TotalSeconds);
        page.Header("dotnet_gc_collections_total", "Collections by generation.", "counter");
        for (var generation = 0; generation <= GC.MaxGeneration; generation++)
        {
            page.Sample("dotnet_gc_collections_total", GC.CollectionCount(generation),
                ("generation", generation.ToString("D", null)));
        }

        page.Gauge("dotnet_gc_heap_size_bytes", "Managed heap after the last collection.",
            GC.GetGCMemoryInfo().HeapSizeBytes);
        page.Counter("dotnet_gc_allocated_bytes_total", "Managed bytes allocated.", GC.GetTotalAllocatedBytes());
        page.Gauge("dotnet_thread_pool_threads", "Threads of the thread pool.", ThreadPool.ThreadCount);
        page.Gauge("dotnet_thread_pool_queue_length", "Work items waiting for a thread.",
            ThreadPool.PendingWorkItemCount);
    }
}
