using Kvorum.Raft;

namespace Kvorum.Node;

/// <summary>
/// What each peer's directory showed to be durable, as this process saw it: told to the peer when it comes back. In
/// memory only; written by the replica, read by whoever says hello.
/// </summary>
internal sealed class PromiseBook
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<NodeId, Page> _pages = [];
    private (NodeId From, Term Term) _newest;

    /// <summary>The peer has this directory from now on; what another one promised it need not keep.</summary>
    public void Begin(NodeId peer, ulong incarnation)
    {
        lock (_lock)
        {
            if (!_pages.TryGetValue(peer, out var page) || page.Incarnation != incarnation)
            {
                _pages[peer] = new Page(incarnation, default);
                _newest = default;
            }
        }
    }

    /// <summary>Forgets who is no peer any more.</summary>
    public void Keep(IReadOnlyList<ulong> peers)
    {
        lock (_lock)
        {
            foreach (var node in _pages.Keys.Where(node => !peers.Contains(node.Value)).ToArray())
            {
                _pages.Remove(node);
            }
        }
    }

    /// <summary>What is proven by a message: only such as leave a node after a sync, or from a leader.</summary>
    public void Note(Message message, RaftNode raft)
    {
        switch (message)
        {
            case RequestVote { IsPreVote: false } or VoteReply { IsPreVote: false }:
            case AppendEntries or Heartbeat or InstallSnapshot:
                if (_newest != (message.From, message.Term))
                {
                    NoteTerm(message.From, message.Term.Value);
                    _newest = (message.From, message.Term);
                }

                break;
            case AppendReply { Accepted: true } reply:
                NoteAcknowledged(reply, raft.Contains(new EntryId(reply.Term, reply.Match)));
                break;
            default:
                break;
        }
    }

    /// <summary>What a directory of the peer promised; nothing when another one was seen last.</summary>
    public PeerPromise Of(NodeId peer, ulong incarnation)
    {
        lock (_lock)
        {
            return _pages.TryGetValue(peer, out var page) && page.Incarnation == incarnation ? page.Promise : default;
        }
    }

    /// <param name="isOfTerm">
    /// The entry is of the leader's term, so the peer's term was written before it. Of an older entry it need not be.
    /// </param>
    private void NoteAcknowledged(AppendReply reply, bool isOfTerm)
    {
        var (term, match) = (reply.Term.Value, reply.Match.Value);
        lock (_lock)
        {
            if (!_pages.TryGetValue(reply.From, out var page))
            {
                return;
            }

            var promise = page.Promise;
            if ((term, match).CompareTo((promise.AcknowledgedTerm, promise.AcknowledgedIndex)) > 0)
            {
                _pages[reply.From] = page with
                {
                    Promise = new PeerPromise(isOfTerm ? Math.Max(promise.Term, term) : promise.Term, term, match),
                };
            }
        }
    }

    private void NoteTerm(NodeId peer, ulong term)
    {
        lock (_lock)
        {
            if (_pages.TryGetValue(peer, out var page) && page.Promise.Term < term)
            {
                _pages[peer] = page with { Promise = page.Promise with { Term = term } };
            }
        }
    }

    private readonly record struct Page(ulong Incarnation, PeerPromise Promise);
}
