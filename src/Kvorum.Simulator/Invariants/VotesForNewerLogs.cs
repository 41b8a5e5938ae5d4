using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R3 at its roots: a vote goes to a log at least as up to date as the voter's (paper §5.4.1), and a leader moves its
/// commit index to an entry of its own term (§5.4.2).
/// </summary>
internal static class VotesForNewerLogs
{
    public static string? CheckVote(int node, RequestVote request, EntryId own)
    {
        var last = request.LastEntry;
        var isOlder = last.Term < own.Term || (last.Term == own.Term && last.Index < own.Index);
        return isOlder
            ? $"Node {node}, whose log ends at {own}, votes in term {request.Term} for node {request.From}, whose log "
                + $"ends at {last}."
            : null;
    }

    public static string? CheckCommit(int node, in ReplicaView before, in ReplicaView after, LogImage log)
    {
        var leads = before.Role is Role.Leader && after.Role is Role.Leader && before.Term == after.Term;
        if (!leads || after.Commit <= before.Commit || !log.Reaches(after.Commit))
        {
            return null;
        }

        var term = log.TermAt(after.Commit);
        return term == after.Term
            ? null
            : $"Node {node} leads term {after.Term} and commits up to index {after.Commit} by counting, an entry of "
                + $"term {term}.";
    }
}
