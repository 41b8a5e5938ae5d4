using System.Net;
using System.Net.Sockets;

namespace Kvorum.SystemTests.Running;

/// <summary>Ports nobody listens on, from a range outside the one the system gives to clients.</summary>
public static class FreePorts
{
    private const int First = 20_000;
    private const int Last = 29_999;

    private static readonly Lock Guard = new();
    private static int _next = Random.Shared.Next(First, Last);

    /// <summary><paramref name="count"/> ports in a row; no two calls of a process give the same soon.</summary>
    public static int Block(int count)
    {
        lock (Guard)
        {
            for (var tried = 0; tried <= Last - First; tried++)
            {
                var start = _next + count > Last ? First : _next;
                if (Enumerable.Range(start, count).All(IsFree))
                {
                    _next = start + count;
                    return start;
                }

                _next = start + 1;
            }
        }

        throw new InvalidOperationException($"No {count} free ports in a row from {First} to {Last}.");
    }

    private static bool IsFree(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
