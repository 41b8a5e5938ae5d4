using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>Q1: what a replica holds and sends stays within the stated limits.</summary>
internal sealed class QueueLimits(SimSettings settings)
{
    public string? CheckLeader(int node, LeaderState lead)
    {
        if (lead.Rounds.Count > RaftNode.ReadRoundsMax)
        {
            return $"Node {node} has {lead.Rounds.Count} read rounds under way, at most {RaftNode.ReadRoundsMax} are.";
        }

        foreach (var peer in lead.Peers)
        {
            if (peer.Inflight.Count > settings.InflightMessagesMax)
            {
                return $"Node {node} has {peer.Inflight.Count} unanswered messages to node {peer.Node}, at most "
                    + $"{settings.InflightMessagesMax} are allowed.";
            }

            if (peer.Snapshot is not null && peer.Stream.Count > settings.SnapshotChunksInflightMax)
            {
                return $"Node {node} has {peer.Stream.Count} chunks of a snapshot under way to node {peer.Node}, at "
                    + $"most {settings.SnapshotChunksInflightMax} are allowed.";
            }
        }

        return null;
    }

    public string? CheckSent(int node, Message message)
    {
        if (message is AppendEntries append && append.Entries.Length > settings.AppendEntriesMax)
        {
            return $"Node {node} sends {append.Entries.Length} entries in a message, at most "
                + $"{settings.AppendEntriesMax} are allowed.";
        }

        return message is InstallSnapshot install && install.Data.Length > settings.SnapshotChunkBytesMax
            ? $"Node {node} sends {install.Data.Length} bytes of a snapshot, at most "
                + $"{settings.SnapshotChunkBytesMax} are allowed."
            : null;
    }
}
