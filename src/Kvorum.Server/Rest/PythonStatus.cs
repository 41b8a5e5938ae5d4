using System.Globalization;
using System.Text;
using Kvorum.Node;

namespace Kvorum.Server.Rest;

/// <summary>
/// The status as a Python dictionary printed as text, keys in a fixed order: what scripts written for the key/value
/// assignment read.
/// </summary>
internal static class PythonStatus
{
    private const int Connected = 2;
    private const int NotConnected = 0;

    public static string Of(ServerContext context, NodeStatus status)
    {
        var text = new Builder();
        text.Add("version", Quote(context.Version));
        text.Add("revision", "'deprecated'");
        text.Add("self", NodeOf(context, status.Node));
        text.Add("state", status.Role switch
        {
            NodeRole.Leader => 2,
            NodeRole.Candidate or NodeRole.PreCandidate => 1,
            _ => 0,
        });
        text.Add("leader", status.Leader is { } leader ? NodeOf(context, leader) : "None");
        text.Add("has_quorum", status.HasQuorum ? "True" : "False");
        AddConnections(text, "partner_nodes_count", "partner_node_status_server_", context, status, isVoter: true);
        AddConnections(text, "readonly_nodes_count", "readonly_node_status_server_", context, status, isVoter: false);
        text.Add("log_len", status.LastLogIndex - Math.Min(status.LogStartIndex, status.LastLogIndex));
        text.Add("last_applied", status.AppliedIndex);
        text.Add("commit_idx", status.CommitIndex);
        text.Add("raft_term", status.Term);
        AddIndexes(text, "next_node_idx", context, status, member => member.Next);
        AddIndexes(text, "match_idx", context, status, member => member.Match);
        text.Add("leader_commit_idx", status.CommitIndex);
        text.Add("uptime", (ulong)StatusRoutes.UptimeSeconds(context));
        text.Add("self_code_version", 0);
        text.Add("enabled_code_version", 0);
        return text.ToString();
    }

    private static void AddConnections(
        Builder text, string countName, string prefix, ServerContext context, NodeStatus status, bool isVoter)
    {
        var others = Others(status).Where(member => member.IsVoter == isVoter).ToArray();
        text.Add(countName, (ulong)others.Length);
        foreach (var member in others)
        {
            text.Add(prefix + AddressOf(context, member.Node), member.IsConnected ? Connected : NotConnected);
        }
    }

    /// <summary>Only a leader knows how far the others are; elsewhere the count is 0.</summary>
    private static void AddIndexes(
        Builder text, string name, ServerContext context, NodeStatus status, Func<MemberStatus, ulong> indexOf)
    {
        var others = status.Role is NodeRole.Leader ? Others(status).ToArray() : [];
        text.Add(name + "_count", (ulong)others.Length);
        foreach (var member in others)
        {
            text.Add($"{name}_server_{AddressOf(context, member.Node)}", indexOf(member));
        }
    }

    private static IEnumerable<MemberStatus> Others(NodeStatus status) =>
        status.Members.Where(member => member.Node != status.Node);

    private static string NodeOf(ServerContext context, ulong node) => $"TCPNode({Quote(AddressOf(context, node))})";

    private static string AddressOf(ServerContext context, ulong node) =>
        context.PeerUrlOf(node) is { } url
            ? string.Create(CultureInfo.InvariantCulture, $"{url.Host}:{url.Port}")
            : context.NameOf(node);

    /// <summary>A Python string literal.</summary>
    private static string Quote(string text) =>
        "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal) + "'";

    private sealed class Builder
    {
        private readonly StringBuilder _text = new("{");

        public void Add(string name, ulong value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

        public void Add(string name, int value) => Add(name, value.ToString(CultureInfo.InvariantCulture));

        public void Add(string name, string literal)
        {
            if (_text.Length > 1)
            {
                _text.Append(", ");
            }

            _text.Append(Quote(name)).Append(": ").Append(literal);
        }

        public override string ToString() => _text + "}";
    }
}
