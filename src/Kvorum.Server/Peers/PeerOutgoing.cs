using System.Net.Sockets;

namespace Kvorum.Server;

/// <summary>A dialled connection after its handshake: what this node says to one peer.</summary>
/// <remarks>
/// A sender copies its frame into the buffer under a short lock; whoever finds no write under way queues one. A write
/// takes all that was gathered meanwhile, so the busier the peer, the fewer the calls.
/// </remarks>
internal sealed class PeerOutgoing(Socket socket, Uri url) : IThreadPoolWorkItem, IDisposable
{
    private readonly Lock _lock = new();
    private readonly FrameBuffer _frames = new();
    private bool _isWriting;
    private bool _isClosed;

    /// <summary>The address that was dialled.</summary>
    public Uri Url => url;

    /// <summary>False when the frame was dropped.</summary>
    public bool TrySend(ReadOnlySpan<byte> frame)
    {
        Span<byte> header = stackalloc byte[PeerWire.FrameHeaderBytes];
        PeerWire.WriteFrameHeader(header, frame);
        lock (_lock)
        {
            if (_isClosed || !_frames.TryAppend(header, frame))
            {
                return false;
            }

            if (_isWriting)
            {
                return true;
            }

            _isWriting = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        return true;
    }

    /// <summary>
    /// Completes when the connection is gone: a listener never speaks after its answer, so any reading is the end.
    /// </summary>
    public async Task WaitForCloseAsync(CancellationToken cancel)
    {
        try
        {
            await socket.ReceiveAsync(new byte[1], SocketFlags.None, cancel).ConfigureAwait(false);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Reset, closed by a failed write, or this node stops: all of them end the connection.
        }
    }

    void IThreadPoolWorkItem.Execute() => _ = WriteAllAsync();

    public void Dispose()
    {
        lock (_lock)
        {
            _isClosed = true;
        }

        socket.Dispose();
    }

    private async Task WriteAllAsync()
    {
        try
        {
            while (true)
            {
                ReadOnlyMemory<byte> gathered;
                lock (_lock)
                {
                    if (_isClosed || _frames.IsEmpty)
                    {
                        _isWriting = false;
                        return;
                    }

                    gathered = _frames.Take();
                }

                while (gathered.Length > 0)
                {
                    var written = await socket.SendAsync(gathered, SocketFlags.None).ConfigureAwait(false);
                    gathered = gathered[written..];
                }
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            Dispose(); // Ends the pending receive, which tells the link.
        }
    }
}
