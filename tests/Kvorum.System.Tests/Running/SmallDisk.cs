using System.ComponentModel;
using System.Diagnostics;

namespace Kvorum.SystemTests.Running;

/// <summary>A file system of a few megabytes in memory, where this user may mount one.</summary>
public sealed class SmallDisk : IDisposable
{
    private readonly string _filler;

    private SmallDisk(string path)
    {
        Path = path;
        _filler = System.IO.Path.Combine(path, "filler");
    }

    public string Path { get; }

    public static SmallDisk? TryMount(string path, int bytes, out string reason)
    {
        Directory.CreateDirectory(path);
        var error = Run("mount", "-t", "tmpfs", "-o", $"size={bytes}", "tmpfs", path);
        reason = $"A small disk cannot be mounted here: {error}";
        return error is null ? new SmallDisk(path) : null;
    }

    /// <summary>Takes all room that is left.</summary>
    public void Fill()
    {
        using var file = new FileStream(_filler, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        var block = new byte[4096];
        try
        {
            while (true)
            {
                file.Write(block);
            }
        }
        catch (IOException)
        {
            // Full: that was the aim.
        }
    }

    public void Free() => File.Delete(_filler);

    public void Dispose() => _ = Run("umount", "--lazy", Path);

    private static string? Run(string program, params string[] arguments)
    {
        try
        {
            var start = new ProcessStartInfo(program, arguments) { RedirectStandardError = true };
            using var process = Process.Start(start) ?? throw new InvalidOperationException("did not start");
            var error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : error.Trim();
        }
        catch (Win32Exception e)
        {
            return e.Message;
        }
    }
}
