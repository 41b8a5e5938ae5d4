namespace Kvorum.Raft;

/// <summary>Proposals: appended by the leader (paper §5.3), sent on by a follower.</summary>
public sealed partial class RaftNode
{
    /// <summary>Payload bytes in one <see cref="ForwardProposals"/>, unless a single command is larger.</summary>
    internal const int ForwardBytesMax = 1024 * 1024;

    private void OnPropose(Propose propose)
    {
        if (_lead is { } lead)
        {
            _effects.Proposed = TryAppend(lead, propose.Commands.Span) is { } first
                ? new ProposeOutcome(ProposeResult.Appended, first, _options.Node)
                : new ProposeOutcome(ProposeResult.Refused, EntryId.Start, _options.Node);
        }
        else if (_leader is not { } leader || FindPeer(leader) is { IsLinkLost: true })
        {
            _effects.Proposed = new ProposeOutcome(ProposeResult.NoLeader, EntryId.Start, null);
        }
        else if (propose.Commands.IsEmpty || propose.Commands.Length > _options.ProposalsMax)
        {
            _effects.Proposed = new ProposeOutcome(ProposeResult.Refused, EntryId.Start, leader);
        }
        else
        {
            Forward(propose, leader);
            _effects.Proposed = new ProposeOutcome(ProposeResult.Forwarded, EntryId.Start, leader);
        }
    }

    /// <summary>Appends all commands or, when a limit is in the way or leadership is being handed over, none.</summary>
    private EntryId? TryAppend(LeaderState lead, ReadOnlySpan<ReadOnlyMemory<byte>> commands)
    {
        var bytes = 0L;
        foreach (var command in commands)
        {
            bytes += command.Length;
        }

        // A batch larger than the limit itself is taken when nothing else waits, or it could never be.
        var isOver = lead.UnsettledBytes > 0 && lead.UnsettledBytes + bytes > _options.UncommittedBytesMax;
        if (isOver || commands.IsEmpty || commands.Length > _options.ProposalsMax || lead.Transferee is not null)
        {
            return null;
        }

        var first = new EntryId(_term, _log.Last.Index.Next);
        foreach (var command in commands)
        {
            AppendOwn(EntryKind.Command, command);
        }

        lead.UnsettledBytes += bytes;
        return first;
    }

    private void Forward(Propose propose, NodeId leader)
    {
        var commands = propose.Commands;
        var from = 0;
        while (from < commands.Length)
        {
            var count = CountForwardable(commands.Span[from..]);
            _effects.AddSend(new ForwardProposals(
                _options.Group, _options.Node, leader, _term, propose.RequestId, from, commands.Slice(from, count)));
            from += count;
        }
    }

    private static int CountForwardable(ReadOnlySpan<ReadOnlyMemory<byte>> commands)
    {
        var count = 1;
        var bytes = commands[0].Length;
        while (count < commands.Length && bytes + commands[count].Length <= ForwardBytesMax)
        {
            bytes += commands[count].Length;
            count++;
        }

        return count;
    }

    /// <remarks>
    /// The reply is added here and the entries leave at the end of the step: the follower learns which entries are its
    /// own before it gets them, so none is applied there before somebody waits for it.
    /// </remarks>
    private void OnForwardProposals(ForwardProposals forward, bool hasRoom)
    {
        if (_lead is { } lead)
        {
            // A copy of a message must not propose twice, and one from another term may be such a copy: it is for
            // nobody.
            if (forward.Term == _term && lead.IsFirst(forward))
            {
                Take(lead, forward, hasRoom);
            }
        }
        else if (forward.Term == _term && _votedFor != _options.Node)
        {
            // "Nothing was proposed" can be said only by one that never led the sender's term: a former leader, before
            // a restart even, may have taken another copy. There the sender hears of the next leader.
            Reply(forward, null);
        }
    }

    private void Take(LeaderState lead, ForwardProposals forward, bool hasRoom)
    {
        var first = hasRoom ? TryAppend(lead, forward.Commands.Span) : null;
        if (first is not null && FindProgress(lead, forward.From) is { } peer)
        {
            peer.CommitWanted = _log.Last.Index;
        }

        Reply(forward, first);
    }

    private void Reply(ForwardProposals forward, EntryId? first) =>
        _effects.AddSend(new ForwardReply(
            _options.Group, _options.Node, forward.From, _term, forward.RequestId, forward.Offset, forward.Commands.Length,
            first is not null, first ?? EntryId.Start));

    private void OnForwardReply(ForwardReply reply) =>
        _effects.AddForwarded(new ForwardOutcome(reply.RequestId, reply.Accepted, reply.First, reply.Offset, reply.Count));
}
