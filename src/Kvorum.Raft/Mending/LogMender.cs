namespace Kvorum.Raft;

/// <summary>
/// Puts a broken log together again with what peers have (protocol-aware recovery, Alagappan and others, FAST 2018):
/// exactly as it was, so that its node forgot nothing. Pure: ticks and messages in, messages out.
/// </summary>
/// <remarks>
/// <para>
/// Where the log's end begins stands an entry (f, t) that is whole. Whoever has (f, t) in a log has all before it as
/// this log had it (Log Matching, paper §5.3), committed or not, and whatever that peer lost elsewhere. So an answer is
/// true by itself: it says that the sender has (f, t), and brings what comes before. What it brings joins the end, and
/// the end's first entry is the next question, until the log's beginning, or what a snapshot covers, is reached.
/// </para>
/// <para>
/// What was read in front of the damage may have been replaced by what is lost. It is taken only where it ends in an
/// entry that a peer has named as the one before (f, t).
/// </para>
/// </remarks>
public sealed class LogMender
{
    private readonly MendingOptions _options;
    private readonly HardState _hardState;
    private readonly LogIndex _covered;
    private readonly List<LogRun> _earlier;
    private readonly List<LogEntry> _pending = [];
    private EntryId? _beforePending;
    private LogRun _end;
    private NodeId[] _peers = [];
    private int _asked;
    private LogIndex _askedFrom;
    private int _refusals;
    private long _now;
    private long _askedAt = long.MinValue / 2;
    private long _movedAt;
    private long _leaderSince;
    private long _leaderHeardAt = long.MinValue / 2;
    private long _leaderRefusedAt = long.MinValue / 2;
    private NodeId _leader;
    private bool _isRemoved;

    /// <param name="covered">The last index of the newest whole snapshot: nothing at or before it is needed.</param>
    public LogMender(MendingOptions options, BrokenLog log, LogIndex covered)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(log);
        _options = options;
        _hardState = log.HardState;
        _covered = covered;
        _end = log.Runs[^1];
        _earlier = [.. log.Runs.SkipLast(1).Select(WithPrevious).OfType<LogRun>()];
        Join();
    }

    /// <summary>Whom to ask; never this node. May change at any time.</summary>
    public IReadOnlyList<NodeId> Peers
    {
        get => _peers;
        set => _peers = [.. value];
    }

    /// <summary>The whole log, once nothing is missing any more.</summary>
    public MendedLog? Mended { get; private set; }

    /// <summary>
    /// A leader has a majority without this node and not what is missing, and nobody else brings it: it will come with
    /// the leader's log, to a node that gave up its vote.
    /// </summary>
    public bool IsHopeless => Mended is null
        && (_isRemoved || (IsLeaderHeard && _now - StuckSince >= GiveUpTicks && HasLeaderRefused));

    /// <summary>Who was asked last; null when there is nobody to ask.</summary>
    public NodeId? Asked => _peers.Length == 0 || _askedAt < 0 ? null : _peers[_asked % _peers.Length];

    /// <summary>The highest entry that is missing, or whose place is in doubt.</summary>
    public LogIndex MissingLast => First.Index.Previous;

    /// <summary>The lowest entry that is missing as far as is known.</summary>
    public LogIndex MissingFirst => LogIndex.Min(Wanted, MissingLast);

    private LogEntry First => _end.Entries[0];

    private bool IsLeaderHeard => _now - _leaderHeardAt <= _options.LeaderSilenceTicksMax;

    private long StuckSince => Math.Max(_leaderSince, _movedAt);

    /// <summary>A leader that cannot be asked, because this node does not know it yet, says nothing.</summary>
    private bool HasLeaderRefused => _leaderRefusedAt >= StuckSince || !_peers.Contains(_leader);

    /// <summary>Time enough to ask everybody twice.</summary>
    private long GiveUpTicks => Math.Max(_options.GiveUpTicks, 2L * (_peers.Length + 1) * _options.RetryTicks);

    /// <summary>The first index to ask for.</summary>
    private LogIndex Wanted
    {
        get
        {
            if (_pending.Count > 0)
            {
                return _pending[^1].Index.Next;
            }

            var wanted = _covered.Next;
            foreach (var run in _earlier)
            {
                wanted = LogIndex.Max(wanted, LastOf(run).Index.Next);
            }

            return LogIndex.Min(wanted, First.Index);
        }
    }

    /// <summary>One tick passed.</summary>
    /// <returns>A question to the next peer, when the last one was not answered; else null.</returns>
    public Message? OnTick()
    {
        _now++;
        if (Mended is not null || _now - _askedAt < _options.RetryTicks)
        {
            return null;
        }

        _refusals = 0;
        return AskNext();
    }

    /// <returns>An answer or the next question; null when there is nothing to say.</returns>
    public Message? OnMessage(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        if (message.Group != _options.Group || message.To != _options.Node)
        {
            return null;
        }

        switch (message)
        {
            case MendRequest request:
                return Answer(request);
            case MendReply reply when Mended is null && _peers.Contains(reply.From):
                return OnReply(reply);
            case AppendEntries or Heartbeat or InstallSnapshot or MembershipNotice when message.Term >= _hardState.Term:
                OnLeader(message);
                return null;
            default:
                return null; // It neither votes nor acknowledges.
        }
    }

    private void OnLeader(Message message)
    {
        if (!IsLeaderHeard || _leader != message.From)
        {
            _leaderSince = _now;
        }

        _leader = message.From;
        _leaderHeardAt = _now;
        _isRemoved |= message is MembershipNotice { Membership: var membership }
            && membership.WasRemoved(_options.Node);
    }

    private MendRequest? AskNext()
    {
        if (_peers.Length == 0)
        {
            return null;
        }

        _asked = (_asked + 1) % _peers.Length;
        return Ask(_peers[_asked]);
    }

    private MendRequest Ask(NodeId peer)
    {
        _askedAt = _now;
        _askedFrom = Wanted;
        return new MendRequest(_options.Group, _options.Node, peer, _hardState.Term, First.Id, _askedFrom);
    }

    private MendRequest? OnReply(MendReply reply)
    {
        if (reply.Before != First.Id || reply.From != Asked)
        {
            return null; // Late: the end has grown since, or another peer was asked.
        }

        if (reply.Result is not MendResult.Found || (reply.Entries.IsEmpty && _end.Previous is not null))
        {
            // Everybody once, then again after a while.
            _leaderRefusedAt = reply.From == _leader ? _now : _leaderRefusedAt;
            return ++_refusals < _peers.Length ? AskNext() : null;
        }

        if (!TryTake(reply))
        {
            return null; // A copy of an earlier answer, or nonsense.
        }

        _refusals = 0;
        _movedAt = _now;
        return Mended is null ? Ask(reply.From) : null;
    }

    /// <summary>Whether the answer is one to the last question.</summary>
    private bool TryTake(MendReply reply)
    {
        var entries = reply.Entries.Span;
        var last = entries.IsEmpty ? reply.Previous : entries[^1].Id;
        var isToTheEnd = last.Index == First.Index.Previous;
        if (reply.Previous.Index.Next < _askedFrom || last.Index >= First.Index || last.Term > First.Term
            || (entries.IsEmpty && !isToTheEnd))
        {
            return false;
        }

        if (_pending.Count == 0 || _pending[^1].Id != reply.Previous)
        {
            // Another peer has less in front than the one before: what follows it is asked for anew.
            _pending.Clear();
            _beforePending = reply.Previous;
        }

        _pending.AddRange(entries);
        if (isToTheEnd)
        {
            _end = new LogRun(_beforePending, [.. _pending, .. _end.Entries]);
            _pending.Clear();
            Join();
        }

        return true;
    }

    /// <summary>Puts what is known to come before in front of the end, as far as that is proven.</summary>
    private void Join()
    {
        while (_end.Previous is { } previous && TakeRunWith(previous) is { } run)
        {
            var count = (int)previous.Index.CountSince(run.Previous!.Value.Index);
            _end = new LogRun(run.Previous, [.. run.Entries.Take(count), .. _end.Entries]);
        }

        if (_end.Previous is { } start)
        {
            // What reaches further and has not the entry before was replaced by what is lost.
            _earlier.RemoveAll(run => LastOf(run).Index >= start.Index);
            if (start.Index <= _covered)
            {
                Mended = Checked(new MendedLog(_hardState, start, _end.Entries));
            }
        }

        if (Mended is null && First.Index <= _covered)
        {
            Mended = Checked(new MendedLog(_hardState, First.Id, [.. _end.Entries.Skip(1)]));
        }
    }

    /// <summary>Before it takes the damaged one's place: what is no log must not become one.</summary>
    private static MendedLog Checked(MendedLog log)
    {
        var previous = log.LogStart;
        foreach (var entry in log.Entries)
        {
            Invariant.Holds(entry.Index == previous.Index.Next, "Entries follow each other (paper §5.3).");
            Invariant.Holds(entry.Term >= previous.Term, "Terms never fall along the log (paper §5.3).");
            previous = entry.Id;
        }

        Invariant.Holds(previous.Term <= log.HardState.Term, "A log holds no entry of a term that was not entered.");
        return log;
    }

    private LogRun? TakeRunWith(EntryId entry)
    {
        var at = _earlier.FindIndex(run => Has(run, entry) && entry.Index > run.Previous!.Value.Index);
        if (at < 0)
        {
            return null;
        }

        var run = _earlier[at];
        _earlier.RemoveAt(at);
        return run;
    }

    /// <summary>What a peer lacks may be whole here, although something else is missing.</summary>
    private MendReply Answer(MendRequest request)
    {
        MendReply? best = null;
        foreach (var run in _earlier.Append(WithPrevious(_end)).OfType<LogRun>())
        {
            if (!Has(run, request.Before) || request.Before.Index == run.Previous!.Value.Index)
            {
                continue;
            }

            var reply = Answer(request, run);
            best = best is null || reply.Previous.Index < best.Previous.Index ? reply : best;
        }

        var isHere = _end.Entries.Count > 0 && First.Id == request.Before;
        return best ?? Reply(request, isHere ? MendResult.Gone : MendResult.Unknown, EntryId.Start, default);
    }

    private MendReply Answer(MendRequest request, LogRun run)
    {
        var start = run.Previous!.Value; // Runs without one are given one first.
        var first = LogIndex.Min(LogIndex.Max(request.First, start.Index.Next), request.Before.Index);
        var skipped = (int)first.Previous.CountSince(start.Index);
        var previous = skipped == 0 ? start : run.Entries[skipped - 1].Id;
        var entries = new List<LogEntry>();
        var bytes = 0L;
        for (var i = skipped; run.Entries[i].Index < request.Before.Index && entries.Count < _options.EntriesMax; i++)
        {
            bytes += run.Entries[i].Payload.Length;
            if (entries.Count > 0 && bytes > _options.BytesMax)
            {
                break;
            }

            entries.Add(run.Entries[i]);
        }

        return Reply(request, MendResult.Found, previous, entries.ToArray());
    }

    private MendReply Reply(
        MendRequest request, MendResult result, EntryId previous, ReadOnlyMemory<LogEntry> entries) =>
        new(_options.Group, _options.Node, request.From, _hardState.Term, result, request.Before, previous, entries);

    /// <summary>A run whose first entry serves as the one before, where that is not known.</summary>
    private static LogRun? WithPrevious(LogRun run) => run switch
    {
        { Previous: not null } => run,
        { Entries.Count: > 1 } => new LogRun(run.Entries[0].Id, [.. run.Entries.Skip(1)]),
        _ => null,
    };

    private static EntryId LastOf(LogRun run) => run.Entries.Count > 0 ? run.Entries[^1].Id : run.Previous!.Value;

    private static bool Has(LogRun run, EntryId entry)
    {
        var start = run.Previous!.Value;
        if (entry.Index <= start.Index)
        {
            return entry == start;
        }

        var place = entry.Index.CountSince(start.Index) - 1;
        return place < (ulong)run.Entries.Count && run.Entries[(int)place].Id == entry;
    }
}
