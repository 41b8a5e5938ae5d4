using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Kvorum.Cli.Commands;

namespace Kvorum.Cli.Up;

/// <summary>One node of a local cluster: its addresses, its command line, its process.</summary>
internal sealed partial class LocalNode : IDisposable
{
    private const int SigTerm = 15;
    private const int SignalExitBase = 128;

    private readonly CappedLog _log;
    private Process? _process;

    private LocalNode(string name, Uri clientUrl, Uri peerUrl, string dataDir, string logPath)
    {
        Name = name;
        ClientUrl = clientUrl;
        PeerUrl = peerUrl;
        DataDir = dataDir;
        _log = new CappedLog(logPath);
    }

    public string Name { get; }

    public Uri ClientUrl { get; }

    public Uri PeerUrl { get; }

    public string DataDir { get; }

    public string LogPath => _log.FilePath;

    public IReadOnlyList<string> LogTail => _log.Tail;

    /// <summary>The 'serve' command, word by word.</summary>
    public IReadOnlyList<string> Command { get; private set; } = [];

    public int Pid { get; private set; }

    /// <summary>Ends when the process ends.</summary>
    public Task Exited { get; private set; } = Task.CompletedTask;

    /// <summary>
    /// All nodes of a cluster, not started yet. Node i: client port PORT+10·(i−1), peer port one above.
    /// </summary>
    public static IReadOnlyList<LocalNode> Plan(string dataDir, ClusterFile cluster)
    {
        var nodes = Enumerable.Range(0, cluster.Nodes)
            .Select(i => (Name: $"n{i + 1}", Port: cluster.Port + (10 * i)))
            .Select(node => new LocalNode(
                node.Name,
                new Uri($"http://127.0.0.1:{node.Port}"),
                new Uri($"http://127.0.0.1:{node.Port + 1}"),
                Path.Combine(dataDir, node.Name),
                Path.Combine(dataDir, $"{node.Name}.log")))
            .ToArray();
        var members = string.Join(',', nodes.Select(node => $"{node.Name}={UrlText(node.PeerUrl)}"));
        foreach (var node in nodes)
        {
            node.Command =
            [
                .. ThisProgram(),
                "serve",
                "--name", node.Name,
                "--data-dir", Path.GetFullPath(node.DataDir),
                "--listen-client-urls", UrlText(node.ClientUrl),
                "--listen-peer-urls", UrlText(node.PeerUrl),
                "--initial-cluster", members,
                "--initial-cluster-token", cluster.Token,
            ];
        }

        return nodes;
    }

    public static string UrlText(Uri url) => url.GetLeftPart(UriPartial.Authority);

    /// <summary>The command as a line for a shell.</summary>
    public string CommandLine => string.Join(' ', Command.Select(Quoted));

    /// <summary>The line that starts a node on the ports after this one's and lets it join.</summary>
    public string JoinLine(string name, string memberUrl)
    {
        var port = ClientUrl.Port + 10;
        string[] command =
        [
            .. ThisProgram(),
            "serve",
            "--name", name,
            "--data-dir", Path.Combine(Path.GetDirectoryName(Path.GetFullPath(DataDir)) ?? "", name),
            "--listen-client-urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"),
            "--listen-peer-urls", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port + 1}"),
            "--join", memberUrl,
        ];
        return string.Join(' ', command.Select(Quoted));
    }

    public void Start()
    {
        var start = new ProcessStartInfo(Command[0])
        {
            // Its end tells the node that this process is gone; see ParentWatch.
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
        };
        foreach (var argument in Command.Skip(1).Append(ServeCommand.ExitWhenStdinCloses))
        {
            start.ArgumentList.Add(argument);
        }

        var process = Process.Start(start) ?? throw new InvalidOperationException($"'{Command[0]}' did not start.");
        _process = process;
        Pid = process.Id;
        process.OutputDataReceived += (_, line) => Log(line.Data);
        process.ErrorDataReceived += (_, line) => Log(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        Exited = process.WaitForExitAsync();
    }

    /// <summary>"exit code 70" or "killed by signal 9"; call after <see cref="Exited"/>.</summary>
    public string HowItEnded
    {
        get
        {
            var code = _process?.ExitCode ?? 0;
            return code > SignalExitBase
                ? string.Create(CultureInfo.InvariantCulture, $"killed by signal {code - SignalExitBase}")
                : string.Create(CultureInfo.InvariantCulture, $"exit code {code}");
        }
    }

    /// <summary>Asks the node to stop gracefully.</summary>
    public void Terminate()
    {
        if (_process is { HasExited: false })
        {
            _ = SendSignal(Pid, SigTerm); // It may end at this moment; then there is nothing to stop.
        }
    }

    public void Kill()
    {
        if (_process is { HasExited: false } process)
        {
            process.Kill();
        }
    }

    public void Dispose()
    {
        _process?.Dispose();
        _log.Dispose();
    }

    /// <summary>Under 'dotnet kvorum.dll' the process is dotnet, and the program its first argument.</summary>
    internal static string[] ThisProgram()
    {
        var process = Environment.ProcessPath ?? "kvorum";
        return Path.GetFileNameWithoutExtension(process) == "dotnet"
            ? [process, Path.Combine(AppContext.BaseDirectory, "kvorum.dll")]
            : [process];
    }

    private static string Quoted(string word) =>
        word.All(letter => char.IsAsciiLetterOrDigit(letter) || "-_./:=,+@%".Contains(letter, StringComparison.Ordinal))
            ? word
            : $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SendSignal(int pid, int signal);

    private void Log(string? line)
    {
        if (line is not null)
        {
            _log.WriteLine(line);
        }
    }
}
