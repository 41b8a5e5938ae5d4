using System.Net.Sockets;
using Kvorum.Node;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>Everything between this node and one peer: the connection it dials and the one it hears.</summary>
/// <remarks>
/// The link is up while both work. When the heard one breaks, the dialled one is left alone: closing it would break the
/// peer's hearing, which would close ours again, without end.
/// </remarks>
#pragma warning disable CA1001 // The fields hold nothing outside the heap as long as no wait handle is asked for.
internal sealed class PeerLink
#pragma warning restore CA1001
{
    private readonly PeerTransport _transport;
    private readonly ILogger _logger;
    private readonly RepeatedReason _dialFailures;
    private readonly SemaphoreSlim _nudge = new(0);
    private readonly CancellationTokenSource _stop;
    private readonly Lock _stateLock = new();
    private volatile ServerMember _peer;
    private volatile PeerOutgoing? _outgoing;
    private PeerIncoming? _incoming;
    private Task _dialling = Task.CompletedTask;
    private bool _isHeard;
    private bool _isRetired;
    private volatile bool _isUp;
    private volatile bool _isRefusedAsStranger;
    private volatile string? _clientUrl;
    private long _framesDropped;

    public PeerLink(ServerMember peer, PeerTransport transport, ILogger logger, TimeProvider time)
    {
        _peer = peer;
        _transport = transport;
        _logger = logger;
        _dialFailures = new RepeatedReason(time);
        _stop = CancellationTokenSource.CreateLinkedTokenSource(transport.Stopping);
        Refusals = new RepeatedReason(time);
    }

    /// <summary>Refusals of this peer, for the log.</summary>
    public RepeatedReason Refusals { get; }

    public ServerMember Peer => _peer;

    public bool IsUp => _isUp;

    /// <summary>The last dial was answered: this node is no member.</summary>
    public bool IsRefusedAsStranger => _isRefusedAsStranger;

    public string? ClientUrl => _clientUrl;

    public long FramesDropped => Interlocked.Read(ref _framesDropped);

    public void Send(ReadOnlySpan<byte> frame)
    {
        if (_outgoing is not { } outgoing || !outgoing.TrySend(frame))
        {
            Interlocked.Increment(ref _framesDropped);
        }
    }

    public void RememberClientUrls(string clientUrls)
    {
        if (PeerHandshake.TryFirstUrl(clientUrls, out var url))
        {
            _clientUrl = url;
        }
    }

    public void StartDialling(PeerGate gate) => _dialling = Task.Run(() => DialAsync(gate));

    /// <summary>The peer has another name or address from now on: a connection to the old address is closed.</summary>
    public void Move(ServerMember peer)
    {
        lock (_stateLock)
        {
            var isElsewhere = peer.PeerUrl != _peer.PeerUrl;
            _peer = peer;
            if (!isElsewhere)
            {
                return;
            }

            _outgoing?.Dispose(); // Ends its reading, upon which the new address is dialled.
        }

        _dialFailures.Forget();
        _nudge.Release();
    }

    /// <summary>
    /// The peer is no member any more: both connections are closed, and the gate hears of it before this returns.
    /// </summary>
    /// <returns>Completes when nothing of this link runs.</returns>
    public Task RetireAsync(PeerGate? gate)
    {
        PeerIncoming? incoming;
        lock (_stateLock)
        {
            if (gate is not null)
            {
                SetUp(false, gate);
            }

            _isRetired = true;
            incoming = _incoming;
        }

        incoming?.Abort();
        return EndAsync();

        async Task EndAsync()
        {
            await _stop.CancelAsync().ConfigureAwait(false);
            await StopAsync().ConfigureAwait(false);
        }
    }

    /// <summary>After the transport's token was cancelled: waits until nothing of this link runs.</summary>
    public async Task StopAsync()
    {
        await _dialling.ConfigureAwait(false);
        PeerIncoming? incoming;
        lock (_stateLock)
        {
            incoming = _incoming;
        }

        if (incoming is not null)
        {
            incoming.Abort();
            await incoming.Finished.ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Delivers frames from an accepted connection until it breaks; a newer one from the same peer replaces it.
    /// </summary>
    public async Task HearAsync(ConnectionContext connection, PeerGate gate)
    {
        var incoming = new PeerIncoming(connection, _peer, gate, _logger);
        PeerIncoming? previous;
        lock (_stateLock)
        {
            if (_isRetired)
            {
                return; // It was removed between its handshake and now.
            }

            previous = _incoming;
            _incoming = incoming;
        }

        try
        {
            if (previous is not null)
            {
                previous.Abort();
                await previous.Finished.ConfigureAwait(false); // Its last frames come before our first.
            }

            Refusals.Forget();
            SetHeard(incoming, true, gate);
            _nudge.Release(); // The peer is there: dial now rather than after the back-off.
            await incoming.RunAsync(_stop.Token).ConfigureAwait(false);
        }
        finally
        {
            SetHeard(incoming, false, gate);
            incoming.Finish();
        }
    }

    private async Task DialAsync(PeerGate gate)
    {
        var stop = _stop.Token;
        var backOff = PeerLimits.BackOffMin;
        while (!stop.IsCancellationRequested)
        {
            if (await ConnectAsync(gate, stop).ConfigureAwait(false) is { } outgoing)
            {
                backOff = PeerLimits.BackOffMin;
                _dialFailures.Forget();
                SetOutgoing(outgoing, gate);
                await outgoing.WaitForCloseAsync(stop).ConfigureAwait(false);
                SetOutgoing(null, gate);
                outgoing.Dispose();
            }

            try
            {
                // Half fixed, half by chance, so that nodes that broke together do not come back in step.
                var pause = backOff * (0.5 + (Random.Shared.NextDouble() / 2));
                var wasNudged = await _nudge.WaitAsync(pause, stop).ConfigureAwait(false);
                backOff = wasNudged ? PeerLimits.BackOffMin : TimeSpan.FromTicks(
                    Math.Min(backOff.Ticks * 2, PeerLimits.BackOffMax.Ticks));
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Connects and shakes hands; null when that failed, which has been logged.</summary>
    private async Task<PeerOutgoing?> ConnectAsync(PeerGate gate, CancellationToken stop)
    {
        var peer = _peer;
        if (peer.PeerUrl is not { } url)
        {
            return null; // Nobody has told yet where it is.
        }

        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(stop);
        deadline.CancelAfter(_transport.Options.HandshakeTimeout);
        var dial = new PeerDial(peer, url, _transport.Options, gate);
        try
        {
            var speaker = PeerWire.EncodeSpeaker(gate.HelloTo(peer.Node), _transport.ClientUrls);
            var (socket, clientUrls) = await dial.ConnectAsync(speaker, deadline.Token).ConfigureAwait(false);
            _isRefusedAsStranger = false;
            RememberClientUrls(clientUrls);
            return new PeerOutgoing(socket, url);
        }
        catch (PeerRefusedException refusal)
        {
            _isRefusedAsStranger = refusal.Verdict is PeerVerdict.NotAMember;
            if (_dialFailures.IsWorthLogging(refusal.Message))
            {
                _logger.RefusedByPeer(peer.Name, url, refusal.Message);
            }
        }
        catch (Exception error) when (error is SocketException or IOException or OperationCanceledException)
        {
            var reason = error is OperationCanceledException
                ? $"no answer within {_transport.Options.HandshakeTimeout.TotalSeconds} s"
                : error.Message;
            if (!stop.IsCancellationRequested && _dialFailures.IsWorthLogging(reason))
            {
                _logger.DialFailed(peer.Name, url, reason);
            }
        }

        return null;
    }

    private void SetOutgoing(PeerOutgoing? outgoing, PeerGate gate)
    {
        lock (_stateLock)
        {
            if (outgoing is not null && outgoing.Url != _peer.PeerUrl)
            {
                outgoing.Dispose(); // The peer moved while its old address was dialled.
                return;
            }

            _outgoing = outgoing;
            SetUp(_outgoing is not null && _isHeard, gate);
        }
    }

    private void SetHeard(PeerIncoming incoming, bool isHeard, PeerGate gate)
    {
        lock (_stateLock)
        {
            if (_incoming != incoming)
            {
                return; // A newer connection has taken its place; what happens to this one is no news.
            }

            _isHeard = isHeard;
            _incoming = isHeard ? incoming : null;
            SetUp(_outgoing is not null && _isHeard, gate);
        }
    }

    /// <summary>Under the state lock, so that the gate hears changes in their order and each once.</summary>
    private void SetUp(bool isUp, PeerGate gate)
    {
        if (isUp == _isUp || _isRetired)
        {
            return;
        }

        _isUp = isUp;
        if (_transport.Stopping.IsCancellationRequested)
        {
            return;
        }

        if (isUp)
        {
            gate.Connected(_peer.Node);
            _logger.PeerConnected(_peer.Name);
        }
        else
        {
            gate.Lost(_peer.Node);
            _logger.PeerLost(_peer.Name);
        }
    }
}
