using Kvorum.Node;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server;

/// <summary>
/// Frames over TCP: dials every peer once to speak, and hears each through the connection that peer dialled.
/// </summary>
#pragma warning disable CA1001 // The field holds nothing outside the heap as long as no wait handle is asked for.
internal sealed class PeerTransport : ITransport
#pragma warning restore CA1001
{
    private readonly PeerTransportOptions _options;
    private readonly ILogger _logger;
    private readonly RepeatedReason _strangers;
    private readonly CancellationTokenSource _stop = new();
    private readonly Dictionary<ulong, PeerLink> _links = [];
    private readonly string _clientUrls;
    private volatile PeerGate? _gate;
    private int _pendingHandshakes;

    public PeerTransport(PeerTransportOptions options, ILogger logger, TimeProvider time)
    {
        _options = options;
        _logger = logger;
        _strangers = new RepeatedReason(time);
        _clientUrls = string.Join('\n', options.AdvertiseClientUrls.Select(url => url.AbsoluteUri.TrimEnd('/')));
        foreach (var peer in options.Peers)
        {
            _links.Add(peer.Node, new PeerLink(peer, this, logger, time));
        }
    }

    public PeerTransportOptions Options => _options;

    /// <summary>This node's client URLs as the handshake carries them.</summary>
    public string ClientUrls => _clientUrls;

    public CancellationToken Stopping => _stop.Token;

    /// <summary>Frames that found no connection or a full buffer.</summary>
    public long FramesDropped => _links.Values.Sum(link => link.FramesDropped);

    /// <summary>Peers with a working connection in both directions.</summary>
    public int ConnectedCount => _links.Values.Count(link => link.IsUp);

    /// <summary>The first client URL the peer told in its last handshake; null when it was never heard.</summary>
    public string? ClientUrlOf(ulong peer) => _links.TryGetValue(peer, out var link) ? link.ClientUrl : null;

    public void Send(ulong peer, ReadOnlySpan<byte> frame)
    {
        ArgumentOutOfRangeException.ThrowIfZero(frame.Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(frame.Length, PeerLimits.FrameBytesMax);
        if (_links.TryGetValue(peer, out var link))
        {
            link.Send(frame);
        }
    }

    public void SetPeers(IReadOnlyList<MemberAddress> peers)
    {
        // The membership of a running cluster does not change yet.
    }

    public void Start(PeerGate gate)
    {
        if (Interlocked.CompareExchange(ref _gate, gate, null) is not null)
        {
            throw new InvalidOperationException("The transport has been started before.");
        }

        foreach (var link in _links.Values)
        {
            link.StartDialling(gate);
        }
    }

    public async ValueTask StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        foreach (var link in _links.Values)
        {
            await link.StopAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Serves one accepted connection: handshake, then frames until it breaks.</summary>
    public async Task AcceptAsync(ConnectionContext connection)
    {
        var from = connection.RemoteEndPoint?.ToString() ?? "an unknown address";
        PeerLink? link = null;
        try
        {
            if (Interlocked.Increment(ref _pendingHandshakes) > PeerLimits.PendingHandshakesMax)
            {
                if (_strangers.IsWorthLogging("too many handshakes"))
                {
                    _logger.TooManyHandshakes(PeerLimits.PendingHandshakesMax, from);
                }

                return;
            }

            link = await GreetAsync(connection, from).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _pendingHandshakes);
        }

        if (link is not null && _gate is { } gate)
        {
            await link.HearAsync(connection, gate).ConfigureAwait(false);
        }
    }

    /// <summary>The listener's half of the handshake; null when the connection must be closed.</summary>
    private async Task<PeerLink?> GreetAsync(ConnectionContext connection, string from)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, connection.ConnectionClosed);
        deadline.CancelAfter(_options.HandshakeTimeout);
        try
        {
            PeerSocketOptions.Apply(connection);
            var heard = await PeerHandshake.ReadSpeakerAsync(connection.Transport.Input, deadline.Token)
                .ConfigureAwait(false);
            var (verdict, reason) = await JudgeAsync(heard).ConfigureAwait(false);
            if (verdict is not PeerVerdict.Welcome)
            {
                var isKnown = heard.Error is null && _links.ContainsKey(heard.Hello.Node);
                LogRefusal(from, isKnown ? heard.Hello.Node : null, reason);
                if (heard.IsPeer)
                {
                    var refusal = PeerWire.EncodeAnswer(verdict, PeerWire.EncodeText(reason));
                    await connection.Transport.Output.WriteAsync(refusal, deadline.Token).ConfigureAwait(false);
                }

                return null;
            }

            var link = _links[heard.Hello.Node];
            link.RememberClientUrls(heard.ClientUrls);
            var speaker = PeerWire.EncodeSpeaker(_gate!.HelloTo(heard.Hello.Node), _clientUrls); // Judged, so started.
            var welcome = PeerWire.EncodeAnswer(PeerVerdict.Welcome, speaker);
            await connection.Transport.Output.WriteAsync(welcome, deadline.Token).ConfigureAwait(false);
            return link;
        }
        catch (OperationCanceledException)
        {
            if (!_stop.IsCancellationRequested && !connection.ConnectionClosed.IsCancellationRequested)
            {
                LogRefusal(from, null, $"no handshake within {_options.HandshakeTimeout.TotalSeconds} s");
            }
        }
        catch (IOException)
        {
            // Closed in the middle of the handshake: the dialler will come again or not.
        }

        return null;
    }

    private async Task<(PeerVerdict Verdict, string Reason)> JudgeAsync(HeardSpeaker heard)
    {
        if (heard.Error is { } error)
        {
            return (heard.ErrorVerdict, error);
        }

        if (_gate is not { } gate || _stop.IsCancellationRequested)
        {
            return (PeerVerdict.NotReady, "the node is starting or stopping");
        }

        var (verdict, reason) = PeerHandshake.Examine(heard.Hello, _options);
        if (verdict is PeerVerdict.Welcome)
        {
            // The gate may write to disk, so it gets a thread of its own for the moment.
            var refusal = await Task.Run(() => gate.Judge(heard.Hello)).ConfigureAwait(false);
            return refusal is null ? (PeerVerdict.Welcome, "") : (PeerVerdict.RefusedByNode, refusal);
        }

        return (verdict, reason);
    }

    private void LogRefusal(string from, ulong? peer, string reason)
    {
        var repeated = peer is { } known ? _links[known].Refusals : _strangers;
        if (repeated.IsWorthLogging(reason))
        {
            _logger.RefusedPeer(from, reason);
        }
    }
}
