using System.Text.Json;

namespace Kvorum.SystemTests.Running;

/// <summary>What a node says about itself at GET /.</summary>
public sealed record NodeState(
    string Id,
    int Pid,
    string State,
    bool IsLeader,
    string? Leader,
    ulong Term,
    ulong CommitIndex,
    ulong LastApplied,
    ulong LastLogIndex,
    ulong LogStartIndex,
    string StateHash,
    ulong StateHashIndex,
    bool MayVote,
    bool HasQuorum)
{
    public static NodeState Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        var status = document.RootElement.GetProperty("status");
        return new NodeState(
            status.GetProperty("id").GetString()!, // A node always has a name.
            status.GetProperty("pid").GetInt32(),
            status.GetProperty("state").GetString()!, // And a state.
            status.GetProperty("is_leader").GetBoolean(),
            status.GetProperty("leader").GetString(),
            status.GetProperty("term").GetUInt64(),
            status.GetProperty("commit_index").GetUInt64(),
            status.GetProperty("last_applied").GetUInt64(),
            status.GetProperty("last_log_index").GetUInt64(),
            status.GetProperty("log_start_index").GetUInt64(),
            status.GetProperty("state_hash").ToString(),
            status.GetProperty("state_hash_index").GetUInt64(),
            status.GetProperty("may_vote").GetBoolean(),
            status.GetProperty("has_quorum").GetBoolean());
    }
}
