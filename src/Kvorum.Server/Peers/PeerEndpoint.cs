using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>What Kestrel calls for every connection to the peer port.</summary>
internal sealed class PeerEndpoint(PeerTransport transport, ILogger<PeerEndpoint> logger) : ConnectionHandler
{
    public override async Task OnConnectedAsync(ConnectionContext connection)
    {
        try
        {
            await transport.AcceptAsync(connection).ConfigureAwait(false);
        }
        catch (Exception error) when (error is ConnectionResetException or ConnectionAbortedException)
        {
            // The peer went away; its link has been told.
        }
#pragma warning disable CA1031 // Whatever one connection does must not take the listener down.
        catch (Exception error)
#pragma warning restore CA1031
        {
            logger.PeerConnectionFailed(error);
        }
    }
}
