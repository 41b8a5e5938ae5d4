using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>R7: a node votes for one candidate in a term, across crashes; seen on the wire.</summary>
internal sealed class VoteLedger
{
    private readonly Dictionary<(int Node, ulong Term), ulong> _votes = [];

    public string? Sent(int from, Message message) => message switch
    {
        VoteReply { IsPreVote: false, Granted: true } reply => Voted(from, reply.Term, reply.To),
        RequestVote { IsPreVote: false } request => Voted(from, request.Term, request.From),
        _ => null,
    };

    /// <summary>R1 at its root: a leader has the votes of a majority, given in its term and no other.</summary>
    public string? CheckElection(int node, Term term, Membership membership) =>
        CheckSet(node, term, membership.Voters)
        ?? (membership.IsJoint ? CheckSet(node, term, membership.OutgoingVoters) : null);

    private string? CheckSet(int node, Term term, ReadOnlySpan<NodeId> voters)
    {
        var votes = 0;
        foreach (var voter in voters)
        {
            var hasVoted = _votes.TryGetValue(((int)voter.Value, term.Value), out var candidate);
            votes += voter.Value == (ulong)node || (hasVoted && candidate == (ulong)node) ? 1 : 0;
        }

        return votes > voters.Length / 2
            ? null
            : $"Node {node} leads term {term} with {votes} votes of {voters.Length} voters.";
    }

    private string? Voted(int node, Term term, NodeId candidate)
    {
        if (_votes.TryAdd((node, term.Value), candidate.Value))
        {
            return null;
        }

        var first = _votes[(node, term.Value)];
        return first == candidate.Value
            ? null
            : $"Node {node} votes for node {candidate} in term {term}, and voted for node {first:x} before.";
    }
}
