using System.Globalization;
using System.Runtime;
using System.Runtime.InteropServices;

namespace Kvorum.Cli.Bench;

/// <summary>Where the figures come from, in words.</summary>
internal static class Machine
{
    public static string Describe() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Environment.ProcessorCount} × {Processor()}, {Memory():F0} GiB, {RuntimeInformation.OSDescription}, "
            + $"{RuntimeInformation.FrameworkDescription}, "
            + $"{(GCSettings.IsServerGC ? "server" : "workstation")} collector");

    /// <summary>The kind of file system; on one in memory a sync costs nothing, and the figures mean nothing.</summary>
    public static string FileSystem(string directory)
    {
        try
        {
            return new DriveInfo(directory).DriveFormat;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return "an unknown file system";
        }
    }

    private static double Memory() => GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / (1024.0 * 1024 * 1024);

    private static string Processor()
    {
        const string Table = "/proc/cpuinfo";
        var line = File.Exists(Table)
            ? File.ReadLines(Table).FirstOrDefault(text => text.StartsWith("model name", StringComparison.Ordinal))
            : null;
        return line is null
            ? RuntimeInformation.ProcessArchitecture.ToString()
            : line[(line.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim();
    }
}
