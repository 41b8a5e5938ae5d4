namespace Kvorum.Node.Tests;

/// <summary>Connects nodes of one process by method calls; links can be cut. Frames keep their order.</summary>
internal sealed class MemoryNetwork
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Port> _ports = [];
    private readonly HashSet<(ulong, ulong)> _cut = [];

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

            other.Gate?.Lost(node);
            Find(node)?.Gate?.Lost(other.Node);
        }
    }

    public void Heal()
    {
        lock (_lock)
        {
            _cut.Clear();
        }

        foreach (var one in All())
        {
            foreach (var other in Others(one.Node))
            {
                Connect(one, other);
            }
        }
    }

    private void Attach(Port port)
    {
        lock (_lock)
        {
            _ports[port.Node] = port;
        }

        foreach (var other in Others(port.Node))
        {
            Connect(port, other);
        }
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
            other.Gate?.Lost(port.Node);
        }
    }

    private void Connect(Port one, Port other)
    {
        if (IsCut(one.Node, other.Node) || one.Gate is null || other.Gate is null)
        {
            return;
        }

        if (other.Gate.Judge(one.Gate.HelloTo(other.Node)) is null && one.Gate.Judge(other.Gate.HelloTo(one.Node)) is null)
        {
            one.Gate.Connected(other.Node);
            other.Gate.Connected(one.Node);
        }
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
        public ulong Node { get; } = node;

        public PeerGate? Gate { get; private set; }

        public void Send(ulong peer, ReadOnlySpan<byte> frame)
        {
            if (!network.IsCut(Node, peer) && network.Find(peer)?.Gate is { } gate)
            {
                gate.Receive(Node, frame.ToArray());
            }
        }

        public void SetPeers(IReadOnlyList<MemberAddress> peers)
        {
            // The membership of a running cluster does not change yet.
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
