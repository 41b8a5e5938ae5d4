using Kvorum.Node;
using Kvorum.Protocol.Grpc;
using Kvorum.Server.Grpc;
using Kvorum.Server.Rest;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>
/// etcd's Cluster service over the changes of members that the node knows. A member added as a voter learns first and
/// is promoted by itself once it is in sync.
/// </summary>
internal sealed class ClusterService(EtcdNode node)
{
    private const string Name = "etcdserverpb.Cluster";

    private readonly MembershipView _view = new(node.Context);

    public IEnumerable<GrpcMethod> Methods() =>
    [
        GrpcMethod.Unary(Name, "MemberList", Pb.MemberListRequest.Parser, ListAsync),
        GrpcMethod.Unary(Name, "MemberAdd", Pb.MemberAddRequest.Parser, AddAsync),
        GrpcMethod.Unary(Name, "MemberRemove", Pb.MemberRemoveRequest.Parser, RemoveAsync),
        GrpcMethod.Unary(Name, "MemberUpdate", Pb.MemberUpdateRequest.Parser, UpdateAsync),
        GrpcMethod.Unary(Name, "MemberPromote", Pb.MemberPromoteRequest.Parser, PromoteAsync),
    ];

    private async ValueTask<Pb.MemberListResponse> ListAsync(Pb.MemberListRequest request, GrpcCall call)
    {
        var consistency = request.Linearizable ? Consistency.Linearizable : Consistency.Local;
        await CatchUpAsync(consistency, call).ConfigureAwait(false);
        var response = new Pb.MemberListResponse { Header = node.Header(0) };
        response.Members.AddRange(Members());
        return response;
    }

    private async ValueTask<Pb.MemberAddResponse> AddAsync(Pb.MemberAddRequest request, GrpcCall call)
    {
        var url = PeerUrlOf(request.PeerURLs);
        await CatchUpAsync(Consistency.Linearizable, call).ConfigureAwait(false);
        RequireFree(url, except: 0);

        // One learner that stays one, as etcd's max-learners has it; one on its way to a voter's place is none.
        if (request.IsLearner
            && node.Kvorum.Status.Members.Any(member => member is { IsVoter: false, IsJoining: false }))
        {
            throw EtcdErrors.Failed("etcdserver: too many learner members in cluster");
        }

        // The node tells its name itself when it starts.
        var added = new MemberAddress(MembershipView.DrawNodeId(), "", url, []);
        var change = new MemberChange(MemberChangeKind.Add, added.Node, added, StaysLearner: request.IsLearner);
        await ChangeAsync(change, EtcdErrors.QuorumInDanger(), call).ConfigureAwait(false);
        var response = new Pb.MemberAddResponse
        {
            Header = node.Header(0),
            Member = new Pb.Member { ID = added.Node, PeerURLs = { url }, IsLearner = request.IsLearner },
        };
        response.Members.AddRange(Members());
        return response;
    }

    private async ValueTask<Pb.MemberRemoveResponse> RemoveAsync(Pb.MemberRemoveRequest request, GrpcCall call)
    {
        await RequireMemberAsync(request.ID, call).ConfigureAwait(false);
        var change = new MemberChange(MemberChangeKind.Remove, request.ID, New: null);
        await ChangeAsync(change, EtcdErrors.QuorumInDanger(), call).ConfigureAwait(false);
        var response = new Pb.MemberRemoveResponse { Header = node.Header(0) };
        response.Members.AddRange(Members());
        return response;
    }

    private async ValueTask<Pb.MemberUpdateResponse> UpdateAsync(Pb.MemberUpdateRequest request, GrpcCall call)
    {
        var url = PeerUrlOf(request.PeerURLs);
        var member = await RequireMemberAsync(request.ID, call).ConfigureAwait(false);
        RequireFree(url, except: request.ID);
        var known = node.Context.AddressOf(member);
        var moved = known with { Name = NameOf(member), PeerUrl = url };
        var change = new MemberChange(MemberChangeKind.Update, request.ID, moved);
        await ChangeAsync(change, EtcdErrors.QuorumInDanger(), call).ConfigureAwait(false);
        var response = new Pb.MemberUpdateResponse { Header = node.Header(0) };
        response.Members.AddRange(Members());
        return response;
    }

    private async ValueTask<Pb.MemberPromoteResponse> PromoteAsync(Pb.MemberPromoteRequest request, GrpcCall call)
    {
        var member = await RequireMemberAsync(request.ID, call).ConfigureAwait(false);
        if (member.IsVoter)
        {
            throw EtcdErrors.Failed("etcdserver: can only promote a learner member");
        }

        var change = new MemberChange(MemberChangeKind.Promote, request.ID, New: null);
        var notInSync =
            EtcdErrors.Failed("etcdserver: can only promote a learner member which is in sync with leader");
        await ChangeAsync(change, notInSync, call).ConfigureAwait(false);
        var response = new Pb.MemberPromoteResponse { Header = node.Header(0) };
        response.Members.AddRange(Members());
        return response;
    }

    private async Task ChangeAsync(MemberChange change, GrpcException refusal, GrpcCall call)
    {
        try
        {
            await node.Kvorum
                .ChangeMembersAsync(change, isDryRun: false, call.Remaining(node.RequestTimeout), call.Cancel)
                .ConfigureAwait(false);
        }
        catch (MemberChangeRefusedException refused)
        {
            throw new GrpcException(refusal.Code, refusal.Detail, refused);
        }

        await _view.TryCatchUpAsync(call.Cancel).ConfigureAwait(false);
    }

    private Task CatchUpAsync(Consistency consistency, GrpcCall call) =>
        _view.CatchUpAsync(consistency, call.Remaining(node.RequestTimeout), call.Cancel);

    private async Task<MemberStatus> RequireMemberAsync(ulong id, GrpcCall call)
    {
        await CatchUpAsync(Consistency.Linearizable, call).ConfigureAwait(false);
        foreach (var member in node.Kvorum.Status.Members)
        {
            if (member.Node == id)
            {
                return member;
            }
        }

        throw new GrpcException(GrpcStatusCode.NotFound, "etcdserver: member not found");
    }

    private void RequireFree(string peerUrl, ulong except)
    {
        if (_view.FindByPeerUrl(peerUrl) is { } holder && holder.Node != except)
        {
            throw EtcdErrors.Failed("etcdserver: Peer URLs already exists");
        }
    }

    private IEnumerable<Pb.Member> Members()
    {
        foreach (var member in node.Kvorum.Status.Members)
        {
            var address = node.Context.AddressOf(member);
            yield return new Pb.Member
            {
                ID = member.Node,
                Name = NameOf(member),
                PeerURLs = { address.PeerUrl.Length > 0 ? [address.PeerUrl] : [] },
                ClientURLs = { address.ClientUrls },
                IsLearner = !member.IsVoter,
            };
        }
    }

    /// <summary>Empty for a member that has not started yet.</summary>
    private string NameOf(in MemberStatus member) =>
        member.Address is { Name: "", PeerUrl.Length: > 0 } ? "" : node.Context.NameOf(member.Node);

    /// <summary>The one address: a scheme, a host and a port, nothing behind them.</summary>
    private static string PeerUrlOf(Google.Protobuf.Collections.RepeatedField<string> urls)
    {
        if (urls.Count != 1 || !Uri.TryCreate(urls[0], UriKind.Absolute, out var url)
            || (url.Scheme != Uri.UriSchemeHttp && url.Scheme != Uri.UriSchemeHttps)
            || url.IsDefaultPort || url.AbsolutePath != "/" || url.Query.Length > 0)
        {
            throw new GrpcException(GrpcStatusCode.InvalidArgument, "etcdserver: given member URLs are invalid");
        }

        return url.AbsoluteUri.TrimEnd('/');
    }
}
