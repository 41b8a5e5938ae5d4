using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// After a loss beyond tolerance: do the nodes go on with a majority that remembers, or do they stop and say why? There
/// is nothing in between.
/// </summary>
internal static class SafeHalt
{
    /// <summary>What a node does after the loss.</summary>
    private enum Stand
    {
        /// <summary>It runs and has its vote: it believes that it forgot nothing.</summary>
        Remembers = 0,

        /// <summary>It runs without a vote, and says what it lost or whom it waits for.</summary>
        Waits = 1,

        /// <summary>It does not start, and says which file is wrong.</summary>
        Refuses = 2,

        /// <summary>Neither: nobody could know what is the matter.</summary>
        Silent = 3,
    }

    /// <summary>
    /// A majority still has its votes, by the membership in the newest of their logs, in a joint one of both sets: then
    /// it must answer, and no rule is lifted. A loss in the midst of a change may leave a majority of one set only.
    /// </summary>
    public static bool GoesOn(IReadOnlyList<SimNode> nodes)
    {
        var whole = nodes.Where(node => StandOf(node) is Stand.Remembers).ToList();
        var newest = whole.MaxBy(node => (node.Process!.Raft!.LastEntry.Term, node.Process.Raft.LastEntry.Index));
        return newest?.Process?.Raft?.Membership is { } membership
            && IsMajority(whole, membership.Voters)
            && (!membership.IsJoint || IsMajority(whole, membership.OutgoingVoters));
    }

    /// <returns>Null when every node without a vote says why and nobody leads; else what is wrong.</returns>
    public static string? Check(IReadOnlyList<SimNode> nodes)
    {
        foreach (var node in nodes.Where(node => node.IsInUse))
        {
            if (StandOf(node) is Stand.Silent)
            {
                return $"Node {node.Place} neither runs with its vote nor says why not"
                    + $"{(node.Process is null ? ": it is down" : "")}.";
            }

            if (node.Process?.Raft is { Role: Role.Leader } raft)
            {
                return $"Node {node.Place} leads term {raft.Term} although no majority remembers: {Tell(nodes)}";
            }
        }

        return null;
    }

    /// <summary>What each node says, in one line.</summary>
    public static string Tell(IReadOnlyList<SimNode> nodes) => string.Join(
        "; ", nodes.Where(node => node.IsInUse).Select(node =>
            $"{node.Place} {StandOf(node).ToString().ToLowerInvariant()}"
            + ((node.Refusal ?? ReasonOf(node)) is { } reason ? $" ({reason})" : "")));

    private static bool IsMajority(List<SimNode> whole, ReadOnlySpan<NodeId> voters)
    {
        var count = 0;
        foreach (var voter in voters)
        {
            count += whole.Exists(node => (ulong)node.Place == voter.Value) ? 1 : 0;
        }

        return count > voters.Length / 2;
    }

    private static Stand StandOf(SimNode node) => node.Process switch
    {
        null => node.Refusal is { Length: > 0 } ? Stand.Refuses : Stand.Silent,
        { Raft.MayVote: true } => Stand.Remembers,
        { } => ReasonOf(node) is { Length: > 0 } ? Stand.Waits : Stand.Silent,
    };

    private static string? ReasonOf(SimNode node) =>
        node.Process is { IsOpen: true } process ? process.Kvorum.Status.NoVoteReason : null;
}
