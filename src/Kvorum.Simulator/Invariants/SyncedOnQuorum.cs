using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R6: what is committed is synced on a majority of the membership in force, in a joint one of both sets (thesis §4.3).
/// </summary>
internal static class SyncedOnQuorum
{
    /// <param name="isSynced">Whether a node has the entry on its disk.</param>
    public static string? Check(int node, LogIndex index, Membership membership, Func<NodeId, bool> isSynced) =>
        CheckSet(node, index, membership.Voters, isSynced)
        ?? (membership.IsJoint ? CheckSet(node, index, membership.OutgoingVoters, isSynced) : null);

    private static string? CheckSet(
        int node, LogIndex index, ReadOnlySpan<NodeId> voters, Func<NodeId, bool> isSynced)
    {
        var synced = 0;
        foreach (var voter in voters)
        {
            synced += isSynced(voter) ? 1 : 0;
        }

        return synced > voters.Length / 2
            ? null
            : $"Node {node} committed index {index}, which is synced on {synced} of the {voters.Length} voters "
                + $"{string.Join(' ', voters.ToArray())}.";
    }
}
