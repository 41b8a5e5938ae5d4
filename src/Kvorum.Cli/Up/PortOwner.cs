using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Kvorum.Cli.Up;

/// <summary>Who listens on a port already, as far as the system tells.</summary>
internal static class PortOwner
{
    private const string ListenState = "0A";

    /// <summary>A message that names the port and its owner; null when the address can be had.</summary>
    public static string? DescribeIfBusy(Uri url)
    {
        var address = IPAddress.TryParse(url.Host.Trim('[', ']'), out var parsed) ? parsed : IPAddress.Loopback;
        try
        {
            using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            // As the node itself will bind: connections of a former process that linger do not count.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(address, url.Port));
            socket.Listen(1);
            return null;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            var owner = OwnerOf(url.Port);
            return $"port {url.Port} is in use by {owner ?? "another process (its owner could not be found)"}";
        }
        catch (SocketException)
        {
            return null; // Not ours to judge: the node will say why it cannot listen there.
        }
    }

    /// <summary>
    /// "pid 4711 (nginx)"; null when no process of ours to see listens there, or the system has no /proc.
    /// </summary>
    public static string? OwnerOf(int port)
    {
        var inodes = ListeningInodes("/proc/net/tcp", port).Concat(ListeningInodes("/proc/net/tcp6", port));
        var links = inodes.Select(inode => $"socket:[{inode}]").ToArray();
        if (links.Length == 0)
        {
            return null;
        }

        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out var pid)
                && HoldsOneOf(process, links))
            {
                return $"pid {pid} ({ProgramOf(process)})";
            }
        }

        return null;
    }

    /// <summary>
    /// Lines: "sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …" (proc(5)).
    /// </summary>
    private static IEnumerable<string> ListeningInodes(string path, int port)
    {
        if (!TryRead(path, out var text))
        {
            yield break;
        }

        var ending = $":{port:X4}";
        foreach (var line in text.Split('\n').Skip(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > 9 && fields[3] == ListenState && fields[1].EndsWith(ending, StringComparison.Ordinal))
            {
                yield return fields[9];
            }
        }
    }

    private static bool HoldsOneOf(string process, string[] links)
    {
        try
        {
            return new DirectoryInfo($"{process}/fd").EnumerateFiles().Any(file => links.Contains(file.LinkTarget));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false; // Ended meanwhile, or belongs to another user.
        }
    }

    private static string ProgramOf(string process) =>
        TryRead($"{process}/comm", out var name) ? name.Trim() : "unknown program";

    private static bool TryRead(string path, [NotNullWhen(true)] out string? text)
    {
        try
        {
            text = File.ReadAllText(path);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            text = null;
            return false;
        }
    }
}
