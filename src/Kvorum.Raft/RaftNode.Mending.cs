namespace Kvorum.Raft;

/// <summary>
/// Answers peers whose log has a hole (<see cref="LogMender"/>). What is asked for is part of any log that has the
/// entry asked about, so role, term and commit index do not matter.
/// </summary>
public sealed partial class RaftNode
{
    private void OnMendRequest(MendRequest request)
    {
        if (FindPeer(request.From) is not { IsMendingRead: false } peer)
        {
            return; // It asks again.
        }

        if (ResultOf(request.Before) is var result && result is not MendResult.Found)
        {
            Answer(request.From, result, request.Before, EntryId.Start, default);
            return;
        }

        var first = LogIndex.Max(request.First, _log.Start.Index.Next);
        if (first >= request.Before.Index)
        {
            AnswerFound(request.From, request.Before, default);
        }
        else if (first >= _log.MemoryFirst)
        {
            var count = Math.Min(request.Before.Index.CountSince(first), (ulong)_options.AppendEntriesMax);
            AnswerFound(
                request.From, request.Before, _log.Slice(first, (int)count, _options.AppendBytesMax, out _));
        }
        else
        {
            peer.IsMendingRead = true;
            _effects.AddFetch(new FetchEntries(request.From, first, _options.AppendBytesMax, request.Before));
        }
    }

    private void OnFetchedForMending(Fetched fetched)
    {
        if (FindPeer(fetched.Peer) is { } peer)
        {
            peer.IsMendingRead = false;
        }

        // The log may have been cut, or its tail replaced, while the disk read; and a read knows no end.
        var entries = fetched.Entries.Span;
        var count = 0;
        while (count < Math.Min(entries.Length, _options.AppendEntriesMax)
            && entries[count].Index < fetched.Before.Index
            && entries[count].Index > _log.Start.Index && _log.Contains(entries[count].Id))
        {
            count++;
        }

        if (ResultOf(fetched.Before) is MendResult.Found && count > 0)
        {
            AnswerFound(fetched.Peer, fetched.Before, fetched.Entries[..count]);
        }
    }

    private MendResult ResultOf(EntryId before)
    {
        if (before.Index <= _log.Start.Index)
        {
            return MendResult.Gone;
        }

        return _log.Contains(before) ? MendResult.Found : MendResult.Unknown;
    }

    private void AnswerFound(NodeId to, EntryId before, ReadOnlyMemory<LogEntry> entries)
    {
        var previous = (entries.IsEmpty ? before.Index : entries.Span[0].Index).Previous;
        Answer(to, MendResult.Found, before, new EntryId(_log.TermOf(previous), previous), entries);
    }

    private void Answer(
        NodeId to, MendResult result, EntryId before, EntryId previous, ReadOnlyMemory<LogEntry> entries) =>
        _effects.AddSend(new MendReply(
            _options.Group, _options.Node, to, _term, result, before, previous, entries));
}
