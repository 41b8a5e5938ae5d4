using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// K1 at its root, one replica's part: a read is answered only after a majority has confirmed, by answers to heartbeats
/// that were sent after the read was asked for, that this replica still leads (thesis §6.4). Clocks prove nothing, and
/// neither do answers to earlier rounds.
/// </summary>
internal sealed class ConfirmedReads
{
    private readonly Dictionary<ulong, ulong> _replies = [];
    private readonly Dictionary<(ulong Asker, ulong RequestId), ulong> _asked = [];
    private (int Life, Term Term) _lead;
    private ulong _lastSent;

    /// <summary>A leader took a step.</summary>
    /// <param name="before">The membership before the newest change; null when that is not known.</param>
    /// <returns>What is wrong; null for nothing.</returns>
    public string? Check(
        int node, int life, Term term, Membership membership, Membership? before, Input input, Effects effects)
    {
        if (_lead != (life, term))
        {
            _lead = (life, term);
            _lastSent = 0;
            _replies.Clear();
            _asked.Clear();
        }

        Take(term, input);
        var wrong = CheckAnswers(node, membership, before, effects);
        for (var i = 0; i < effects.Send.Count; i++)
        {
            if (effects.Send[i] is Heartbeat heartbeat)
            {
                _lastSent = Math.Max(_lastSent, heartbeat.ReadRound);
            }
        }

        return wrong;
    }

    private void Take(Term term, Input input)
    {
        switch (input)
        {
            case ReadBarrier barrier:
                _asked.TryAdd((0, barrier.RequestId), _lastSent);
                break;
            case Receive { Message: ReadIndexRequest request }:
                _asked.TryAdd((request.From.Value, request.RequestId), _lastSent); // A copy asks for nothing new.
                break;
            case Receive { Message: HeartbeatReply reply } when reply.Term == term:
                _replies[reply.From.Value] = Math.Max(
                    _replies.GetValueOrDefault(reply.From.Value), reply.ReadRound);
                break;
            default: break;
        }
    }

    private string? CheckAnswers(int node, Membership membership, Membership? before, Effects effects)
    {
        for (var i = 0; i < effects.Reads.Count; i++)
        {
            var read = effects.Reads[i];
            if (read.Accepted && CheckAnswer(node, (0, read.RequestId), membership, before) is { } wrong)
            {
                return wrong;
            }
        }

        for (var i = 0; i < effects.Send.Count; i++)
        {
            if (effects.Send[i] is ReadIndexReply { Accepted: true } reply
                && CheckAnswer(node, (reply.To.Value, reply.RequestId), membership, before) is { } wrong)
            {
                return wrong;
            }
        }

        return null;
    }

    private string? CheckAnswer(
        int node, (ulong Asker, ulong RequestId) read, Membership membership, Membership? before)
    {
        if (!_asked.TryGetValue(read, out var round) || IsConfirmed(node, round, membership)
            || (before is not null && IsConfirmed(node, round, before)))
        {
            return null;
        }

        return $"Node {node} leads term {_lead.Term} and lets a reader read; no majority of [{membership}] has "
            + $"answered a heartbeat sent after read round {round}, the last one before the reader asked.";
    }

    private bool IsConfirmed(int node, ulong round, Membership membership) =>
        IsConfirmed(node, round, membership.Voters)
        && (!membership.IsJoint || IsConfirmed(node, round, membership.OutgoingVoters));

    private bool IsConfirmed(int node, ulong round, ReadOnlySpan<NodeId> voters)
    {
        var count = 0;
        foreach (var voter in voters)
        {
            count += voter.Value == (ulong)node || _replies.GetValueOrDefault(voter.Value) > round ? 1 : 0;
        }

        return count > voters.Length / 2;
    }
}
