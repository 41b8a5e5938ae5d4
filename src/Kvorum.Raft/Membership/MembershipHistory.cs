namespace Kvorum.Raft;

/// <summary>
/// The committed membership and those of the log's tail behind it. In force is the newest of the log, committed or not
/// (thesis §4.1); when the tail is cut, the one before is in force again.
/// </summary>
internal sealed class MembershipHistory
{
    private readonly List<(LogIndex Index, Membership Membership)> _known = [];

    public MembershipHistory(LogIndex index, Membership membership) => _known.Add((index, membership));

    /// <summary>The newest one that is known to be committed.</summary>
    public Membership Committed => _known[0].Membership;

    public LogIndex CommittedIndex => _known[0].Index;

    public Membership InForce => RaftMutants.MembershipAtCommit ? Committed : _known[^1].Membership;

    /// <summary>Where the newest one of the log stands.</summary>
    public LogIndex LastIndex => _known[^1].Index;

    /// <summary>What the newest membership that has the node says of it; null when none has.</summary>
    public MemberRecord? Find(NodeId node)
    {
        for (var i = _known.Count - 1; i >= 0; i--)
        {
            if (_known[i].Membership.Find(node) is { } record)
            {
                return record;
            }
        }

        return null;
    }

    /// <summary>The newest one is not known to be committed.</summary>
    public bool IsChanging => _known.Count > 1;

    /// <summary>
    /// A voter of one that is in force or may be again. After a restart little is known to be committed, so that the
    /// oldest one here may be from before the node's promotion.
    /// </summary>
    public bool IsVoterInAny(NodeId node) => _known.Exists(known => known.Membership.IsVoter(node));

    public void Append(LogIndex index, Membership membership)
    {
        Invariant.Holds(index > LastIndex, "A membership is appended behind the one before.");
        _known.Add((index, membership));
    }

    /// <summary>The log now ends before <paramref name="from"/>.</summary>
    public void Truncate(LogIndex from)
    {
        while (_known.Count > 1 && _known[^1].Index >= from)
        {
            _known.RemoveAt(_known.Count - 1);
        }
    }

    /// <summary>Everything up to <paramref name="commit"/> is committed: is that news of a membership?</summary>
    public bool Commit(LogIndex commit)
    {
        var count = 0;
        while (count + 1 < _known.Count && _known[count + 1].Index <= commit)
        {
            count++;
        }

        _known.RemoveRange(0, count);
        return count > 0;
    }

    /// <summary>A snapshot says what was in force at its end; what the log has behind it stays.</summary>
    public void Install(LogIndex index, Membership membership, bool isLogReplaced)
    {
        if (isLogReplaced)
        {
            _known.Clear();
        }
        else
        {
            _known.RemoveAll(known => known.Index <= index);
        }

        _known.Insert(0, (index, membership));
    }
}
