using Kvorum.Raft;
using Kvorum.Storage;
using Microsoft.Extensions.Logging;

namespace Kvorum.Node;

/// <summary>
/// Remembers durably which data directory (incarnation) each peer had when first met. A node that comes back with
/// another one has forgotten its votes and must not count as a voter.
/// </summary>
internal sealed class PeerLedger(DataDirectory directory, IReadOnlyList<ulong> voters, ILogger logger, Action<Input> post)
{
    private readonly Lock _lock = new();

    public NodeIdentity Identity
    {
        get
        {
            lock (_lock)
            {
                return directory.Identity;
            }
        }
    }

    public PeerHello HelloTo(ulong peer)
    {
        var identity = Identity;
        return new PeerHello(
            identity.ClusterId, identity.Node.Value, peer, identity.Incarnation, Known(identity, peer)?.Incarnation ?? 0);
    }

    /// <returns>Null to let the peer in, else why not.</returns>
    public string? Judge(in PeerHello hello)
    {
        var reason = Refusal(hello);
        if (reason is not null)
        {
            Log.PeerRefused(logger, hello.Node.ToString("x", null), reason);
            return reason;
        }

        lock (_lock)
        {
            Remember(hello);
            LearnAboutMyself(hello);
        }

        return null;
    }

    /// <summary>This directory lost entries it had acknowledged: durably, it votes no more.</summary>
    public void GiveUpVote()
    {
        lock (_lock)
        {
            if (directory.Identity.MayVote)
            {
                directory.Save(directory.Identity with { MayVote = false });
            }
        }
    }

    /// <summary>The peer's directory lost entries it had acknowledged: durably, its votes count no more.</summary>
    public void DistrustVotes(NodeId peer)
    {
        lock (_lock)
        {
            var identity = directory.Identity;
            if (Known(identity, peer.Value) is { IsReplaced: false } known)
            {
                Save(identity, known with { IsReplaced = true });
                Log.PeerTailLost(logger, peer.ToString());
            }
        }
    }

    private string? Refusal(in PeerHello hello)
    {
        var me = Identity;
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

        return voters.Contains(hello.Node) ? null : $"node {hello.Node:x} is not a member of this cluster.";
    }

    private void Remember(in PeerHello hello)
    {
        var identity = directory.Identity;
        var known = Known(identity, hello.Node);
        if (known is null or { Incarnation: 0 })
        {
            Save(identity, new PeerIdentity(new NodeId(hello.Node), hello.Incarnation, IsReplaced: false));
        }
        else if (known.Value.Incarnation != hello.Incarnation)
        {
            if (!known.Value.IsReplaced)
            {
                // The first incarnation stays on record: whatever comes later lost what that one promised.
                Save(identity, known.Value with { IsReplaced = true });
                Log.PeerReplaced(
                    logger, hello.Node.ToString("x", null), hello.Incarnation.ToString("x", null),
                    known.Value.Incarnation.ToString("x", null));
            }

            // Said at each handshake: the directory may have been replaced once more.
            post(new Standing(new NodeId(hello.Node), MayVote: false));
        }
    }

    private void LearnAboutMyself(in PeerHello hello)
    {
        var identity = directory.Identity;
        if (hello.RememberedIncarnation == 0 || hello.RememberedIncarnation == identity.Incarnation || !identity.MayVote)
        {
            return;
        }

        directory.Save(identity with { MayVote = false });
        Log.SelfReplaced(
            logger, identity.Incarnation.ToString("x", null), hello.RememberedIncarnation.ToString("x", null),
            hello.Node.ToString("x", null));
        post(new Standing(identity.Node, MayVote: false));
    }

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
