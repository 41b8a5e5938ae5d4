using Kvorum.Node;
using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// All links: which are open in which direction, what happens to each frame, and the connections over them. Every
/// ordered pair of nodes has one connection, dialled by the first to speak to the second, as the real transport has.
/// </summary>
internal sealed class SimNetwork
{
    /// <summary>A node that is not connected tries again so often, as the real transport does (microseconds).</summary>
    private const long DialPauseMin = 20_000;
    private const long DialPauseMax = 1_000_000;

    /// <summary>How long a silent connection stays open before its end is noticed.</summary>
    private const long SilenceMin = 1_000_000;
    private const long SilenceMax = 8_000_000;

    /// <summary>The longest tail of a delay; what follows on the same link waits behind it.</summary>
    private const long DelayMax = 5_000_000;

    private const long LateMin = 2_000_000;
    private const long LateMax = 60_000_000;

    private readonly SimWorld _world;
    private readonly SimSettings _settings;
    private readonly IReadOnlyList<WorldObserver> _observers;
    private readonly Link[,] _links;
    private readonly bool _seesFrames;
    private readonly ChanceSource _clientChance;
    private SimNode[] _nodes = [];

    public SimNetwork(SimWorld world, SimSettings settings, IReadOnlyList<WorldObserver> observers, int nodes)
    {
        _world = world;
        _settings = settings;
        _observers = observers;
        _links = new Link[nodes + 1, nodes + 1];
        _clientChance = new ChanceSource(world.Chance, ChanceStream.Network, 1);
        for (var from = 1; from <= nodes; from++)
        {
            for (var to = 1; to <= nodes; to++)
            {
                var entity = ((ulong)from << 32) | (uint)to;
                _links[from, to] = new Link(new ChanceSource(world.Chance, ChanceStream.Network, entity));
            }
        }

        foreach (var observer in observers)
        {
            _seesFrames |= observer.SeesFrames;
        }

        ClientBlocked = new bool[nodes + 1];
    }

    /// <summary>Nodes whose clients are cut off.</summary>
    public bool[] ClientBlocked { get; }

    /// <summary>How many nodes there are by now; the places above wait.</summary>
    public int InUse { get; set; }

    /// <summary>Messages are lost, delayed and doubled as the settings say; else they only take their time.</summary>
    public bool HasNoise { get; set; } = true;

    public void Place(SimNode[] nodes) => _nodes = nodes;

    /// <summary>Blocks one direction, or opens it; a link may be blocked by several faults at once.</summary>
    /// <param name="isNoticed">Whether the connections over it may break; else they are half open.</param>
    public void Block(int from, int to, bool isBlocked, bool isNoticed = true)
    {
        var link = _links[from, to];
        link.Blocks = Math.Max(0, link.Blocks + (isBlocked ? 1 : -1));
        if (!isBlocked || !isNoticed)
        {
            return;
        }

        // Both connections between the two need both directions; when their silence is noticed is a matter of chance,
        // and sometimes it is not noticed at all (a half-open connection).
        if (link.Chance.Below(4) != 0)
        {
            var after = _world.Now + link.Chance.Between(SilenceMin, SilenceMax);
            _world.At(after, () => BreakSilent(from, to));
            _world.At(after + link.Chance.Between(0, 100_000), () => BreakSilent(to, from));
        }
    }

    public void HealAll()
    {
        foreach (var link in _links)
        {
            if (link is not null)
            {
                link.Blocks = 0;
                link.SlowUntil = 0;
                link.CorruptUntil = 0;
                link.LastArrival = 0;
            }
        }

        Array.Clear(ClientBlocked);
    }

    public bool IsBlocked(int from, int to) => _links[from, to].Blocks > 0;

    /// <summary>Frames take much longer on this link for a while.</summary>
    public void Slow(int from, int to, long until, long extra)
    {
        _links[from, to].SlowUntil = until;
        _links[from, to].SlowExtra = extra;
    }

    /// <summary>Some frames on this link arrive damaged for a while.</summary>
    public void Corrupt(int from, int to, long until) => _links[from, to].CorruptUntil = until;

    /// <summary>The process begins to dial its peers.</summary>
    public void ProcessBegan(SimProcess process, PeerGate gate, IReadOnlyList<ulong> peers)
    {
        foreach (var peer in peers)
        {
            var isNew = process.Transport is not { } transport || transport.Dialled.Add((int)peer);
            if ((int)peer != process.Place && (int)peer < _links.GetLength(0) && isNew)
            {
                var dial = new Dial(this, process, gate, (int)peer);
                _world.At(_world.Now + 100 + dial.Link.Chance.Below(2_000), dial);
            }
        }
    }

    /// <summary>Closes what is open between a process and a peer that it no longer talks to.</summary>
    public void Close(SimProcess process, int peer)
    {
        foreach (var (from, to) in new[] { (process.Place, peer), (peer, process.Place) })
        {
            if (_links[from, to].Connection is { } connection
                && (connection.Dialler == process || connection.Listener == process))
            {
                Break(from, to, connection);
            }
        }
    }

    /// <summary>The process's connections break; its peers notice soon when they can hear that.</summary>
    public void ProcessEnded(int place)
    {
        for (var other = 1; other < _nodes.Length + 1; other++)
        {
            if (other == place)
            {
                continue;
            }

            var isHeard = !IsBlocked(place, other);
            foreach (var (from, to) in new[] { (place, other), (other, place) })
            {
                var link = _links[from, to];
                if (link.Connection is not { } connection)
                {
                    continue;
                }

                connection.IsDead = true;
                var after = isHeard ? 50 + link.Chance.Below(1_000) : link.Chance.Between(SilenceMin, SilenceMax);
                _world.At(_world.Now + after, () => Break(from, to, connection));
            }
        }
    }

    /// <summary>What a process says to a peer.</summary>
    public void Send(SimProcess process, ulong peer, ReadOnlySpan<byte> frame)
    {
        var from = process.Place;
        var to = (int)peer;
        _world.Trace(TraceKind.Sent, from, peer, (ulong)frame.Length, Fingerprint(frame));
        var bytes = frame.ToArray();
        if (_seesFrames && MessageCodec.TryDecode(bytes, out var message, out _) && message is not null)
        {
            foreach (var observer in _observers)
            {
                observer.FrameSent(from, to, message, bytes);
            }
        }

        var link = _links[from, to];
        if (link.Connection is not { IsDead: false } connection || connection.Dialler != process)
        {
            return;
        }

        if (link.Blocks > 0)
        {
            _world.Injected.Add("net.blocked");
            return;
        }

        Carry(link, connection, bytes);
    }

    /// <summary>The way of a client's request or answer; null when it is lost.</summary>
    public long? ClientDelay(int node)
    {
        if (ClientBlocked[node] || (HasNoise && _clientChance.Hits(_settings.DropPerMillion / 4)))
        {
            return null;
        }

        return _settings.DelayMin + _clientChance.Exponential(_settings.DelayMean);
    }

    private static ulong Fingerprint(ReadOnlySpan<byte> frame)
    {
        ulong sum = 0;
        foreach (var value in frame.Length > 64 ? frame[..64] : frame)
        {
            sum = sum * 31 + value;
        }

        return sum;
    }

    private void Carry(Link link, Connection connection, byte[] frame)
    {
        var chance = link.Chance;
        var settings = _settings;
        if (link.CorruptUntil > _world.Now && chance.Below(20) == 0)
        {
            Damage(link, connection, frame);
            return;
        }

        var delay = settings.DelayMin + chance.Exponential(settings.DelayMean);
        if (link.SlowUntil > _world.Now)
        {
            delay += chance.Exponential(link.SlowExtra);
        }

        var isReordered = false;
        if (HasNoise)
        {
            if (chance.Hits(settings.DropPerMillion))
            {
                _world.Injected.Add("net.dropped");
                return;
            }

            if (chance.Hits(settings.HeavyTailPerMillion))
            {
                delay = Math.Min(DelayMax, delay * chance.Between(10, 1000));
                _world.Injected.Add("net.heavy.tail");
            }

            isReordered = chance.Hits(settings.ReorderPerMillion);
            if (isReordered)
            {
                delay += chance.Exponential(20 * settings.DelayMean);
                _world.Injected.Add("net.reordered");
            }

            Duplicate(connection, chance, frame, delay);
        }

        var at = _world.Now + delay;
        if (!isReordered)
        {
            link.LastArrival = at = Math.Max(at, link.LastArrival);
        }

        _world.At(at, new Delivery(this, connection, frame, isLate: false));
    }

    private void Duplicate(Connection connection, ChanceSource chance, byte[] frame, long delay)
    {
        if (chance.Hits(_settings.DuplicatePerMillion))
        {
            _world.Injected.Add("net.duplicated");
            _world.At(
                _world.Now + delay + chance.Exponential(2 * _settings.DelayMean),
                new Delivery(this, connection, frame, isLate: false));
        }

        if (chance.Hits(_settings.LateDuplicatePerMillion))
        {
            _world.Injected.Add("net.duplicated.late");
            _world.At(
                _world.Now + chance.Between(LateMin, LateMax), new Delivery(this, connection, frame, isLate: true));
        }
    }

    /// <summary>The checksum of the framing, or the decoder, refuses what is damaged; the connection closes.</summary>
    private void Damage(Link link, Connection connection, byte[] frame)
    {
        _world.Injected.Add("net.corrupted");
        var at = _world.Now + _settings.DelayMin;
        if (link.Chance.Below(2) == 0)
        {
            var cut = frame.AsSpan(0, link.Chance.Below(frame.Length)).ToArray();
            _world.At(at, new Delivery(this, connection, cut, isLate: false));
        }

        _world.At(at + 1, () => Break(connection.Dialler.Place, connection.Listener.Place, connection));
    }

    private void BreakSilent(int from, int to)
    {
        if ((IsBlocked(from, to) || IsBlocked(to, from)) && _links[from, to].Connection is { } connection)
        {
            Break(from, to, connection);
        }
    }

    private void Break(int from, int to, Connection connection)
    {
        var link = _links[from, to];
        if (link.Connection != connection)
        {
            return;
        }

        connection.IsDead = true;
        link.Connection = null;
        _world.Trace(TraceKind.Connection, from, (ulong)to, 0);
        TellChange(from, to);
        TellChange(to, from);
    }

    /// <summary>A node hears of a peer when both connections between them work, or no longer do.</summary>
    private void TellChange(int node, int peer)
    {
        if (_nodes[node - 1].Process is not { IsOpen: true, IsAlive: true } process)
        {
            return;
        }

        var speaks = _links[node, peer].Connection is { IsDead: false } outgoing && outgoing.Dialler == process;
        var hears = _links[peer, node].Connection is { IsDead: false } incoming && incoming.Listener == process;
        var link = _links[node, peer];
        var isUp = speaks && hears;
        var wasUp = link.ToldProcess == process && link.IsToldUp;
        if (isUp != wasUp)
        {
            link.ToldProcess = process;
            link.IsToldUp = isUp;
            _world.At(_world.Now, new Told(process, (ulong)peer, isUp));
        }
    }

    /// <summary>One direction between two nodes.</summary>
    private sealed class Link(ChanceSource chance)
    {
        public ChanceSource Chance => chance;

        public int Blocks;
        public long LastArrival;
        public long SlowUntil;
        public long SlowExtra;
        public long CorruptUntil;
        public Connection? Connection;
        public SimProcess? ToldProcess;
        public bool IsToldUp;
    }

    /// <summary>What one process dialled to speak to another.</summary>
    private sealed class Connection(SimProcess dialler, SimProcess listener, PeerGate listenerGate)
    {
        public SimProcess Dialler => dialler;

        public SimProcess Listener => listener;

        public PeerGate ListenerGate => listenerGate;

        public int DiallerDirectory { get; } = dialler.Node.Directory;

        public int ListenerDirectory { get; } = listener.Node.Directory;

        public bool IsDead;
    }

    private sealed class Told(SimProcess process, ulong peer, bool isUp) : ProcessEvent(process)
    {
        protected override void Execute()
        {
            Process.World.Trace(TraceKind.Connection, Process.Place, peer, isUp ? 2UL : 1);
            if (isUp)
            {
                Process.Transport?.Gate.Connected(peer);
            }
            else
            {
                Process.Transport?.Gate.Lost(peer);
            }
        }
    }

    /// <summary>A frame arrives: at the process it was sent to, or, much later, at one that follows it.</summary>
    private sealed class Delivery(SimNetwork network, Connection connection, byte[] frame, bool isLate) : SimEvent
    {
        public override void Run()
        {
            var node = connection.Listener.Node;
            var process = node.Process;
            if (process is not { IsOpen: true } || (process != connection.Listener && !isLate))
            {
                return;
            }

            if (node.Directory != connection.ListenerDirectory
                || connection.Dialler.Node.Directory != connection.DiallerDirectory)
            {
                return; // A frame is for the data directory it was meant for, and from one that still is.
            }

            var from = connection.Dialler.Place;
            if (isLate && (!network.HasNoise || network.IsBlocked(from, node.Place)))
            {
                return; // Else heartbeats of a leader that is cut off or dead would put off every election.
            }

            if (node.PausedUntil > network._world.Now)
            {
                node.Park(this);
                return;
            }

            network._world.Trace(TraceKind.Delivered, node.Place, (ulong)from, (ulong)frame.Length);
            if (process.Transport is { IsStopped: false } transport && !transport.Gate.Receive((ulong)from, frame))
            {
                network.Break(from, node.Place, connection);
            }

            process.AfterWork();
        }
    }

    /// <summary>Dials a peer, again and again, for as long as the process lives.</summary>
    private sealed class Dial(SimNetwork network, SimProcess process, PeerGate gate, int peer) : ProcessEvent(process)
    {
        private long _pause = DialPauseMin;

        public Link Link => network._links[Process.Place, peer];

        protected override void Execute()
        {
            if (Process.Transport is not { IsStopped: false } transport || !transport.IsPeer(peer))
            {
                Process.Transport?.Dialled.Remove(peer);
                return;
            }

            var world = network._world;
            if (Link.Connection is { IsDead: false } open && open.Dialler == Process)
            {
                _pause = DialPauseMin;
            }
            else if (TryConnect())
            {
                _pause = DialPauseMin;
            }
            else
            {
                _pause = Math.Min(_pause * 2, DialPauseMax);
            }

            world.At(world.Now + _pause / 2 + Link.Chance.Below((int)_pause / 2), this);
        }

        private bool TryConnect()
        {
            var from = Process.Place;
            if (network.IsBlocked(from, peer) || network.IsBlocked(peer, from))
            {
                return false;
            }

            var node = network._nodes[peer - 1];
            if (node.PausedUntil > network._world.Now || node.Process is not { IsOpen: true } listener
                || listener.Transport is not { IsStopped: false } transport)
            {
                return false;
            }

            // Either side may write what it learns to its disk, and end there.
            if (transport.Gate.Judge(gate.HelloTo((ulong)peer)) is not null || !listener.IsAlive
                || gate.Judge(transport.Gate.HelloTo((ulong)from)) is not null || !Process.IsAlive)
            {
                network._world.Injected.Add("net.refused");
                listener.AfterWork();
                return false;
            }

            Link.Connection = new Connection(Process, listener, transport.Gate);
            network._world.Trace(TraceKind.Connection, from, (ulong)peer, 3);
            network.TellChange(from, peer);
            network.TellChange(peer, from);
            listener.AfterWork();
            return true;
        }
    }
}

/// <summary>The port <see cref="ITransport"/> of one process.</summary>
internal sealed class SimTransport(SimProcess process, SimNetwork network) : ITransport
{
    private PeerGate? _gate;
    private IReadOnlyList<ulong>? _peers;

    public PeerGate Gate => _gate ?? throw new InvalidOperationException("The transport was not started.");

    public bool IsStopped { get; private set; }

    /// <summary>Peers that somebody dials already.</summary>
    public HashSet<int> Dialled { get; } = [];

    public bool IsPeer(int place) => _peers is null || _peers.Contains((ulong)place);

    public void Send(ulong peer, ReadOnlySpan<byte> frame)
    {
        if (!process.IsAlive || IsStopped)
        {
            return;
        }

        network.Send(process, peer, frame);
        if (process.FramesUntilCrash > 0 && --process.FramesUntilCrash == 0)
        {
            process.World.Injected.Add("crash.after.send");
            process.Node.DownUntil = process.World.Now + process.Node.DownAfterCrash;
            process.Node.Crash((CrashKeeps)process.Settings.CrashKeeps);
        }
    }

    public void Start(PeerGate gate)
    {
        _gate = gate;
        process.Transport = this;
        network.ProcessBegan(process, gate, _peers ?? process.Node.Contacts);
    }

    public void SetPeers(IReadOnlyList<MemberAddress> peers)
    {
        var before = _peers;
        _peers = [.. peers.Select(peer => peer.Node)];
        if (_gate is { } gate && process.IsAlive)
        {
            network.ProcessBegan(process, gate, [.. _peers.Except(before ?? process.Node.Contacts)]);
            foreach (var gone in (before ?? process.Node.Contacts).Except(_peers))
            {
                if ((int)gone != process.Place)
                {
                    network.Close(process, (int)gone);
                }
            }
        }
    }

    public ValueTask StopAsync()
    {
        IsStopped = true;
        return ValueTask.CompletedTask;
    }
}
