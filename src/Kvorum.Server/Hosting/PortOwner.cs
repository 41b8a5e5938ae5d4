using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Kvorum.Server;

/// <summary>Finds out whether a port is free, and who holds it when it is not.</summary>
public static class PortOwner
{
    /// <summary>
    /// The most sockets and descriptors looked at: a machine with more gets a message without an owner.
    /// </summary>
    private const int LinesMax = 100_000;

    private const int LocalAddressColumn = 1;
    private const int StateColumn = 3;
    private const int InodeColumn = 9;
    private const string ListenState = "0A";

    private static readonly string[] SocketTables = ["/proc/net/tcp", "/proc/net/tcp6"];

    /// <summary>
    /// A message that names the port of a URL and who holds it; null when it can be had, or is not ours to judge.
    /// </summary>
    public static string? DescribeIfBusy(Uri url)
    {
        var address = IPAddress.TryParse(url.Host.Trim('[', ']'), out var parsed) ? parsed : IPAddress.Loopback;
        return BindingError(new IPEndPoint(address, url.Port)) is { SocketErrorCode: SocketError.AddressAlreadyInUse }
            ? Busy(url.Port)
            : null;
    }

    /// <summary>Binds and lets go, so that a busy port is told before the data directory is touched.</summary>
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    internal static void RequireFree(string option, Uri url, IEnumerable<IPEndPoint> endpoints)
    {
        foreach (var endpoint in endpoints.Where(endpoint => endpoint.Port != 0))
        {
            var error = BindingError(endpoint);
            switch (error?.SocketErrorCode)
            {
                case null or SocketError.AddressFamilyNotSupported:
                    break; // Free; or a machine without IPv6: localhost is then its IPv4 address only.
                case SocketError.AddressAlreadyInUse:
                    throw new IOException(
                        $"--{option}: cannot listen on {url}: {Busy(endpoint.Port)}. Stop it or choose another port.",
                        error);
                default:
                    throw new IOException($"--{option}: cannot listen on {url}: {error.Message}.", error);
            }
        }
    }

    private static SocketException? BindingError(IPEndPoint endpoint)
    {
        try
        {
            using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);

            // As a node binds: connections of a former process that linger do not count.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(endpoint);
            socket.Listen(1);
            return null;
        }
        catch (SocketException error)
        {
            return error;
        }
    }

    private static string Busy(int port) => Find(port) is { } found
        ? $"port {port} is in use by pid {found.ProcessId} ({found.Program})"
        : $"port {port} is in use by another process (its owner could not be found)";

    /// <summary>The process that listens on a TCP port; null when unknown (not Linux, or not ours to see).</summary>
    private static (int ProcessId, string Program)? Find(int port)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            var links = SocketTables
                .Where(File.Exists)
                .SelectMany(File.ReadLines)
                .Take(LinesMax)
                .Select(line => ListeningInode(line, port))
                .Where(inode => inode is not null)
                .Select(inode => $"socket:[{inode}]")
                .ToHashSet();
            return links.Count == 0 ? null : FindHolder(links);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string? ListeningInode(string line, int port)
    {
        var columns = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (columns.Length <= InodeColumn || columns[StateColumn] != ListenState)
        {
            return null;
        }

        var local = columns[LocalAddressColumn];
        var portText = local.AsSpan(local.IndexOf(':') + 1);
        return int.TryParse(portText, NumberStyles.HexNumber, null, out var found) && found == port
            ? columns[InodeColumn]
            : null;
    }

    private static (int ProcessId, string Program)? FindHolder(HashSet<string> links)
    {
        var looked = 0;
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(process), out var id))
            {
                continue;
            }

            try
            {
                foreach (var descriptor in Directory.EnumerateFiles($"{process}/fd"))
                {
                    if (++looked > LinesMax)
                    {
                        return null;
                    }

                    if (new FileInfo(descriptor).LinkTarget is { } target && links.Contains(target))
                    {
                        return (id, File.ReadAllText($"{process}/comm").Trim());
                    }
                }
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // Another user's process, or one that has just ended.
            }
        }

        return null;
    }
}
