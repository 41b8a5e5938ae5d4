using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>
/// etcd's Auth service as it answers while there are no users and no roles, which is all there is so far: nobody can be
/// added, so authentication cannot be enabled.
/// </summary>
internal sealed class AuthService(EtcdNode node)
{
    private const string Name = "etcdserverpb.Auth";
    private const string NoUserText = "etcdserver: user name not found";
    private const string NoRoleText = "etcdserver: role name not found";

    /// <summary>What etcd counts changes of users and roles from.</summary>
    private const ulong FirstRevision = 1;

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "AuthEnable", Pb.AuthEnableRequest.Parser, Enable),
        GrpcMethod.Unary(Name, "AuthDisable", Pb.AuthDisableRequest.Parser, Disable),
        GrpcMethod.Unary(Name, "AuthStatus", Pb.AuthStatusRequest.Parser, Status),
        GrpcMethod.Unary(Name, "Authenticate", Pb.AuthenticateRequest.Parser, Authenticate),
        GrpcMethod.Unary(Name, "UserAdd", Pb.AuthUserAddRequest.Parser, AddUser),
        GrpcMethod.Unary(
            Name, "UserGet", Pb.AuthUserGetRequest.Parser, NoUser<Pb.AuthUserGetRequest, Pb.AuthUserGetResponse>),
        GrpcMethod.Unary(Name, "UserList", Pb.AuthUserListRequest.Parser, ListUsers),
        GrpcMethod.Unary(
            Name, "UserDelete", Pb.AuthUserDeleteRequest.Parser,
            NoUser<Pb.AuthUserDeleteRequest, Pb.AuthUserDeleteResponse>),
        GrpcMethod.Unary(
            Name, "UserChangePassword", Pb.AuthUserChangePasswordRequest.Parser,
            NoUser<Pb.AuthUserChangePasswordRequest, Pb.AuthUserChangePasswordResponse>),
        GrpcMethod.Unary(
            Name, "UserGrantRole", Pb.AuthUserGrantRoleRequest.Parser,
            NoUser<Pb.AuthUserGrantRoleRequest, Pb.AuthUserGrantRoleResponse>),
        GrpcMethod.Unary(
            Name, "UserRevokeRole", Pb.AuthUserRevokeRoleRequest.Parser,
            NoUser<Pb.AuthUserRevokeRoleRequest, Pb.AuthUserRevokeRoleResponse>),
        GrpcMethod.Unary(Name, "RoleAdd", Pb.AuthRoleAddRequest.Parser, AddRole),
        GrpcMethod.Unary(
            Name, "RoleGet", Pb.AuthRoleGetRequest.Parser, NoRole<Pb.AuthRoleGetRequest, Pb.AuthRoleGetResponse>),
        GrpcMethod.Unary(Name, "RoleList", Pb.AuthRoleListRequest.Parser, ListRoles),
        GrpcMethod.Unary(
            Name, "RoleDelete", Pb.AuthRoleDeleteRequest.Parser,
            NoRole<Pb.AuthRoleDeleteRequest, Pb.AuthRoleDeleteResponse>),
        GrpcMethod.Unary(
            Name, "RoleGrantPermission", Pb.AuthRoleGrantPermissionRequest.Parser,
            NoRole<Pb.AuthRoleGrantPermissionRequest, Pb.AuthRoleGrantPermissionResponse>),
        GrpcMethod.Unary(
            Name, "RoleRevokePermission", Pb.AuthRoleRevokePermissionRequest.Parser,
            NoRole<Pb.AuthRoleRevokePermissionRequest, Pb.AuthRoleRevokePermissionResponse>),
    ];

    private static ValueTask<Pb.AuthEnableResponse> Enable(Pb.AuthEnableRequest request, GrpcCall call) =>
        throw EtcdErrors.Failed("etcdserver: root user does not exist");

    private ValueTask<Pb.AuthDisableResponse> Disable(Pb.AuthDisableRequest request, GrpcCall call) =>
        new(new Pb.AuthDisableResponse { Header = Header() });

    private ValueTask<Pb.AuthStatusResponse> Status(Pb.AuthStatusRequest request, GrpcCall call) =>
        new(new Pb.AuthStatusResponse { Header = Header(), AuthRevision = FirstRevision });

    private static ValueTask<Pb.AuthenticateResponse> Authenticate(Pb.AuthenticateRequest request, GrpcCall call) =>
        throw EtcdErrors.Failed("etcdserver: authentication is not enabled");

    private static ValueTask<Pb.AuthUserAddResponse> AddUser(Pb.AuthUserAddRequest request, GrpcCall call) =>
        throw (request.Name.Length == 0
            ? new GrpcException(GrpcStatusCode.InvalidArgument, "etcdserver: user name is empty")
            : EtcdErrors.NotYet("users cannot be added"));

    private static ValueTask<Pb.AuthRoleAddResponse> AddRole(Pb.AuthRoleAddRequest request, GrpcCall call) =>
        throw (request.Name.Length == 0
            ? new GrpcException(GrpcStatusCode.InvalidArgument, "etcdserver: role name is empty")
            : EtcdErrors.NotYet("roles cannot be added"));

    private ValueTask<Pb.AuthUserListResponse> ListUsers(Pb.AuthUserListRequest request, GrpcCall call) =>
        new(new Pb.AuthUserListResponse { Header = Header() });

    private ValueTask<Pb.AuthRoleListResponse> ListRoles(Pb.AuthRoleListRequest request, GrpcCall call) =>
        new(new Pb.AuthRoleListResponse { Header = Header() });

    private static ValueTask<TResponse> NoUser<TRequest, TResponse>(TRequest request, GrpcCall call) =>
        throw EtcdErrors.Failed(NoUserText);

    private static ValueTask<TResponse> NoRole<TRequest, TResponse>(TRequest request, GrpcCall call) =>
        throw EtcdErrors.Failed(NoRoleText);

    private Pb.ResponseHeader Header() => node.Header(node.Kvorum.Revision);
}
