using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// The replica's place while its log is mended: asks the peers for what is missing and answers those who ask. It
/// neither votes nor acknowledges nor serves; callers wait for their deadlines. Replica thread only, but for
/// <see cref="Now"/>.
/// </summary>
internal sealed class Mending
{
    /// <summary>How long to wait before asking a full disk for room again, in ticks.</summary>
    public const int RoomRetryTicks = 200;

    private readonly NodeRecovery _recovery;
    private readonly NodeOptions _options;
    private readonly ReplicaInbox _inbox;
    private readonly Outbox _outbox;
    private readonly ITransport _transport;
    private readonly PeerLedger _ledger;
    private readonly ProposalDesk _proposals;
    private readonly ReadDesk _reads;
    private readonly AdminDesk _admin;
    private readonly TickClock _clock;
    private readonly ILogger _logger;
    private readonly LogMender _mender;
    private readonly MemberRecord[] _peers;
    private List<Input> _inputs = [];
    private List<PendingRead> _newReads = [];
    private long _adoptAt;
    private long _now;

    public Mending(
        NodeRecovery recovery, NodeOptions options, ReplicaInbox inbox, ITransport transport, PeerLedger ledger,
        ProposalDesk proposals, ReadDesk reads, AdminDesk admin, TickClock clock, ILogger logger)
    {
        _recovery = recovery;
        _options = options;
        _inbox = inbox;
        _outbox = new Outbox(transport);
        _transport = transport;
        _ledger = ledger;
        _proposals = proposals;
        _reads = reads;
        _admin = admin;
        _clock = clock;
        _logger = logger;
        _mender = recovery.Mend();
        _peers = [.. PeersOf(recovery, options)];
        _mender.Peers = [.. _peers.Select(peer => peer.Node)];
    }

    /// <summary>Ticks since the start: the node's logical time, which the replica takes over. Any thread.</summary>
    public long Now => Volatile.Read(ref _now);

    /// <summary>The incarnation under which the peers meet this node.</summary>
    public ulong MetAs { get; private set; }

    /// <summary>What is missing and who is asked, for a person.</summary>
    public string Reason
    {
        get
        {
            if (_mender.Mended is not null)
            {
                return "it writes its mended log.";
            }

            var asked = Array.Find(_peers, peer => peer.Node == _mender.Asked);
            var from = asked is null ? "" : $" from {(asked.Name.Length > 0 ? asked.Name : asked.Node.ToString())}";
            var (first, last) = (_mender.MissingFirst, _mender.MissingLast);
            return $"it is mending its log: {(first == last ? $"entry {last}" : $"entries {first} to {last}")}{from}.";
        }
    }

    /// <summary>
    /// Lets the transport and the ledger know whom to talk to. Who is a member is not known for sure yet, so nothing
    /// that depends on it is written down.
    /// </summary>
    public void MeetPeers()
    {
        MetAs = _ledger.Identity.Incarnation;
        _ledger.SetMembership(Membership.Empty, _peers);
        _transport.SetPeers([.. _peers.Select(MemberAddress.Of)]);
    }

    /// <summary>Works off everything that waits.</summary>
    /// <returns>Whether the log is there, so that the replica can begin.</returns>
    public bool Turn()
    {
        _inbox.Drain(ref _inputs, ref _newReads, out var proposals);
        foreach (var input in _inputs)
        {
            Take(input);
        }

        _proposals.Add(proposals);
        _reads.Add(_newReads);
        _admin.Add(_inbox.DrainAdmins());
        for (var ticks = _clock.TakeTicks(); ticks > 0; ticks--)
        {
            Volatile.Write(ref _now, _now + 1);
            Send(_mender.OnTick());
            _proposals.Expire(_now);
            _reads.Expire(_now);
            _admin.Expire(_now);
        }

        _inbox.HoldReads(_reads.Count);
        return TryEnd();
    }

    private void Take(Input input)
    {
        if (input is Receive { Message: var message })
        {
            Send(_mender.OnMessage(message));
        }
        else if (input is Standing own && own.Peer.Value == _options.Node && own.Incarnation != MetAs)
        {
            _transport.SetPeers([]); // The peers must see the new incarnation.
            MeetPeers();
        }
    }

    private void Send(Message? message)
    {
        if (message is not null)
        {
            _outbox.Send(message);
        }
    }

    private bool TryEnd()
    {
        if (_mender.Mended is { } mended)
        {
            return _now >= _adoptAt && TryAdopt(mended);
        }

        if (!_mender.IsHopeless)
        {
            return false;
        }

        _recovery.GiveUp(_ledger.GiveUpLog);
        return true;
    }

    private bool TryAdopt(MendedLog mended)
    {
        try
        {
            _recovery.Adopt(mended);
            return true;
        }
        catch (IOException e) when (DiskErrors.IsFull(e))
        {
            Log.MendedLogNotWritten(_logger, e.Message);
            _adoptAt = _now + RoomRetryTicks;
            return false;
        }
    }

    /// <summary>Everybody of whom the directory or the options know: of each what was said last.</summary>
    private static IEnumerable<MemberRecord> PeersOf(NodeRecovery recovery, NodeOptions options)
    {
        var known = new SortedList<ulong, MemberRecord>();
        void Add(IEnumerable<MemberRecord> members)
        {
            foreach (var member in members)
            {
                if (known.Count < PeerLedger.PresentMax || known.ContainsKey(member.Node.Value))
                {
                    known[member.Node.Value] = member;
                }
            }
        }

        Add(options.Initial.Select(member => member.ToRecord()));
        Add(recovery.Snapshots.Newest?.Membership.Members ?? []);
        foreach (var entry in recovery.Broken!.Runs.SelectMany(run => run.Entries)) // It is what is mended here.
        {
            if (entry.Kind is EntryKind.Membership
                && MembershipCodec.TryDecode(entry.Payload, out var membership, out _))
            {
                Add(membership.Members);
            }
        }

        return known.Values.Where(member => member.Node.Value != options.Node);
    }
}
