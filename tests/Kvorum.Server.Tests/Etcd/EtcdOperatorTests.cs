using Google.Protobuf;
using Kvorum.Protocol.Etcd;
using Kvorum.Protocol.Grpc;
using Kvorum.Protocol.Health;
using Kvorum.Protocol.Reflection;
using static Kvorum.Server.Tests.Etcd.EtcdClient;

namespace Kvorum.Server.Tests.Etcd;

/// <summary>Lines 8 to 10 of the interface: what operators ask, and Auth while it is disabled.</summary>
[Collection(EtcdNodeCollection.Name)]
public class EtcdOperatorTests(EtcdNodeFixture node)
{
    private readonly EtcdClient _etcd = node.Client;

    [Fact]
    public async Task Etcd_0_9_what_is_not_there_is_unimplemented()
    {
        foreach (var (path, detail) in new[]
        {
            ("/etcdserverpb.KV/Nothing", "unknown method Nothing for service etcdserverpb.KV"),
            ("/none.Service/Method", "unknown service none.Service"),
        })
        {
            var failure = await FailureOfAsync(
                _etcd.Grpc.UnaryAsync(path, new RangeRequest(), RangeResponse.Parser));
            Assert.Equal((GrpcStatusCode.Unimplemented, detail), failure);
        }
    }

    [Fact]
    public async Task Etcd_0_8_the_health_service_serves()
    {
        const string Check = "/grpc.health.v1.Health/Check";
        foreach (var service in new[] { "", "etcdserverpb.KV" })
        {
            var response = await _etcd.Grpc.UnaryAsync(
                Check, new HealthCheckRequest { Service = service }, HealthCheckResponse.Parser);
            Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, response.Status);
        }

        var (code, _) = await FailureOfAsync(
            _etcd.Grpc.UnaryAsync(Check, new HealthCheckRequest { Service = "none" }, HealthCheckResponse.Parser));
        Assert.Equal(GrpcStatusCode.NotFound, code);
        using var watch = await _etcd.Grpc.OpenAsync("/grpc.health.v1.Health/Watch", HealthCheckResponse.Parser);
        await watch.WriteAsync(new HealthCheckRequest());
        watch.EndRequests();
        Assert.Equal(HealthCheckResponse.Types.ServingStatus.Serving, (await watch.NextAsync()).Status);
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("v1alpha")]
    public async Task Reflection_tells_the_services_and_their_files(string version)
    {
        using var stream = await _etcd.Grpc.OpenAsync(
            $"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo", ServerReflectionResponse.Parser);
        await stream.WriteAsync(new ServerReflectionRequest { ListServices = "*" });
        var services = (await stream.NextAsync()).ListServicesResponse.Service.Select(service => service.Name);
        Assert.Contains("etcdserverpb.KV", services);
        await stream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = "etcdserverpb.KV.Range" });
        var files = (await stream.NextAsync()).FileDescriptorResponse.FileDescriptorProto;
        Assert.Contains(RpcReflection.Descriptor.SerializedData, files);
        Assert.Contains(KvReflection.Descriptor.SerializedData, files);
        await stream.WriteAsync(new ServerReflectionRequest { FileContainingSymbol = "none" });
        Assert.Equal((int)GrpcStatusCode.NotFound, (await stream.NextAsync()).ErrorResponse.ErrorCode);
        stream.EndRequests();
        Assert.Null(await stream.ReadAsync());
    }

    [Fact]
    public async Task Etcd_1_4_and_8_1_the_members_are_told_without_a_revision()
    {
        foreach (var isLinearizable in new[] { false, true })
        {
            var list = await CallAsync(
                "Cluster/MemberList", new MemberListRequest { Linearizable = isLinearizable },
                MemberListResponse.Parser);
            var member = Assert.Single(list.Members);
            Assert.Equal((0, list.Header.MemberId), (list.Header.Revision, member.ID));
            Assert.Equal(("n1", false), (member.Name, member.IsLearner));
            Assert.Equal(node.Url("/").AbsoluteUri.TrimEnd('/'), Assert.Single(member.ClientURLs));
            Assert.StartsWith("http://127.0.0.1:", Assert.Single(member.PeerURLs), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData()]
    [InlineData("127.0.0.1:1")]
    [InlineData("ftp://127.0.0.1:1")]
    [InlineData("http://127.0.0.1")]
    [InlineData("http://127.0.0.1:1/path")]
    public async Task Etcd_8_2_a_malformed_peer_url_is_refused(params string[] urls)
    {
        var expected = (GrpcStatusCode.InvalidArgument, "etcdserver: given member URLs are invalid");
        Assert.Equal(expected, await FailureOfAsync(CallAsync(
            "Cluster/MemberAdd", new MemberAddRequest { PeerURLs = { urls } }, MemberAddResponse.Parser)));
        Assert.Equal(expected, await FailureOfAsync(CallAsync(
            "Cluster/MemberUpdate", new MemberUpdateRequest { ID = 1, PeerURLs = { urls } },
            MemberUpdateResponse.Parser)));
    }

    [Fact]
    public async Task Etcd_8_2_a_peer_url_belongs_to_one_member()
    {
        var list = await CallAsync("Cluster/MemberList", new MemberListRequest(), MemberListResponse.Parser);
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: Peer URLs already exists"),
            await FailureOfAsync(CallAsync(
                "Cluster/MemberAdd", new MemberAddRequest { PeerURLs = { list.Members[0].PeerURLs } },
                MemberAddResponse.Parser)));
    }

    [Fact]
    public async Task Etcd_8_3_to_8_5_members_are_added_updated_and_removed_by_their_ids()
    {
        var learner = await AddAsync("http://127.0.0.1:9", isLearner: true);
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: too many learner members in cluster"),
            await FailureOfAsync(AddAsync("http://127.0.0.1:10", isLearner: true)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition,
                "etcdserver: can only promote a learner member which is in sync with leader"),
            await FailureOfAsync(PromoteAsync(learner.Member.ID)));
        var self = learner.Members.Single(member => member.Name == "n1").ID;
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: can only promote a learner member"),
            await FailureOfAsync(PromoteAsync(self)));
        var updated = await CallAsync(
            "Cluster/MemberUpdate",
            new MemberUpdateRequest { ID = learner.Member.ID, PeerURLs = { "http://127.0.0.1:11" } },
            MemberUpdateResponse.Parser);
        var member = updated.Members.Single(found => found.ID == learner.Member.ID);
        Assert.Equal(("", true, 0), (member.Name, member.IsLearner, member.ClientURLs.Count));
        Assert.Equal("http://127.0.0.1:11", Assert.Single(member.PeerURLs));
        Assert.Single((await RemoveAsync(learner.Member.ID)).Members);
        var notFound = (GrpcStatusCode.NotFound, "etcdserver: member not found");
        Assert.Equal(notFound, await FailureOfAsync(RemoveAsync(learner.Member.ID)));
        Assert.Equal(notFound, await FailureOfAsync(PromoteAsync(4_711)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition,
                "etcdserver: re-configuration failed due to not enough started members"),
            await FailureOfAsync(RemoveAsync(self)));
    }

    [Fact]
    public async Task Etcd_8_7_status_tells_a_version_that_clients_can_read()
    {
        await _etcd.PutAsync("8.7", "x");
        var status = await CallAsync("Maintenance/Status", new StatusRequest(), StatusResponse.Parser);
        Assert.Equal(("3.5.21", status.Header.MemberId, false), (status.Version, status.Leader, status.IsLearner));
        Assert.Empty(status.Errors);
        Assert.True(status.RaftIndex > 0 && status.RaftAppliedIndex > 0 && status.RaftTerm > 0);
        Assert.True(status.DbSize >= status.DbSizeInUse && status.DbSizeInUse > 0);
        Assert.Equal(await _etcd.RevisionAsync(), status.Header.Revision);
    }

    [Fact]
    public async Task Etcd_1_5_and_8_13_defragment_answers_without_a_header_and_leadership_needs_another_voter()
    {
        var done = await CallAsync("Maintenance/Defragment", new DefragmentRequest(), DefragmentResponse.Parser);
        Assert.Null(done.Header);
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: bad leader transferee"),
            await FailureOfAsync(CallAsync(
                "Maintenance/MoveLeader", new MoveLeaderRequest { TargetID = 4_711 }, MoveLeaderResponse.Parser)));
    }

    [Fact]
    public async Task Etcd_8_8_there_is_no_alarm()
    {
        var alarms = await CallAsync("Maintenance/Alarm", new AlarmRequest(), AlarmResponse.Parser);
        Assert.Empty(alarms.Alarms);
        Assert.Equal(await _etcd.RevisionAsync(), alarms.Header.Revision);
    }

    [Fact]
    public async Task Etcd_8_9_a_hash_stays_with_its_revision()
    {
        var first = (await _etcd.PutAsync("8.9", "1")).Header.Revision;
        var before = await HashAsync(first);
        await _etcd.PutAsync("8.9", "2");
        var after = await HashAsync(0);
        Assert.NotEqual(0u, before.Hash);
        Assert.NotEqual(before.Hash, after.Hash);
        Assert.Equal((before.Hash, first), ((await HashAsync(first)).Hash, (await HashAsync(first)).HashRevision));
        Assert.NotEqual(0u, (await CallAsync("Maintenance/Hash", new HashRequest(), HashResponse.Parser)).Hash);
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision"),
            await FailureOfAsync(HashAsync(first + 100)));
        await _etcd.CompactAsync(first + 1);
        Assert.Equal(
            (GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted"),
            await FailureOfAsync(HashAsync(first)));
        Assert.Equal(first + 1, (await HashAsync(0)).CompactRevision);
    }

    [Fact]
    public async Task Etcd_8_14_nothing_can_be_downgraded()
    {
        foreach (var (action, version, code, detail) in new[]
        {
            (DowngradeRequest.Types.DowngradeAction.Validate, "3.4.0", GrpcStatusCode.InvalidArgument,
                "etcdserver: invalid downgrade target version"),
            (DowngradeRequest.Types.DowngradeAction.Enable, "three", GrpcStatusCode.InvalidArgument,
                "etcdserver: wrong downgrade target version format"),
            (DowngradeRequest.Types.DowngradeAction.Cancel, "", GrpcStatusCode.FailedPrecondition,
                "etcdserver: no inflight downgrade job"),
        })
        {
            Assert.Equal((code, detail), await FailureOfAsync(CallAsync(
                "Maintenance/Downgrade", new DowngradeRequest { Action = action, Version = version },
                DowngradeResponse.Parser)));
        }
    }

    [Fact]
    public async Task Etcd_8_15_and_8_16_version_and_health_over_http()
    {
        Assert.Equal(
            """{"etcdserver":"3.5.21","etcdcluster":"3.5.0"}""",
            await node.Http.GetStringAsync(node.Url("/version"), GrpcClient.Cancel));
        Assert.Equal(
            """{"health":"true","reason":""}""",
            await node.Http.GetStringAsync(node.Url("/health?serializable=true"), GrpcClient.Cancel));
    }

    [Fact]
    public async Task Etcd_8_17_metrics_have_etcds_names_and_count_calls_and_watchers()
    {
        await _etcd.PutAsync("8.17", "x");
        await FailureOfAsync(_etcd.PutAsync("", "x"));
        using var watch = await _etcd.WatchAsync();
        await watch.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("8.17") } });
        await watch.NextAsync();
        var page = await node.Http.GetStringAsync(node.Url("/metrics"), GrpcClient.Cancel);
        foreach (var name in new[]
        {
            "etcd_server_has_leader 1", "etcd_server_leader_changes_seen_total ", "etcd_server_proposals_failed_total ",
            "etcd_server_proposals_committed_total ", "etcd_server_proposals_applied_total ",
            "etcd_disk_wal_fsync_duration_seconds_count ", "etcd_disk_backend_commit_duration_seconds_count ",
            "etcd_mvcc_db_total_size_in_bytes ", "etcd_mvcc_db_total_size_in_use_in_bytes ",
            "etcd_debugging_mvcc_keys_total ", "process_resident_memory_bytes ", "process_start_time_seconds ",
            """grpc_server_handled_total{grpc_type="unary",grpc_service="etcdserverpb.KV",grpc_method="Put",""",
        })
        {
            Assert.Contains("\n" + name, page, StringComparison.Ordinal);
        }

        Assert.Matches("""grpc_method="Put",grpc_code="InvalidArgument"} [1-9]""", page);
        Assert.Matches("""etcd_debugging_mvcc_watcher_total [1-9]""", page);
    }

    [Fact]
    public async Task Etcd_10_1_to_10_3_authentication_is_disabled_and_says_so()
    {
        var status = await CallAsync("Auth/AuthStatus", new AuthStatusRequest(), AuthStatusResponse.Parser);
        Assert.Equal((false, 1u), (status.Enabled, status.AuthRevision));
        await CallAsync("Auth/AuthDisable", new AuthDisableRequest(), AuthDisableResponse.Parser);
        Assert.Empty((await CallAsync("Auth/UserList", new AuthUserListRequest(), AuthUserListResponse.Parser)).Users);
        Assert.Empty((await CallAsync("Auth/RoleList", new AuthRoleListRequest(), AuthRoleListResponse.Parser)).Roles);
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: root user does not exist"),
            await FailureOfAsync(CallAsync("Auth/AuthEnable", new AuthEnableRequest(), AuthEnableResponse.Parser)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: authentication is not enabled"),
            await FailureOfAsync(CallAsync(
                "Auth/Authenticate", new AuthenticateRequest { Name = "root" }, AuthenticateResponse.Parser)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: user name not found"),
            await FailureOfAsync(
                CallAsync("Auth/UserGet", new AuthUserGetRequest { Name = "root" }, AuthUserGetResponse.Parser)));
        Assert.Equal(
            (GrpcStatusCode.FailedPrecondition, "etcdserver: role name not found"),
            await FailureOfAsync(
                CallAsync("Auth/RoleGet", new AuthRoleGetRequest { Role = "root" }, AuthRoleGetResponse.Parser)));
        Assert.Equal(
            (GrpcStatusCode.InvalidArgument, "etcdserver: user name is empty"),
            await FailureOfAsync(CallAsync("Auth/UserAdd", new AuthUserAddRequest(), AuthUserAddResponse.Parser)));
        Assert.Equal(
            GrpcStatusCode.Unimplemented,
            (await FailureOfAsync(
                CallAsync("Auth/UserAdd", new AuthUserAddRequest { Name = "a" }, AuthUserAddResponse.Parser))).Code);
    }

    private Task<HashKVResponse> HashAsync(long revision) =>
        CallAsync("Maintenance/HashKV", new HashKVRequest { Revision = revision }, HashKVResponse.Parser);

    private Task<MemberAddResponse> AddAsync(string url, bool isLearner) => CallAsync(
        "Cluster/MemberAdd", new MemberAddRequest { PeerURLs = { url }, IsLearner = isLearner },
        MemberAddResponse.Parser);

    private Task<MemberRemoveResponse> RemoveAsync(ulong id) =>
        CallAsync("Cluster/MemberRemove", new MemberRemoveRequest { ID = id }, MemberRemoveResponse.Parser);

    private Task<MemberPromoteResponse> PromoteAsync(ulong id) =>
        CallAsync("Cluster/MemberPromote", new MemberPromoteRequest { ID = id }, MemberPromoteResponse.Parser);

    private Task<TResponse> CallAsync<TRequest, TResponse>(
        string method, TRequest request, MessageParser<TResponse> parser)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        _etcd.Grpc.UnaryAsync($"/etcdserverpb.{method}", request, parser);
}
