namespace Kvorum.Server;

/// <summary>Who was a peer while this process lived and is none now, so that such a node can be told by name.</summary>
internal sealed class FormerPeers(TimeProvider time)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, (string Name, RepeatedReason Refusals)> _peers = [];
    private readonly Queue<ulong> _oldest = new();

    public void Remember(ulong node, string name)
    {
        lock (_lock)
        {
            if (_peers.TryAdd(node, (name, new RepeatedReason(time))))
            {
                _oldest.Enqueue(node);
            }

            if (_oldest.Count > PeerLimits.FormerPeersMax)
            {
                _peers.Remove(_oldest.Dequeue());
            }
        }
    }

    /// <summary>It is a peer again: the change that removed it was not kept.</summary>
    public void Forget(ulong node)
    {
        lock (_lock)
        {
            if (_peers.Remove(node))
            {
                var rest = _oldest.Where(other => other != node).ToArray();
                _oldest.Clear();
                foreach (var other in rest)
                {
                    _oldest.Enqueue(other);
                }
            }
        }
    }

    /// <summary>Why a former peer is refused, for the person who reads its log; null for others.</summary>
    public string? WhyRemoved(ulong node)
    {
        lock (_lock)
        {
            return _peers.TryGetValue(node, out var former)
                ? $"node {former.Name} (id {node:x16}) was removed from this cluster; to add it again as a new member, "
                    + "delete its data directory and start it with --join"
                : null;
        }
    }

    /// <summary>For the log; null for a node that never was a peer.</summary>
    public RepeatedReason? RefusalsOf(ulong node)
    {
        lock (_lock)
        {
            return _peers.TryGetValue(node, out var former) ? former.Refusals : null;
        }
    }
}
