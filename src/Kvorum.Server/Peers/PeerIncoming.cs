using Kvorum.Node;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>An accepted connection after its handshake: what one peer says to this node.</summary>
internal sealed class PeerIncoming(ConnectionContext connection, ServerMember peer, PeerGate gate, ILogger logger)
{
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when no frame of this connection will be delivered any more.</summary>
    public Task Finished => _finished.Task;

    public void Abort()
    {
        connection.Transport.Input.CancelPendingRead();
        connection.Abort();
    }

    public void Finish() => _finished.TrySetResult();

    /// <summary>Delivers frames until the connection ends, is aborted, or sends something that is no frame.</summary>
    public async Task RunAsync(CancellationToken stop)
    {
        var input = connection.Transport.Input;
        var reader = new FrameReader(peer.Node, gate);
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var result = await input.ReadAsync(stop).ConfigureAwait(false);
                if (result.IsCanceled)
                {
                    return;
                }

                var buffer = result.Buffer;
                if (reader.Deliver(ref buffer) is { } reason)
                {
                    logger.BadFrame(peer.Name, reason);
                    connection.Abort();
                    return;
                }

                input.AdvanceTo(buffer.Start, buffer.End);
                if (result.IsCompleted)
                {
                    return;
                }
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException or ObjectDisposedException)
        {
            // Reset by the peer, aborted for a newer connection, or this node stops.
        }
    }
}
