using System.Buffers.Binary;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Kvorum.Server;

/// <summary>What every peer socket gets: no delay, and the two timers that find a half-open connection.</summary>
internal static class PeerSocketOptions
{
    private const int TcpLevel = 6;
    private const int LinuxTcpUserTimeout = 18;

    public static void Apply(ConnectionContext connection)
    {
        if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket)
        {
            Apply(socket);
        }
    }

    public static void Apply(Socket socket)
    {
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, PeerLimits.KeepAliveSeconds);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 1);
        socket.SetSocketOption(
            SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, PeerLimits.KeepAliveProbesMax);
        if (OperatingSystem.IsLinux())
        {
            // Keep-alive probes stop while data is unacknowledged; this timer covers that case.
            Span<byte> milliseconds = stackalloc byte[sizeof(int)];
            BinaryPrimitives.WriteInt32LittleEndian(milliseconds, PeerLimits.UnacknowledgedMillisecondsMax);
            socket.SetRawSocketOption(TcpLevel, LinuxTcpUserTimeout, milliseconds);
        }
    }
}
