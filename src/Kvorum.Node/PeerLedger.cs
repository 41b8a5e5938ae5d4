using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// Remembers durably which data directory (incarnation) each peer had when first met, or with which it was promoted. A
/// node that comes back with another one has forgotten its votes and must not count as a voter.
/// </summary>
/// <param name="newIncarnation">What this directory is called when it loses something; not used otherwise.</param>
internal sealed class PeerLedger(
    DataDirectory directory, ulong newIncarnation, ILogger logger, Action<Input> post)
{
    /// <summary>The most peers whose present directory is remembered: members, and strangers now and then.</summary>
    public const int PresentMax = 4 * Membership.NodesMax;

    private readonly Lock _lock = new();
    private readonly SortedDictionary<ulong, ulong> _present = [];
    private Membership _membership = Membership.Empty;
    private ulong[] _reachable = [];
    private ulong _nextIncarnation = newIncarnation;
    private volatile bool _hasLeader;
    private volatile string? _reason;
    private ulong[] _awaited = [];
    private ulong[] _heard = [];

    /// <summary>What peers are known to have promised.</summary>
    public PromiseBook Promises { get; } = new();

    /// <summary>The term and the end of the log that this process found on its disk.</summary>
    public (ulong Term, ulong LastIndex) Found { get; init; } = (ulong.MaxValue, ulong.MaxValue);

    /// <summary>Why this directory has no vote; null when nothing speaks against it. Any thread.</summary>
    public string? Reason
    {
        get => _reason;
        init => _reason = value;
    }

    /// <summary>
    /// The other voters of the initial cluster, when this directory's log is empty: it votes once it has met them all.
    /// </summary>
    public IReadOnlyList<ulong> Awaited
    {
        get => _awaited;
        init
        {
            _awaited = [.. Unmet(directory.Identity, value)];
            _reason ??= WaitingFor(_awaited);
        }
    }

    /// <summary>This node hears a leader: so it knows every member, and a stranger is none.</summary>
    public bool HasLeader
    {
        get => _hasLeader;
        set => _hasLeader = value;
    }

    /// <summary>
    /// Without the lock: under it the disk may be waited for, and the replica reads this at every status.
    /// </summary>
    public NodeIdentity Identity => directory.Identity;

    /// <summary>What a peer's entry says when it comes back with the directory we know.</summary>
    public static Standing StandingOf(PeerIdentity known) => StandingOf(known, known.Incarnation);

    /// <summary>Which of them this directory never met.</summary>
    public static IEnumerable<ulong> Unmet(NodeIdentity identity, IEnumerable<ulong> voters) =>
        voters.Where(voter => voter != identity.Node.Value && Known(identity, voter) is not { Incarnation: not 0 });

    public PeerHello HelloTo(ulong peer)
    {
        var identity = Identity;
        var known = Known(identity, peer)?.Incarnation ?? 0;
        return new PeerHello(identity.ClusterId, identity.Node.Value, peer, identity.Incarnation, known)
        {
            Promise = Promises.Of(new NodeId(peer), known),
        };
    }

    /// <returns>Null to let the peer in, else why not.</returns>
    public string? Judge(in PeerHello hello)
    {
        lock (_lock)
        {
            if (Refusal(hello) is { } reason)
            {
                return reason;
            }

            if (LosePromise(hello) is { } loss)
            {
                return loss;
            }

            Remember(hello);
            if (LearnAboutMyself(hello) is { } replaced)
            {
                return replaced;
            }

            StopWaiting();
            return null;
        }
    }

    /// <summary>Who is a member now, and with whom else this node talks.</summary>
    public void SetMembership(Membership membership, IReadOnlyList<MemberRecord> reachable)
    {
        lock (_lock)
        {
            _membership = membership;
            _reachable = [.. reachable.Select(member => member.Node.Value)];
            Promises.Keep(_reachable);
            foreach (var node in _present.Keys.Where(node => !_reachable.Contains(node)).ToArray())
            {
                _present.Remove(node);
            }

            var peers = directory.Identity.Peers.Where(peer => !membership.WasRemoved(peer.Node)).ToArray();
            if (peers.Length != directory.Identity.Peers.Count)
            {
                directory.Save(directory.Identity with { Peers = peers });
            }

            foreach (var (node, incarnation) in _present.ToArray())
            {
                Note(node, incarnation);
            }
        }
    }

    /// <summary>
    /// This directory lost entries it had acknowledged: durably, it votes no more, and begins anew as another one.
    /// </summary>
    /// <param name="reason">What shows it, for people.</param>
    public void GiveUpVote(string reason)
    {
        lock (_lock)
        {
            if (_nextIncarnation == directory.Identity.Incarnation)
            {
                _nextIncarnation++; // The directory is as old as this process.
            }

            Explain(reason);
            directory.GiveUpVote(_nextIncarnation++);
            post(new Standing(directory.Identity.Node, MayVote: false, directory.Identity.Incarnation));
        }
    }

    /// <summary>
    /// The log is damaged beyond mending: like <see cref="GiveUpVote"/>, and until it is repaired every start goes on
    /// with that.
    /// </summary>
    public void GiveUpLog(string reason)
    {
        directory.RememberDamage();
        GiveUpVote(reason);
    }

    /// <summary>The peer's directory lost entries it had acknowledged: durably, its votes count no more.</summary>
    public void DistrustVotes(NodeId peer, ulong lostIncarnation)
    {
        lock (_lock)
        {
            var identity = directory.Identity;
            var known = Known(identity, peer.Value);
            var incarnation = lostIncarnation != 0 ? lostIncarnation : known?.Incarnation ?? 0;
            if (_membership.Find(peer) is { Incarnation: not 0 } record && record.Incarnation != incarnation)
            {
                return; // It was promoted with another directory since.
            }

            if (known is not { IsReplaced: true } || known.Value.Incarnation != incarnation)
            {
                Save(identity, new PeerIdentity(peer, incarnation, IsReplaced: true));
                Log.PeerTailLost(logger, peer.ToString());
            }
        }
    }

    private static Standing StandingOf(PeerIdentity known, ulong present)
    {
        var isKnown = known.Incarnation == present;
        return new Standing(
            known.Node, MayVote: isKnown && !known.IsReplaced, present, IsVoid: isKnown && known.IsReplaced);
    }

    private string? Refusal(in PeerHello hello)
    {
        var me = directory.Identity;
        if (hello.ClusterId != me.ClusterId)
        {
            return $"wrong cluster: expected {me.ClusterId:x}, found {hello.ClusterId:x}.";
        }

        if (hello.To != me.Node.Value)
        {
            return $"it looks for node {hello.To:x}, this is node {me.Node}: check the peer addresses.";
        }

        if (hello.Node == me.Node.Value)
        {
            return $"it claims to be node {me.Node}, which is this node: two nodes share one name.";
        }

        if (_reachable.Contains(hello.Node))
        {
            return null;
        }

        if (_membership.WasRemoved(new NodeId(hello.Node)))
        {
            return $"node {hello.Node:x} was removed from this cluster: use a new name, and an empty data "
                + "directory (kvorum member add).";
        }

        // Who hears no leader may have been away while the cluster grew: the stranger may be the leader.
        return _hasLeader ? $"node {hello.Node:x} is not a member of this cluster." : null;
    }

    private void Remember(in PeerHello hello)
    {
        if (_present.Count < PresentMax || _present.ContainsKey(hello.Node))
        {
            _present[hello.Node] = hello.Incarnation;
        }

        Note(hello.Node, hello.Incarnation);
    }

    /// <summary>
    /// A peer has this directory now: what that means for its vote, durably before anything it says counts.
    /// </summary>
    private void Note(ulong node, ulong incarnation)
    {
        var identity = directory.Identity;
        var record = _membership.Find(new NodeId(node));
        var before = Known(identity, node) ?? new PeerIdentity(new NodeId(node), 0, IsReplaced: false);
        var known = before;
        if (known.Incarnation == 0 || NodeMutants.AmnesiacVotes
            || (record is { Incarnation: not 0 } && record.Incarnation == incarnation && known.Incarnation != incarnation))
        {
            // First met, or promoted with this directory: from now on this one counts, and no other.
            known = new PeerIdentity(known.Node, incarnation, IsReplaced: false);
        }
        else if (known.Incarnation != incarnation && !known.IsReplaced && record is not { Incarnation: not 0 })
        {
            // The first incarnation stays on record: whatever comes later lost what that one promised.
            known = known with { IsReplaced = true };
            Log.PeerReplaced(
                logger, node.ToString("x", null), incarnation.ToString("x", null), known.Incarnation.ToString("x", null));
        }

        if (known != before && record is not null)
        {
            Save(identity, known);
        }

        post(StandingOf(known, incarnation));
    }

    /// <summary>
    /// A peer may know more of this directory than is in it: then an older copy was put back, or the disk lost what it
    /// had called written. Only its first words in this process are compared with what was found at the start: later
    /// ones tell of this process as well.
    /// </summary>
    /// <returns>Null, or why every peer must meet this directory anew, under its next incarnation.</returns>
    private string? LosePromise(in PeerHello hello)
    {
        if (_heard.Contains(hello.Node))
        {
            return null;
        }

        _heard = [.. _heard, hello.Node];
        var promise = hello.Promise;
        if (hello.RememberedIncarnation != directory.Identity.Incarnation
            || !promise.IsBroken(Found.Term, Found.LastIndex))
        {
            return null;
        }

        var reason = $"node {hello.Node:x} remembers term {promise.Term} and entries up to "
            + $"{promise.AcknowledgedIndex}, acknowledged in term {promise.AcknowledgedTerm}; found were term "
            + $"{Found.Term} and entries up to {Found.LastIndex}: the disk lost entries, or an older copy of the "
            + "directory was put back.";
        Log.PromiseLost(logger, reason);
        GiveUpVote(reason);
        return "this node lost what it had promised, and begins anew under another incarnation.";
    }

    /// <returns>Null, or why every peer must meet this directory anew, under its next incarnation.</returns>
    private string? LearnAboutMyself(in PeerHello hello)
    {
        var identity = directory.Identity;
        if (hello.RememberedIncarnation == 0 || hello.RememberedIncarnation == identity.Incarnation
            || !identity.MayVote || NodeMutants.AmnesiacVotes)
        {
            return null;
        }

        var reason = $"node {hello.Node:x} knows this node with another directory: what that one promised is lost.";
        Log.SelfReplaced(
            logger, identity.Incarnation.ToString("x", null), hello.RememberedIncarnation.ToString("x", null),
            hello.Node.ToString("x", null));
        var named = _membership.Find(identity.Node)?.Incarnation ?? 0;
        if (named != 0 && named == identity.Incarnation)
        {
            // The membership names this directory: the core goes by that, and the peer lags behind.
            Explain(reason);
            directory.Save(identity with { MayVote = false });
            post(new Standing(identity.Node, MayVote: false, identity.Incarnation));
            return null;
        }

        // Under its next incarnation: a leader that never knew the former directory takes this one for it.
        GiveUpVote(reason);
        return "this node's directory replaced another one, and begins anew under another incarnation.";
    }

    /// <summary>
    /// A new directory of an initial voter may be a wiped one, and so may be all it meets, while those that know better
    /// are away. When it has met every initial voter and none knew it with another directory, the cluster is new.
    /// </summary>
    private void StopWaiting()
    {
        var identity = directory.Identity;
        if (_awaited.Length == 0 || !identity.MayVote)
        {
            return;
        }

        _awaited = [.. Unmet(identity, _awaited)];
        _reason = WaitingFor(_awaited);
        if (_awaited.Length == 0)
        {
            post(new Standing(identity.Node, MayVote: true, identity.Incarnation));
        }
    }

    private void Explain(string reason)
    {
        _reason = reason;
        directory.Explain(reason);
    }

    private static string? WaitingFor(ulong[] nodes) => nodes.Length == 0
        ? null
        : "its directory is new, and so might be the others': it votes once it has met every voter of the initial "
            + $"cluster. Not met yet: {string.Join(", ", nodes.Select(node => node.ToString("x", null)))}.";

    private void Save(NodeIdentity identity, PeerIdentity peer)
    {
        var peers = identity.Peers.Where(other => other.Node != peer.Node).Append(peer).OrderBy(other => other.Node).ToArray();
        directory.Save(identity with { Peers = peers });
    }

    private static PeerIdentity? Known(NodeIdentity identity, ulong peer)
    {
        foreach (var known in identity.Peers)
        {
            if (known.Node.Value == peer)
            {
                return known;
            }
        }

        return null;
    }
}
