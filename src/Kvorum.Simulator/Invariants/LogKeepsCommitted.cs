using Kvorum.Raft;

namespace Kvorum.Simulator;

/// <summary>
/// R9: no entry at or below the commit index is replaced, a snapshot ends at or below it, log and snapshot meet without
/// a gap, and a log that agrees with a snapshot is not cut for it (paper §7, Fig. 13).
/// </summary>
internal static class LogKeepsCommitted
{
    public static string? CheckAppend(int node, LogImage log, LogIndex commit, EntryId first)
    {
        if (first.Index <= commit)
        {
            return $"Node {node} replaces its log from index {first.Index} on, at or below its commit index {commit}.";
        }

        return log.Reaches(first.Index)
            ? null
            : $"Node {node} appends index {first.Index} to a log that ends at {log.Last}.";
    }

    public static string? CheckReset(int node, LogImage log, LogIndex commit, EntryId start)
    {
        if (start.Index < commit)
        {
            return $"Node {node} lets its log begin anew after {start}, below its commit index {commit}.";
        }

        return log.Contains(start) && log.Last.Index > start.Index
            ? $"Node {node} drops the log after {start}, up to {log.Last}, although it agrees with the snapshot."
            : null;
    }

    public static string? CheckSnapshot(int node, LogImage log, LogIndex commit, EntryId last)
    {
        if (last.Index > commit)
        {
            return $"Node {node} has a snapshot up to {last}, above its commit index {commit}.";
        }

        return last.Index < log.Start.Index || log.Contains(last)
            ? null
            : $"Node {node} has a snapshot up to {last}, and a log with another entry there: it ends at {log.Last}.";
    }

    /// <summary>The replica believes to have what its effects said, and begins where its log has that entry.</summary>
    public static string? CheckEnds(int node, LogImage log, in ReplicaView view)
    {
        if (view.Last != log.Last)
        {
            return $"Node {node} believes that its log ends at {view.Last}; what it asked to be written ends at "
                + $"{log.Last}.";
        }

        var isKnown = view.LogStart.Index < log.Start.Index || log.Contains(view.LogStart);
        return view.LogStart.Index > view.Commit || !isKnown
            ? $"Node {node} begins its log after {view.LogStart}, which is not a committed entry of it."
            : null;
    }
}
