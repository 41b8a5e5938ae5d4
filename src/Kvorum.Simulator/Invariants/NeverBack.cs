using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R5: in one life of a node term, commit index and applied index never fall, a leader only appends, and a peer's match
/// index never falls in one leader's term and stays below the next index.
/// </summary>
internal static class NeverBack
{
    public static string? Check(int node, in ReplicaView before, in ReplicaView after)
    {
        if (after.Term < before.Term)
        {
            return $"Node {node} went back from term {before.Term} to {after.Term}.";
        }

        if (after.Commit < before.Commit)
        {
            return $"Node {node} moved its commit index back from {before.Commit} to {after.Commit}.";
        }

        var leads = before.Role is Role.Leader && after.Role is Role.Leader && before.Term == after.Term;
        return leads && after.Last.Index < before.Last.Index
            ? $"Node {node} leads term {after.Term} and cut its log from {before.Last} to {after.Last}."
            : null;
    }

    /// <summary>A leader replaces no entry of its log.</summary>
    public static string? CheckAppend(int node, in ReplicaView before, in ReplicaView after, EntryId first)
    {
        var leads = before.Role is Role.Leader && after.Role is Role.Leader && before.Term == after.Term;
        return leads && first.Index <= before.Last.Index
            ? $"Node {node} leads term {after.Term} and replaces its own log from index {first.Index} on."
            : null;
    }

    /// <summary>R6: a match index rises by what that peer says in the leader's own term, by nothing else.</summary>
    public static string? CheckClaimTerm(
        int node, ulong peer, LogIndex before, LogIndex match, Term term, Input input)
    {
        var said = (input as Receive)?.Message;
        var isOwn = said is AppendReply or InstallSnapshotReply && said.Term == term && said.From.Value == peer;
        return match <= before || isOwn
            ? null
            : $"Node {node} leads term {term} and moved the match index of node {peer:x} from {before} to {match} by "
                + $"{said?.GetType().Name ?? input.GetType().Name} of term {said?.Term}.";
    }

    /// <param name="mayForget">The peer's memory was lost, so that what it acknowledged is void.</param>
    public static string? CheckMatch(
        int node, ulong peer, LogIndex before, LogIndex match, LogIndex next, bool mayForget)
    {
        if (next <= match)
        {
            return $"Node {node} sends index {next} to node {peer:x}, which has acknowledged {match}.";
        }

        return match < before && !(mayForget && match == LogIndex.Zero)
            ? $"Node {node} moved the match index of node {peer:x} back from {before} to {match}."
            : null;
    }
}
