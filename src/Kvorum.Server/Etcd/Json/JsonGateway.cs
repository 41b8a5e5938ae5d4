using System.Collections.Frozen;
using System.Text.Json;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Kvorum.Server.Rest;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Kvorum.Server.Etcd.Json;

/// <summary>etcd's JSON gateway: the same methods under <c>/v3/</c>, over HTTP/1.1 or HTTP/2.</summary>
internal sealed class JsonGateway
{
    private static readonly string[] Prefixes = ["/v3/", "/v3beta/", "/v3alpha/"];

    private static readonly (string Path, string Method)[] Paths =
    [
        ("kv/range", "/etcdserverpb.KV/Range"),
        ("kv/put", "/etcdserverpb.KV/Put"),
        ("kv/deleterange", "/etcdserverpb.KV/DeleteRange"),
        ("kv/txn", "/etcdserverpb.KV/Txn"),
        ("kv/compaction", "/etcdserverpb.KV/Compact"),
        ("watch", "/etcdserverpb.Watch/Watch"),
        ("lease/grant", "/etcdserverpb.Lease/LeaseGrant"),
        ("lease/revoke", "/etcdserverpb.Lease/LeaseRevoke"),
        ("kv/lease/revoke", "/etcdserverpb.Lease/LeaseRevoke"),
        ("lease/keepalive", "/etcdserverpb.Lease/LeaseKeepAlive"),
        ("lease/timetolive", "/etcdserverpb.Lease/LeaseTimeToLive"),
        ("kv/lease/timetolive", "/etcdserverpb.Lease/LeaseTimeToLive"),
        ("lease/leases", "/etcdserverpb.Lease/LeaseLeases"),
        ("kv/lease/leases", "/etcdserverpb.Lease/LeaseLeases"),
        ("cluster/member/add", "/etcdserverpb.Cluster/MemberAdd"),
        ("cluster/member/remove", "/etcdserverpb.Cluster/MemberRemove"),
        ("cluster/member/update", "/etcdserverpb.Cluster/MemberUpdate"),
        ("cluster/member/list", "/etcdserverpb.Cluster/MemberList"),
        ("cluster/member/promote", "/etcdserverpb.Cluster/MemberPromote"),
        ("maintenance/alarm", "/etcdserverpb.Maintenance/Alarm"),
        ("maintenance/status", "/etcdserverpb.Maintenance/Status"),
        ("maintenance/defragment", "/etcdserverpb.Maintenance/Defragment"),
        ("maintenance/hash", "/etcdserverpb.Maintenance/Hash"),
        ("maintenance/hashkv", "/etcdserverpb.Maintenance/HashKV"),
        ("maintenance/snapshot", "/etcdserverpb.Maintenance/Snapshot"),
        ("maintenance/transfer-leadership", "/etcdserverpb.Maintenance/MoveLeader"),
        ("maintenance/downgrade", "/etcdserverpb.Maintenance/Downgrade"),
        ("auth/enable", "/etcdserverpb.Auth/AuthEnable"),
        ("auth/disable", "/etcdserverpb.Auth/AuthDisable"),
        ("auth/status", "/etcdserverpb.Auth/AuthStatus"),
        ("auth/authenticate", "/etcdserverpb.Auth/Authenticate"),
        ("auth/user/add", "/etcdserverpb.Auth/UserAdd"),
        ("auth/user/get", "/etcdserverpb.Auth/UserGet"),
        ("auth/user/list", "/etcdserverpb.Auth/UserList"),
        ("auth/user/delete", "/etcdserverpb.Auth/UserDelete"),
        ("auth/user/changepw", "/etcdserverpb.Auth/UserChangePassword"),
        ("auth/user/grant", "/etcdserverpb.Auth/UserGrantRole"),
        ("auth/user/revoke", "/etcdserverpb.Auth/UserRevokeRole"),
        ("auth/role/add", "/etcdserverpb.Auth/RoleAdd"),
        ("auth/role/get", "/etcdserverpb.Auth/RoleGet"),
        ("auth/role/list", "/etcdserverpb.Auth/RoleList"),
        ("auth/role/delete", "/etcdserverpb.Auth/RoleDelete"),
        ("auth/role/grant", "/etcdserverpb.Auth/RoleGrantPermission"),
        ("auth/role/revoke", "/etcdserverpb.Auth/RoleRevokePermission"),
        ("lock/lock", "/v3lockpb.Lock/Lock"),
        ("lock/unlock", "/v3lockpb.Lock/Unlock"),
        ("election/campaign", "/v3electionpb.Election/Campaign"),
        ("election/proclaim", "/v3electionpb.Election/Proclaim"),
        ("election/leader", "/v3electionpb.Election/Leader"),
        ("election/observe", "/v3electionpb.Election/Observe"),
        ("election/resign", "/v3electionpb.Election/Resign"),
    ];

    private readonly FrozenDictionary<string, GrpcMethod> _methods;
    private readonly ServerContext _context;
    private readonly ILogger _logger;

    /// <param name="methods">By the path of their gRPC calls; what is not among them answers Unimplemented.</param>
    public JsonGateway(
        IReadOnlyCollection<GrpcMethod> methods, ServerContext context, ILogger logger)
    {
        var byPath = methods.ToDictionary(method => method.Path, StringComparer.Ordinal);
        _methods = Prefixes
            .SelectMany(prefix => Paths.Select(pair => (Path: prefix + pair.Path, pair.Method)))
            .Where(pair => byPath.ContainsKey(pair.Method))
            .ToFrozenDictionary(pair => pair.Path, pair => byPath[pair.Method], StringComparer.Ordinal);
        _context = context;
        _logger = logger;
    }

    /// <summary>Whether a path belongs to the gateway, served or not.</summary>
    public static bool IsCall(HttpRequest request) => IsPath(request.Path.Value);

    public static bool IsPath(ReadOnlySpan<char> path)
    {
        foreach (var prefix in Prefixes)
        {
            if (path.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    public async Task HandleAsync(HttpContext http)
    {
        RestApi.ForbidSniffing(http.Response);
        if (!_methods.TryGetValue(http.Request.Path.Value ?? "", out var method))
        {
            await FailAsync(http, GrpcStatusCode.NotFound, "Not Found", isStream: false).ConfigureAwait(false);
            return;
        }

        if (!HttpMethods.IsPost(http.Request.Method))
        {
            http.Response.Headers.Allow = HttpMethods.Post;
            await FailAsync(http, GrpcStatusCode.Unimplemented, "Method Not Allowed", isStream: false)
                .ConfigureAwait(false);
            return;
        }

        var code = GrpcStatusCode.Ok;
        GrpcCall? call = null;
        try
        {
            http.Response.ContentType = "application/json";
            call = new GrpcCall(
                http, GrpcCall.TimeoutOf(http.Request), isJson: true, method.MayLast ? _context.Draining : null,
                _context.Time);
            await method.RunAsync(http, call, new JsonPipe(http, method.IsStreaming)).ConfigureAwait(false);
        }
        catch (Exception) when (http.RequestAborted.IsCancellationRequested)
        {
            code = GrpcStatusCode.Canceled;
        }
        catch (Exception failure)
        {
            (code, var detail) = EtcdErrors.StatusOf(call?.EndReason ?? failure);
            if (code is GrpcStatusCode.Internal && failure is not GrpcException)
            {
                Log.CallFailed(_logger, failure, method.Path);
            }

            await FailAsync(http, code, detail, method.IsStreaming).ConfigureAwait(false);
        }
        finally
        {
            call?.Dispose();
        }

        _context.GrpcCalls.Count(method, code);
    }

    /// <summary>The HTTP status of a failed call.</summary>
    internal static int StatusOf(GrpcStatusCode code) => code switch
    {
        GrpcStatusCode.Ok => StatusCodes.Status200OK,
        GrpcStatusCode.InvalidArgument or GrpcStatusCode.OutOfRange or GrpcStatusCode.FailedPrecondition =>
            StatusCodes.Status400BadRequest,
        GrpcStatusCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        GrpcStatusCode.PermissionDenied => StatusCodes.Status403Forbidden,
        GrpcStatusCode.NotFound => StatusCodes.Status404NotFound,
        GrpcStatusCode.Aborted or GrpcStatusCode.AlreadyExists => StatusCodes.Status409Conflict,
        GrpcStatusCode.ResourceExhausted => StatusCodes.Status429TooManyRequests,
        GrpcStatusCode.Canceled => StatusCodes.Status499ClientClosedRequest,
        GrpcStatusCode.Unimplemented => StatusCodes.Status501NotImplemented,
        GrpcStatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
        GrpcStatusCode.DeadlineExceeded => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status500InternalServerError,
    };

    /// <summary>Both the older and the newer shape of an error, in one body.</summary>
    private static async Task FailAsync(HttpContext http, GrpcStatusCode code, string detail, bool isStream)
    {
        var response = http.Response;
        var status = StatusOf(code);
        if (!response.HasStarted)
        {
            response.Clear();
            RestApi.ForbidSniffing(response);
            response.StatusCode = status;
            response.ContentType = "application/json";
        }

        using (var json = new Utf8JsonWriter(
            (System.Buffers.IBufferWriter<byte>)response.BodyWriter, JsonPipe.WriterOptions))
        {
            json.WriteStartObject();
            if (isStream)
            {
                json.WriteStartObject("error"u8);
                json.WriteNumber("grpc_code"u8, (int)code);
                json.WriteNumber("http_code"u8, status);
                json.WriteNumber("code"u8, (int)code);
                json.WriteString("message"u8, detail);
                json.WriteString(
                    "http_status"u8, Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status));
                json.WriteEndObject();
            }
            else
            {
                json.WriteString("error"u8, detail);
                json.WriteString("message"u8, detail);
                json.WriteNumber("code"u8, (int)code);
                json.WriteStartArray("details"u8);
                json.WriteEndArray();
            }

            json.WriteEndObject();
        }

        await response.BodyWriter.FlushAsync(http.RequestAborted).ConfigureAwait(false);
    }
}
