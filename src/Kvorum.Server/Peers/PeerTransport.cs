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
    private readonly TimeProvider _time;
    private readonly RepeatedReason _strangers;
    private readonly FormerPeers _former;
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _peersLock = new();
    private readonly List<Task> _retiring = [];
    private readonly string _clientUrls;

    /// <summary>Replaced as a whole when the peers change: who sends a frame takes no lock.</summary>
    private volatile Dictionary<ulong, PeerLink> _links = [];

    /// <summary>Nodes the gate let in that are not among the peers: heard, never dialled. Under the lock.</summary>
    private readonly Dictionary<ulong, PeerLink> _guests = [];
    private volatile PeerGate? _gate;
    private int _pendingHandshakes;
    private long _retiredFramesDropped;

    public PeerTransport(PeerTransportOptions options, ILogger logger, TimeProvider time)
    {
        _options = options;
        _logger = logger;
        _time = time;
        _strangers = new RepeatedReason(time);
        _former = new FormerPeers(time);
        _clientUrls = string.Join('\n', options.AdvertiseClientUrls.Select(url => url.AbsoluteUri.TrimEnd('/')));
        SetLinks(options.Peers);
    }

    public PeerTransportOptions Options => _options;

    /// <summary>This node's client URLs as the handshake carries them.</summary>
    public string ClientUrls => _clientUrls;

    public CancellationToken Stopping => _stop.Token;

    /// <summary>Frames that found no connection or a full buffer.</summary>
    public long FramesDropped =>
        Interlocked.Read(ref _retiredFramesDropped) + _links.Values.Sum(link => link.FramesDropped);

    /// <summary>Peers with a working connection in both directions.</summary>
    public int ConnectedCount => _links.Values.Count(link => link.IsUp);

    /// <summary>The first client URL the peer told in its last handshake; null when it was never heard.</summary>
    public string? ClientUrlOf(ulong peer) => _links.TryGetValue(peer, out var link) ? link.ClientUrl : null;

    /// <summary>
    /// The peers that say this node is no member, when they are a majority of the others and nobody speaks with it;
    /// else nobody. A moment may deceive: a peer may not have heard yet of a node just added.
    /// </summary>
    public IReadOnlyList<string> ThoseWhoDisownThisNode()
    {
        var links = _links.Values;
        string[] names =
        [
            .. links.Where(link => link.IsRefusedAsStranger).Select(link => link.Peer.Name)
                .Order(StringComparer.Ordinal),
        ];
        return names.Length * 2 > links.Count && !links.Any(link => link.IsUp) ? names : [];
    }

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
        var known = _links;
        SetLinks(
        [
            .. peers.Where(peer => peer.Node != _options.Node)
                .DistinctBy(peer => peer.Node)
                .Select(peer => MemberOf(peer, known)),
        ]);
    }

    public void Start(PeerGate gate)
    {
        lock (_peersLock)
        {
            if (_gate is not null)
            {
                throw new InvalidOperationException("The transport has been started before.");
            }

            _gate = gate;
            foreach (var link in _links.Values)
            {
                link.StartDialling(gate);
            }
        }
    }

    public async ValueTask StopAsync()
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        Task[] retiring;
        PeerLink[] links;
        lock (_peersLock)
        {
            links = [.. _links.Values, .. _guests.Values];
            retiring = [.. _retiring];
        }

        foreach (var link in links)
        {
            await link.StopAsync().ConfigureAwait(false);
        }

        await Task.WhenAll(retiring).ConfigureAwait(false);
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
            if (heard is { Error: null } && heard.Hello == PeerHandshake.WhoIsThere && _gate is { } gate)
            {
                var own = PeerWire.EncodeSpeaker(gate.HelloTo(0), _clientUrls);
                var introduction = PeerWire.EncodeAnswer(PeerVerdict.Introduction, own);
                await connection.Transport.Output.WriteAsync(introduction, deadline.Token).ConfigureAwait(false);
                return null;
            }

            var (verdict, reason) = await JudgeAsync(heard).ConfigureAwait(false);
            if (verdict is not PeerVerdict.Welcome)
            {
                LogRefusal(from, heard.Error is null ? heard.Hello.Node : null, reason);
                if (heard.IsPeer)
                {
                    var refusal = PeerWire.EncodeAnswer(verdict, PeerWire.EncodeText(reason));
                    await connection.Transport.Output.WriteAsync(refusal, deadline.Token).ConfigureAwait(false);
                }

                return null;
            }

            if (LinkOf(heard.Hello.Node) is not { } link)
            {
                if (_strangers.IsWorthLogging("too many guests"))
                {
                    _logger.TooManyGuests(PeerLimits.GuestsMax, from);
                }

                return null;
            }

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
        if (verdict is not PeerVerdict.Welcome)
        {
            return (verdict, reason);
        }

        // The gate may write to disk, so it gets a thread of its own for the moment.
        var refusal = await Task.Run(() => gate.Judge(heard.Hello)).ConfigureAwait(false);
        if (refusal is null)
        {
            return (PeerVerdict.Welcome, "");
        }

        return _links.ContainsKey(heard.Hello.Node)
            ? (PeerVerdict.RefusedByNode, refusal)
            : (PeerVerdict.NotAMember, _former.WhyRemoved(heard.Hello.Node) ?? refusal);
    }

    private void LogRefusal(string from, ulong? peer, string reason)
    {
        var repeated = peer is not { } node ? _strangers
            : _links.TryGetValue(node, out var link) ? link.Refusals
            : _former.RefusalsOf(node) ?? _strangers;
        if (repeated.IsWorthLogging(reason))
        {
            _logger.RefusedPeer(from, reason);
        }
    }

    /// <summary>The peer's link, or that of a guest the gate has let in; null when there are too many guests.</summary>
    private PeerLink? LinkOf(ulong node)
    {
        lock (_peersLock)
        {
            if (_links.TryGetValue(node, out var link) || _guests.TryGetValue(node, out link))
            {
                return link;
            }

            if (_guests.Count == PeerLimits.GuestsMax)
            {
                return null;
            }

            var name = node.ToString("x16", null);
            link = new PeerLink(new ServerMember(name, node, PeerUrl: null), this, _logger, _time);
            _guests.Add(node, link);
            return link;
        }
    }

    /// <summary>What a list does not tell of a member, it keeps as it was.</summary>
    private ServerMember MemberOf(MemberAddress peer, Dictionary<ulong, PeerLink> known)
    {
        var before = known.TryGetValue(peer.Node, out var link)
            ? link.Peer
            : _options.Peers.FirstOrDefault(other => other.Node == peer.Node);
        var name = peer.Name.Length > 0 ? peer.Name : before?.Name ?? peer.Node.ToString("x16", null);
        var url = Uri.TryCreate(peer.PeerUrl, UriKind.Absolute, out var parsed) ? parsed : before?.PeerUrl;
        return new ServerMember(name, peer.Node, url);
    }

    private void SetLinks(IReadOnlyList<ServerMember> peers)
    {
        lock (_peersLock)
        {
            var before = _links;
            var links = new Dictionary<ulong, PeerLink>(peers.Count);
            var added = new List<PeerLink>();
            foreach (var peer in peers)
            {
                if (before.TryGetValue(peer.Node, out var link))
                {
                    link.Move(peer);
                }
                else
                {
                    link = new PeerLink(peer, this, _logger, _time);
                    added.Add(link);
                    _former.Forget(peer.Node);
                }

                links.Add(peer.Node, link);
            }

            _links = links;
            _retiring.RemoveAll(task => task.IsCompleted);

            // Guests dial again and are judged by what is known now.
            _retiring.AddRange(_guests.Values.Select(guest => guest.RetireAsync(_gate)));
            _guests.Clear();
            foreach (var (node, link) in before.Where(pair => !links.ContainsKey(pair.Key)))
            {
                _logger.PeerRemoved(link.Peer.Name);
                _former.Remember(node, link.Peer.Name);
                Interlocked.Add(ref _retiredFramesDropped, link.FramesDropped);
                _retiring.Add(link.RetireAsync(_gate));
            }

            if (_gate is { } gate)
            {
                added.ForEach(link => link.StartDialling(gate));
            }
        }
    }
}
