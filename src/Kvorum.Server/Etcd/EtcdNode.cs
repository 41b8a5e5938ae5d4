using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Server.Grpc;
using Pb = Kvorum.Protocol.Etcd;

namespace Kvorum.Server.Etcd;

/// <summary>What all of etcd's services need of the node: headers, time limits, whether there is a leader.</summary>
internal sealed class EtcdNode(ServerContext context)
{
    private const string HasLeaderMetadata = "hasleader";

    /// <summary>Election timeouts without a leader, after which a stream that wants one ends.</summary>
    private const int LeaderlessTimeoutsMax = 3;

    public ServerContext Context { get; } = context;

    public IKvorum Kvorum => Context.Kvorum;

    /// <summary>
    /// How long a request may take that names no time of its own: etcd's 5 s and two election timeouts.
    /// </summary>
    public TimeSpan RequestTimeout { get; } = TimeSpan.FromSeconds(5) + (2 * context.Options.ElectionTimeout);

    public Pb.ResponseHeader Header(long revision)
    {
        var status = Kvorum.Status;
        return new Pb.ResponseHeader
        {
            ClusterId = status.ClusterId,
            MemberId = status.Node,
            Revision = revision,
            RaftTerm = status.Term,
        };
    }

    /// <summary>A caller that asks for a leader does not want to wait for one.</summary>
    public void RequireLeaderIfAsked(GrpcCall call)
    {
        if (Kvorum.Status.Leader is null && call.Metadata(HasLeaderMetadata) == "true")
        {
            throw EtcdErrors.NoLeader();
        }
    }

    /// <summary>
    /// The same for a call that lasts: it ends when no leader has been known for three election timeouts. The caller
    /// disposes what it gets.
    /// </summary>
    public ITimer? GuardLeaderIfAsked(GrpcCall call)
    {
        RequireLeaderIfAsked(call);
        if (call.Metadata(HasLeaderMetadata) != "true")
        {
            return null;
        }

        var missed = 0;
        var period = Context.Options.ElectionTimeout;
        return Context.Time.CreateTimer(
            _ =>
            {
                missed = Kvorum.Status.Leader is null ? missed + 1 : 0;
                if (missed >= LeaderlessTimeoutsMax)
                {
                    call.End(EtcdErrors.NoLeader());
                }
            },
            null, period, period);
    }

    public Task<CommandResult> ProposeAsync(Command command, GrpcCall call) =>
        Kvorum.ProposeAsync(command, call.Remaining(RequestTimeout), call.Cancel);

    public Task<RangeResult> ReadAsync(RangeQuery query, Consistency consistency, GrpcCall call) =>
        Kvorum.ReadAsync(query, consistency, call.Remaining(RequestTimeout), call.Cancel);
}
