using Kvorum.Node;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;

namespace Kvorum.Server;

/// <summary>
/// The same under the names that etcd's dashboards and tools ask for. What is not measured here has no name here.
/// </summary>
internal static class EtcdMetrics
{
    public static void Write(PrometheusWriter page, NodeStatus status, ServerContext context)
    {
        var metrics = context.Metrics;
        page.Gauge("etcd_server_has_leader", "1 while a leader is known.", status.Leader is null ? 0 : 1);
        page.Gauge(
            "etcd_server_is_leader", "1 while this node leads.", status.Role is NodeRole.Leader ? 1 : 0);
        page.Counter("etcd_server_leader_changes_seen_total", "Changes of leader this node has seen.",
            Volatile.Read(ref metrics.LeaderChanges));
        page.Gauge("etcd_server_proposals_committed_total", "Entries committed, as a log index.", status.CommitIndex);
        page.Gauge("etcd_server_proposals_applied_total", "Entries applied, as a log index.", status.AppliedIndex);
        page.Counter("etcd_server_proposals_failed_total", "Proposals on this node that failed.",
            Volatile.Read(ref metrics.ProposalsFailed));
        page.Histogram("etcd_disk_wal_fsync_duration_seconds", "One write and sync of the log.", metrics.Sync);
        page.Histogram("etcd_disk_backend_commit_duration_seconds", "Applying one batch of entries.", metrics.Apply);
        page.Gauge("etcd_mvcc_db_total_size_in_bytes", "Bytes held by the storage engine.", status.EngineBytes);
        page.Gauge(
            "etcd_mvcc_db_total_size_in_use_in_bytes", "The same: memory is reused, not returned.", status.EngineBytes);
        page.Gauge("etcd_debugging_mvcc_keys_total", "Keys that exist.", status.KeyCount);
        page.Gauge("etcd_debugging_mvcc_watcher_total", "Watchers of this node.",
            Volatile.Read(ref metrics.Watchers));
        WriteCalls(page, context.GrpcCalls);
    }

    private static void WriteCalls(PrometheusWriter page, GrpcCounters calls)
    {
        const string Name = "grpc_server_handled_total";
        page.Header(Name, "Calls that ended, of gRPC and of the JSON gateway, by method and status.", "counter");
        foreach (var (method, code, count) in calls.Read())
        {
            page.Sample(Name, count,
                ("grpc_type", method.Kind), ("grpc_service", method.Service), ("grpc_method", method.Name),
                ("grpc_code", code is GrpcStatusCode.Ok ? "OK" : code.ToString()));
        }
    }
}
