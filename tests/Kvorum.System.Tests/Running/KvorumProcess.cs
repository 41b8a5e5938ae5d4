using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Kvorum.SystemTests.Running;

/// <summary>A process of the kvorum binary that lies beside this assembly. Disposing kills it.</summary>
public sealed partial class KvorumProcess : IDisposable
{
    public const int SigInt = 2;

    /// <summary>
    /// What Ctrl-C sends; SIGTERM where this process was started with SIGINT ignored (in the background of a script):
    /// children inherit that, and the runtime leaves it so.
    /// </summary>
    public static int CtrlC { get; } = IsIgnored(SigInt) ? SigTerm : SigInt;
    public const int SigTerm = 15;
    public const int SigCont = 18;
    public const int SigStop = 19;

    private const int LinesMax = 500;

    private readonly Lock _lock = new();
    private readonly Queue<string> _errors = new();
    private readonly Queue<string> _output = new();
    private readonly Process _process;

    private KvorumProcess(Process process)
    {
        _process = process;
        Pid = process.Id;
        process.OutputDataReceived += (_, line) => Keep(_output, line.Data);
        process.ErrorDataReceived += (_, line) => Keep(_errors, line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>The built binary.</summary>
    public static string Binary { get; } = Path.Combine(AppContext.BaseDirectory, "kvorum");

    public int Pid { get; }

    public bool HasExited => _process.HasExited;

    public int ExitCode => _process.ExitCode;

    /// <summary>The last lines of stdout.</summary>
    public string Output => Joined(_output);

    /// <summary>The last lines of stderr.</summary>
    public string Errors => Joined(_errors);

    public static KvorumProcess Start(params string[] arguments) => Start(Binary, arguments, new Dictionary<string, string>());

    /// <param name="program">The binary, or a program that runs it, such as strace.</param>
    /// <param name="environment">Added to an environment without any KVORUM_ variable.</param>
    public static KvorumProcess Start(
        string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(program)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("KVORUM_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return new KvorumProcess(Process.Start(start) ?? throw new InvalidOperationException($"'{program}' did not start."));
    }

    /// <summary>Runs a command that ends by itself.</summary>
    public static async Task<KvorumProcess> RunAsync(string[] arguments, byte[]? input = null)
    {
        var process = Start(arguments);
        await process.FeedAsync(input ?? []);
        await process.WaitForExitAsync(Wait.Usual);
        return process;
    }

    /// <summary>Writes to stdin and closes it.</summary>
    public async Task FeedAsync(byte[] input)
    {
        try
        {
            await _process.StandardInput.BaseStream.WriteAsync(input);
            _process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading; its exit code tells.
        }
    }

    private static bool IsIgnored(int signal)
    {
        var status = File.ReadLines("/proc/self/status");
        var line = status.First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal));
        var mask = ulong.Parse(line.AsSpan(7).Trim(), System.Globalization.NumberStyles.HexNumber, null);
        return (mask & (1UL << (signal - 1))) != 0;
    }

    public void Signal(int signal)
    {
        if (SendSignal(Pid, signal) != 0 && !HasExited)
        {
            throw new InvalidOperationException($"Signal {signal} to pid {Pid}: errno {Marshal.GetLastPInvokeError()}.");
        }
    }

    /// <summary>kill -9, and waits until the kernel has taken the process away.</summary>
    public void Kill()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }
    }

    public async Task<int> WaitForExitAsync(TimeSpan limit)
    {
        using var limited = new CancellationTokenSource(limit);
        try
        {
            await _process.WaitForExitAsync(limited.Token); // Also waits for the end of both outputs.
        }
        catch (OperationCanceledException)
        {
            throw new TimeoutException($"Pid {Pid} still runs after {limit.TotalSeconds:0.0} s. Its stderr:\n{Errors}");
        }

        return ExitCode;
    }

    public void Dispose()
    {
        Kill();
        _process.Dispose();
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int pid, int signal);

    private void Keep(Queue<string> lines, string? line)
    {
        lock (_lock)
        {
            if (line is not null)
            {
                lines.Enqueue(line);
            }

            while (lines.Count > LinesMax)
            {
                lines.Dequeue();
            }
        }
    }

    private string Joined(Queue<string> lines)
    {
        lock (_lock)
        {
            return string.Join('\n', lines);
        }
    }
}
