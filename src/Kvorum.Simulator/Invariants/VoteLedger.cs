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
