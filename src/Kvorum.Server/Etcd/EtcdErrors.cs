using Kvorum.Kv;
using Kvorum.Node;
using Kvorum.Protocol.Grpc;

namespace Kvorum.Server.Etcd;

/// <summary>
/// Failures as etcd's clients know them: codes and texts are part of its interface, clients match them.
/// </summary>
internal static class EtcdErrors
{
    public const string NoLeaderText = "etcdserver: no leader";

    public static GrpcException EmptyKey() => Invalid("etcdserver: key is not provided");

    public static GrpcException KeyNotFound() => Invalid("etcdserver: key not found");

    public static GrpcException ValueProvided() => Invalid("etcdserver: value is provided");

    public static GrpcException LeaseProvided() => Invalid("etcdserver: lease is provided");

    public static GrpcException InvalidSort() => Invalid("etcdserver: invalid sort option");

    public static GrpcException TooManyOperations() => Invalid("etcdserver: too many operations in txn request");

    public static GrpcException DuplicateKey() => Invalid("etcdserver: duplicate key given in txn request");

    public static GrpcException RequestTooLarge() => Invalid("etcdserver: request is too large");

    public static GrpcException Compacted() =>
        new(GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision has been compacted");

    public static GrpcException FutureRevision() =>
        new(GrpcStatusCode.OutOfRange, "etcdserver: mvcc: required revision is a future revision");

    public static GrpcException LeaseNotFound() =>
        new(GrpcStatusCode.NotFound, "etcdserver: requested lease not found");

    public static GrpcException NoLeader() => new(GrpcStatusCode.Unavailable, NoLeaderText);

    public static GrpcException ServerStopped() => new(GrpcStatusCode.Unavailable, "etcdserver: server stopped");

    public static GrpcException QuorumInDanger() =>
        Failed("etcdserver: re-configuration failed due to not enough started members");

    public static GrpcException Failed(string text) => new(GrpcStatusCode.FailedPrecondition, text);

    /// <summary>A part of etcd's interface that is not there yet.</summary>
    public static GrpcException NotYet(string what) => new(GrpcStatusCode.Unimplemented, $"kvorum: {what} yet");

    public static GrpcException Unknown(string text) => new(GrpcStatusCode.Unknown, text);

    /// <summary>The exception for a command's or query's status; none for <see cref="CommandStatus.Ok"/>.</summary>
    public static void Check(CommandStatus status)
    {
        if (status is not CommandStatus.Ok)
        {
            throw Of(status);
        }
    }

    /// <summary>How a call ends that failed.</summary>
    public static (GrpcStatusCode Code, string Detail) StatusOf(Exception failure) => failure switch
    {
        GrpcException grpc => (grpc.Code, grpc.Detail),
        NoLeaderException => (GrpcStatusCode.Unavailable, NoLeaderText),
        OverloadedException => (GrpcStatusCode.ResourceExhausted, "etcdserver: too many requests"),
        DiskFullException => (GrpcStatusCode.ResourceExhausted, "etcdserver: mvcc: database space exceeded"),
        ProposalDroppedException => (GrpcStatusCode.Unavailable, "etcdserver: leader changed"),
        OutcomeUnknownException => (GrpcStatusCode.Unavailable, "etcdserver: request timed out"),
        ReadTimeoutException => (GrpcStatusCode.Unavailable, "etcdserver: request timed out"),
        NodeStoppedException => (GrpcStatusCode.Unavailable, "etcdserver: server stopped"),
        ArgumentException argument => (GrpcStatusCode.InvalidArgument, argument.Message),
        OperationCanceledException => (GrpcStatusCode.Canceled, "etcdserver: request canceled"),
        Microsoft.AspNetCore.Http.BadHttpRequestException => (GrpcStatusCode.Internal, "The request ended early."),
        _ => (GrpcStatusCode.Internal, "Unexpected failure; the node's log says more."),
    };

    private static GrpcException Of(CommandStatus status) => status switch
    {
        CommandStatus.Compacted => Compacted(),
        CommandStatus.FutureRevision => FutureRevision(),
        CommandStatus.DuplicateKey => DuplicateKey(),
        CommandStatus.KeyNotFound => KeyNotFound(),
        CommandStatus.LeaseNotFound => LeaseNotFound(),
        CommandStatus.LeaseExists => new GrpcException(
            GrpcStatusCode.FailedPrecondition, "etcdserver: lease already exists"),
        CommandStatus.TooManyLeases => new GrpcException(
            GrpcStatusCode.ResourceExhausted, "etcdserver: too many requests"),
        CommandStatus.UnknownSession => new GrpcException(
            GrpcStatusCode.FailedPrecondition, "kvorum: unknown session: it expired, or never began; open another one"),
        CommandStatus.SequenceTooOld => new GrpcException(
            GrpcStatusCode.FailedPrecondition, "kvorum: sequence too old: it was applied once, its answer is gone"),
        CommandStatus.SequenceReused => new GrpcException(
            GrpcStatusCode.FailedPrecondition, "kvorum: sequence reused: another request came under this number"),
        _ => new GrpcException(GrpcStatusCode.Internal, $"kvorum: unexpected status {status}"),
    };

    private static GrpcException Invalid(string text) => new(GrpcStatusCode.InvalidArgument, text);
}
