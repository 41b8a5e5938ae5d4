using Kvorum.Node;

namespace Kvorum.Server;

/// <summary>Everything a node tells Prometheus. Names are an interface: they are added to, never changed.</summary>
internal static class MetricsPage
{
    private static readonly NodeRole[] Roles = Enum.GetValues<NodeRole>();

    public static void Write(PrometheusWriter page, ServerContext context)
    {
        var status = context.Kvorum.Status;
        WriteRaft(page, status, context);
        WriteStore(page, status);
        WriteWork(page, context.Metrics);
        WritePeers(page, status, context);
        WriteRequests(page, context.Requests);
        EtcdMetrics.Write(page, status, context);
        ProcessMetrics.Write(page, context.StartedAt);
    }

    private static void WriteRaft(PrometheusWriter page, NodeStatus status, ServerContext context)
    {
        page.Header("kvorum_node_info", "Constant 1; the labels say which node and version this is.", "gauge");
        page.Sample("kvorum_node_info", 1,
            ("name", status.Name),
            ("node", status.Node.ToString("x16", null)),
            ("cluster", status.ClusterId.ToString("x16", null)),
            ("version", context.Version));
        page.Header("kvorum_raft_state", "1 for the role this node has, 0 for the others.", "gauge");
        foreach (var role in Roles)
        {
            page.Sample("kvorum_raft_state", status.Role == role ? 1 : 0, ("state", NameOf(role)));
        }

        page.Gauge("kvorum_raft_term", "Current Raft term.", status.Term);
        page.Gauge("kvorum_raft_has_leader", "1 while a leader is known.", status.Leader is null ? 0 : 1);
        page.Gauge("kvorum_raft_has_quorum", "1 while a majority answers (leader) or a leader is heard (others).",
            status.HasQuorum ? 1 : 0);
        page.Gauge("kvorum_raft_may_vote", "0: its directory is new or lost something.", status.MayVote ? 1 : 0);
        page.Gauge("kvorum_raft_commit_index", "Highest log index known on a majority.", status.CommitIndex);
        page.Gauge("kvorum_raft_applied_index", "Highest log index done in the state machine.", status.AppliedIndex);
        page.Gauge("kvorum_raft_last_log_index", "Last log index on this node.", status.LastLogIndex);
        page.Gauge("kvorum_raft_log_start_index", "Log index just before the first entry kept.", status.LogStartIndex);
        page.Counter("kvorum_raft_leader_changes_total", "Changes of leader this node has seen.",
            Volatile.Read(ref context.Metrics.LeaderChanges));
    }

    private static void WriteStore(PrometheusWriter page, NodeStatus status)
    {
        page.Gauge("kvorum_store_revision", "Current revision of the key space.", status.Revision);
        page.Gauge(
            "kvorum_store_compacted_revision", "Revisions up to this one may be gone.", status.CompactedRevision);
        page.Gauge("kvorum_store_keys", "Keys that exist.", status.KeyCount);
        page.Gauge("kvorum_store_size_bytes", "Bytes held by the storage engine.", status.EngineBytes);
        page.Gauge("kvorum_store_sessions", "Client sessions remembered.", status.SessionCount);
        page.Gauge("kvorum_wal_size_bytes", "Bytes of log segments on disk.", status.WalBytes);
    }

    private static void WriteWork(PrometheusWriter page, NodeMetrics metrics)
    {
        page.Header("kvorum_proposals_total", "Proposals on this node by how they ended.", "counter");
        page.Sample("kvorum_proposals_total", Volatile.Read(ref metrics.ProposalsAccepted), ("result", "accepted"));
        page.Sample("kvorum_proposals_total", Volatile.Read(ref metrics.ProposalsFailed), ("result", "failed"));
        page.Header("kvorum_reads_total", "Linearizable reads on this node by how they ended.", "counter");
        page.Sample("kvorum_reads_total", Volatile.Read(ref metrics.ReadsConfirmed), ("result", "confirmed"));
        page.Sample("kvorum_reads_total", Volatile.Read(ref metrics.ReadsFailed), ("result", "failed"));
        page.Counter("kvorum_entries_applied_total", "Log entries applied.", Volatile.Read(ref metrics.EntriesApplied));
        page.Counter("kvorum_snapshots_taken_total", "Raft snapshots taken.",
            Volatile.Read(ref metrics.SnapshotsTaken));
        page.Counter("kvorum_snapshots_installed_total", "Raft snapshots received and installed.",
            Volatile.Read(ref metrics.SnapshotsInstalled));
        page.Histogram("kvorum_wal_sync_duration_seconds", "One write and sync of the log.", metrics.Sync);
        page.Histogram("kvorum_apply_duration_seconds", "Applying one batch of entries.", metrics.Apply);
    }

    private static void WritePeers(PrometheusWriter page, NodeStatus status, ServerContext context)
    {
        var peers = status.Members.Where(member => member.Node != status.Node).ToArray();
        page.Gauge("kvorum_peers_connected", "Peers with a working connection in both directions.",
            peers.Count(peer => peer.IsConnected));
        page.Header("kvorum_peer_connected", "1 while the connection to the peer works in both directions.", "gauge");
        foreach (var peer in peers)
        {
            page.Sample("kvorum_peer_connected", peer.IsConnected ? 1 : 0, ("peer", context.NameOf(peer.Node)));
        }

        page.Header("kvorum_peer_match_index", "Leader only: last log index known to be durable at the peer.", "gauge");
        foreach (var peer in peers.Where(_ => status.Role is NodeRole.Leader))
        {
            page.Sample("kvorum_peer_match_index", peer.Match, ("peer", context.NameOf(peer.Node)));
        }

        const string Dropped = "kvorum_peer_frames_dropped_total";
        page.Header(Dropped, "Frames that never left or never got in, by reason.", "counter");
        page.Sample(Dropped, context.OutgoingFramesDropped, ("reason", "outgoing"));
        page.Sample(Dropped, Volatile.Read(ref context.Metrics.FramesDropped), ("reason", "inbox"));
    }

    private static void WriteRequests(PrometheusWriter page, RequestCounters requests)
    {
        const string Name = "kvorum_http_requests_total";
        page.Header(Name, "HTTP requests answered, by class of route and status.", "counter");
        requests.Visit((route, status, count) =>
            page.Sample(Name, count, ("route", route), ("status", status.ToString("D", null))));
    }

    private static string NameOf(NodeRole role) => role switch
    {
        NodeRole.Follower => "follower",
        NodeRole.PreCandidate => "pre-candidate",
        NodeRole.Candidate => "candidate",
        NodeRole.Leader => "leader",
        NodeRole.Stopped => "stopped",
        _ => "unknown",
    };
}
