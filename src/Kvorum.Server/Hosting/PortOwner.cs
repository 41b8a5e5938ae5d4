using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Kvorum.Server;

/// <summary>Finds out whether a port is free, and who holds it when it is not.</summary>
internal static class PortOwner
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

    /// <summary>Binds and lets go, so that a busy port is told before the data directory is touched.</summary>
    /// <exception cref="IOException">The address is in use or not of this machine.</exception>
    public static void RequireFree(string option, Uri url, IEnumerable<IPEndPoint> endpoints)
    {
        foreach (var endpoint in endpoints.Where(endpoint => endpoint.Port != 0))
        {
            try
            {
                using var socket = new Socket(endpoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
                socket.Bind(endpoint);
                socket.Listen();
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse)
            {
                throw Busy(option, url, endpoint.Port, error);
            }
            catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressFamilyNotSupported)
            {
                // A machine without IPv6: localhost is then its IPv4 address only.
            }
            catch (SocketException error)
            {
                throw new IOException($"--{option}: cannot listen on {url}: {error.Message}.", error);
            }
        }
    }

    public static IOException Busy(string option, Uri url, int port, Exception error)
    {
        var owner = Find(port) is { } found ? $"process {found.ProcessId} ({found.Program})" : "another process";
        return new IOException(
            $"--{option}: cannot listen on {url}: port {port} is in use by {owner}. "
            + "Stop it or choose another port.",
            error);
    }

    /// <summary>The process that listens on a TCP port; null when unknown (not Linux, or not ours to see).</summary>
    public static (int ProcessId, string Program)? Find(int port)
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
