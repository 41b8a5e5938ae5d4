namespace Kvorum.Node.Tests;

/// <summary>
/// Connects nodes of one process by method calls; links can be cut. Frames keep their order. A link exists where a node
/// was told of a peer and both gates let the other in; what was refused is dialled again with the next frame.
/// </summary>
internal sealed class MemoryNetwork
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Port> _ports = [];
    private readonly HashSet<(ulong, ulong)> _cut = [];
    private readonly HashSet<(ulong From, ulong To)> _up = [];

    /// <summary>Why gates refused somebody, newest last.</summary>
    public List<string> Refusals { get; } = [];

    public ITransport PortOf(ulong node) => new Port(this, node);

    /// <summary>Cuts all links of a node, in both directions; both ends notice.</summary>
    public void Isolate(ulong node)
    {
        foreach (var other in Others(node))
        {
            lock (_lock)
            {
                _cut.Add((node, other.Node));
                _cut.Add((other.Node, node));
            }

            Drop(node, other.Node);
        }
    }

    public void Heal()
    {
        lock (_lock)
        {
            _cut.Clear();
        }

        DialAll();
    }

    private void Attach(Port port)
    {
        lock (_lock)
        {
            _ports[port.Node] = port;
        }

        DialAll();
    }

    private void Detach(Port port)
    {
        lock (_lock)
        {
            if (_ports.TryGetValue(port.Node, out var current) && current == port)
            {
                _ports.Remove(port.Node);
            }
        }

        foreach (var other in Others(port.Node))
        {
            Drop(port.Node, other.Node);
        }
    }

    private void DialAll()
    {
        foreach (var one in All())
        {
            foreach (var peer in one.Peers)
            {
                Dial(one, peer);
            }
        }
    }

    private bool Dial(Port one, ulong peer)
    {
        lock (_lock)
        {
            if (_up.Contains((one.Node, peer)))
            {
                return true;
            }
        }

        if (IsCut(one.Node, peer) || one.Gate is not { } gate || Find(peer)?.Gate is not { } other || !one.Peers.Contains(peer))
        {
            return false;
        }

        var refusal = other.Judge(gate.HelloTo(peer)) ?? gate.Judge(other.HelloTo(one.Node));
        bool isBoth;
        lock (_lock)
        {
            if (refusal is not null)
            {
                Refusals.Add(refusal);
                return false;
            }

            if (!_up.Add((one.Node, peer)))
            {
                return true;
            }

            isBoth = _up.Contains((peer, one.Node));
        }

        if (isBoth)
        {
            gate.Connected(peer);
            other.Connected(one.Node);
        }

        return true;
    }

    /// <summary>Closes the links between two nodes, and tells both.</summary>
    private void Drop(ulong one, ulong other)
    {
        lock (_lock)
        {
            if (!(_up.Remove((one, other)) | _up.Remove((other, one))))
            {
                return;
            }
        }

        Find(one)?.Gate?.Lost(other);
        Find(other)?.Gate?.Lost(one);
    }

    private bool IsCut(ulong from, ulong to)
    {
        lock (_lock)
        {
            return _cut.Contains((from, to));
        }
    }

    private Port? Find(ulong node)
    {
        lock (_lock)
        {
            return _ports.GetValueOrDefault(node);
        }
    }

    private Port[] All()
    {
        lock (_lock)
        {
            return [.. _ports.Values];
        }
    }

    private IEnumerable<Port> Others(ulong node) => All().Where(port => port.Node != node);

    private sealed class Port(MemoryNetwork network, ulong node) : ITransport
    {
        private volatile ulong[] _peers = [];

        public ulong Node { get; } = node;

        public ulong[] Peers => _peers;

        public PeerGate? Gate { get; private set; }

        public void Send(ulong peer, ReadOnlySpan<byte> frame)
        {
            if (network.Dial(this, peer) && !network.IsCut(Node, peer) && network.Find(peer)?.Gate is { } gate)
            {
                gate.Receive(Node, frame.ToArray());
            }
        }

        public void SetPeers(IReadOnlyList<MemberAddress> peers)
        {
            var before = _peers;
            _peers = [.. peers.Select(peer => peer.Node)];
            foreach (var gone in before.Except(_peers))
            {
                network.Drop(Node, gone);
            }

            network.DialAll();
        }

        public void Start(PeerGate gate)
        {
            Gate = gate;
            network.Attach(this);
        }

        public ValueTask StopAsync()
        {
            network.Detach(this);
            Gate = null;
            return ValueTask.CompletedTask;
        }
    }
}
