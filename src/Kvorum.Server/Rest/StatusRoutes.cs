using System.Text;
using System.Text.Json;
using Kvorum.Node;
using Microsoft.AspNetCore.Http;

namespace Kvorum.Server.Rest;

/// <summary>What the node is at the moment: <c>GET /</c> as JSON, <c>GET /admin/status</c> as text.</summary>
internal sealed class StatusRoutes(ServerContext context)
{
    public async Task GetJsonAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        using var body = new ResponseBuffer();
        using (var json = body.OpenJson())
        {
            Write(json, context.Kvorum.Status);
        }

        http.Response.Headers.CacheControl = "no-store";
        await body.SendAsync(http, StatusCodes.Status200OK, "application/json").ConfigureAwait(false);
    }

    public async Task GetTextAsync(HttpContext http, RequestTarget target)
    {
        QueryOptions.Parse(target.Query, QueryFields.None);
        var text = PythonStatus.Of(context, context.Kvorum.Status);
        using var body = new ResponseBuffer();
        body.Advance(Encoding.UTF8.GetBytes(text, body.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length))));
        http.Response.Headers.CacheControl = "no-store";
        await body.SendAsync(http, StatusCodes.Status200OK, "text/plain").ConfigureAwait(false);
    }

    private void Write(Utf8JsonWriter json, NodeStatus status)
    {
        var isLeader = status.Role is NodeRole.Leader;
        json.WriteStartObject();
        json.WriteBoolean("ok"u8, true);
        json.WriteStartObject("status"u8);
        json.WriteString("id"u8, status.Name);
        json.WriteString("leader"u8, status.Leader is { } leader ? context.NameOf(leader) : null);
        json.WriteBoolean("is_leader"u8, isLeader);
        json.WriteString("state"u8, StateOf(status.Role));
        json.WriteBoolean("up"u8, status.Role is not NodeRole.Stopped);
        json.WriteNumber("commit_index"u8, status.CommitIndex);
        json.WriteNumber("last_applied"u8, status.AppliedIndex);
        json.WriteNumber("last_log_index"u8, status.LastLogIndex);
        json.WriteNumber("last_log_term"u8, status.LastLogTerm);
        json.WriteNumber("term"u8, status.Term);
        if (isLeader)
        {
            WriteProgress(json, "next_index", status, member => member.Next);
            WriteProgress(json, "match_index", status, member => member.Match);
        }

        WriteMembers(json, status);
        WriteOwn(json, status);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>What the shape above does not have: members of our own.</summary>
    private void WriteOwn(Utf8JsonWriter json, NodeStatus status)
    {
        json.WriteNumber("pid"u8, context.ProcessId);
        json.WriteString("version"u8, context.Version);
        json.WriteString("node_id"u8, Hexadecimal(status.Node));
        json.WriteString("cluster_id"u8, Hexadecimal(status.ClusterId));
        json.WriteNumber("revision"u8, status.Revision);
        json.WriteNumber("compacted_revision"u8, status.CompactedRevision);
        json.WriteNumber("keys"u8, status.KeyCount);
        json.WriteNumber("log_start_index"u8, status.LogStartIndex);
        json.WriteNumber("engine_bytes"u8, status.EngineBytes);
        json.WriteNumber("wal_bytes"u8, status.WalBytes);
        json.WriteNumber("sessions"u8, status.SessionCount);

        // As text: a number of 64 bits does not survive most readers of JSON.
        json.WriteString("state_hash"u8, Hexadecimal(status.StateHash));
        json.WriteNumber("state_hash_index"u8, status.StateHashIndex);
        json.WriteBoolean("has_quorum"u8, status.HasQuorum);
        json.WriteBoolean("may_vote"u8, status.MayVote);
        json.WriteNumber("uptime_seconds"u8, UptimeSeconds(context));
        json.WriteStartArray("client_urls"u8);
        foreach (var url in context.Options.AdvertiseClientUrls)
        {
            json.WriteStringValue(url.AbsoluteUri.TrimEnd('/'));
        }

        json.WriteEndArray();
        json.WriteStartObject("connected"u8);
        foreach (var member in InOrderOfNames(status))
        {
            json.WriteBoolean(context.NameOf(member.Node), member.IsConnected);
        }

        json.WriteEndObject();
        json.WriteStartObject("member_kinds"u8);
        foreach (var member in InOrderOfNames(status))
        {
            json.WriteString(context.NameOf(member.Node), MembersJson.KindOf(member));
        }

        json.WriteEndObject();
    }

    public static long UptimeSeconds(ServerContext context) =>
        (long)(context.Time.GetUtcNow() - context.StartedAt).TotalSeconds;

    private IEnumerable<MemberStatus> InOrderOfNames(NodeStatus status) =>
        status.Members.OrderBy(member => context.NameOf(member.Node), StringComparer.Ordinal);

    private static string Hexadecimal(ulong number) => number.ToString("x16", null);

    /// <summary>A pre-candidate is a candidate that has not yet raised its term (thesis §9.6).</summary>
    private static string StateOf(NodeRole role) => role switch
    {
        NodeRole.Leader => "Leader",
        NodeRole.Candidate or NodeRole.PreCandidate => "Candidate",
        NodeRole.Stopped => "Stopped",
        _ => "Follower",
    };

    private void WriteProgress(Utf8JsonWriter json, string name, NodeStatus status, Func<MemberStatus, ulong> indexOf)
    {
        json.WriteStartObject(name);
        foreach (var member in InOrderOfNames(status))
        {
            if (member.Node != status.Node)
            {
                json.WriteNumber(context.NameOf(member.Node), indexOf(member));
            }
        }

        json.WriteEndObject();
    }

    /// <summary>
    /// Name → peer host, peer port, client host, client port; the last two null until that node was heard.
    /// </summary>
    private void WriteMembers(Utf8JsonWriter json, NodeStatus status)
    {
        json.WriteStartObject("members"u8);
        foreach (var member in InOrderOfNames(status))
        {
            json.WriteStartArray(context.NameOf(member.Node));
            WriteAddress(json, context.PeerUrlOf(member.Node));
            WriteAddress(json, context.ClientUrlOf(member.Node) is { } text ? new Uri(text) : null);
            json.WriteEndArray();
        }

        json.WriteEndObject();
    }

    private static void WriteAddress(Utf8JsonWriter json, Uri? url)
    {
        if (url is null)
        {
            json.WriteNullValue();
            json.WriteNullValue();
            return;
        }

        json.WriteStringValue(url.Host);
        json.WriteNumberValue(url.Port);
    }
}
